"""Measure the published weights on labelled photos; every figure with its interval and n.

    python -m training.evaluate segmentation --manifest CSV --root DIR --json OUT
    python -m training.evaluate classification --manifest CSV --root DIR --json OUT [--html PAGE]

Columns `image,mask` or `file,class`; optional `use`, `group`, `fitzpatrick`, `label`, `source`. Intervals
are 95 % of a bootstrap that draws whole groups (persons), Wilson's where no draw differs. `--html` writes the same
as one page with plots and the worst photos by name. This is the only reader of `use=evaluate` rows.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from contract.messages import Classified
from inference_worker.models import engine, weights
from inference_worker.models.classification import CLASSES, Classifier
from inference_worker.models.cropping import boxes_of
from inference_worker.models.segmentation import SKIN, Segmenter
from training import evaluation_page, thresholds, tone
from training.classification_figures import answered_share, classification_figures
from training.data import (
    ManifestError,
    Row,
    exit_on_manifest_error,
    held_out,
    measuring_rows,
    output,
    read_mask,
    read_photo,
)
from training.mask_scores import MaskScore, score_mask
from training.statistics import Figures, bootstrap, widened

BATCH = 8
ANALYSIS_LONG_SIDE = 1024  # px; what the worker analyses


@dataclass(frozen=True)
class Measured:
    """One photo, judged by the network and by colour alone; `angle` is the tone of its true skin, nan if unknown."""

    network: MaskScore
    colour: MaskScore
    angle: float


@dataclass(frozen=True)
class Assessed:
    """Photos and what was said of them; `angles` (N,) is the tone of the skin that was found, nan if unknown."""

    rows: list[Row]
    opinions: list[Classified]
    angles: np.ndarray


def compare_masks(rows: list[Row], segmenter: Segmenter) -> list[Measured]:
    """Compare the network's mask of each photo, and that of colour alone, with the true one."""
    measured = []
    for some in batches(rows):
        photos, truths = [read_photo(row.path) for row in some], [read_mask(row.mask) for row in some]
        for found, photo, truth in zip(segmenter(photos), photos, truths, strict=True):
            by_colour = score_mask(thresholds.class_map(photo), truth)
            is_skin = cv2.resize(truth, photo.shape[1::-1], interpolation=cv2.INTER_NEAREST) == SKIN
            angle = tone.typology_angle(photo, is_skin)
            measured.append(Measured(score_mask(found, truth), by_colour, angle))
    return measured


def segmentation(rows: list[Row], measured: list[Measured]) -> Figures:
    """Return every figure of the segmentation on these rows, and what it is better by than colour alone."""
    scores, groups = [one.network for one in measured], [row.group for row in rows]
    figures = segmentation_figures(scores, groups)
    columns = ("label", "source", "fitzpatrick", "tone", "distance")
    by = {f"by_{column}": parts(rows, column) for column in columns}
    by["by_tone_third"] = tone.thirds(np.array([one.angle for one in measured]))
    for title, all_parts in by.items():
        figures[title] = {
            name: segmentation_figures([scores[i] for i in own], [groups[i] for i in own])
            for name, own in all_parts.items()
        }
    colour = [one.colour for one in measured]
    figures["colour_alone"] = segmentation_figures(colour, groups)
    figures["gain_over_colour"] = {
        name: _gain(scores, colour, groups, name) for name in ("skin_iou", "lesion_iou")
    }
    return figures


def _gain(ours: list[MaskScore], theirs: list[MaskScore], groups: list[str], name: str) -> Figures:
    """Return the paired difference over the photos that both can be judged on."""
    gain = np.array([getattr(a, name) - getattr(b, name) for a, b in zip(ours, theirs, strict=True)])
    return over(~np.isnan(gain), groups, lambda i: float(gain[i].mean()))


def segmentation_figures(scores: list[MaskScore], groups: list[str]) -> Figures:
    skin, lesion = (np.array([getattr(s, name) for s in scores]) for name in ("skin_iou", "lesion_iou"))
    hit, missed, false = np.array([s.patches for s in scores]).T
    measures = {
        "skin_or_lesion_iou": (~np.isnan(skin), lambda i: float(skin[i].mean())),
        "lesion_iou": (~np.isnan(lesion), lambda i: float(lesion[i].mean())),
        "patch_recall": (hit + missed > 0, lambda i: share(hit[i].sum(), (hit + missed)[i].sum())),
        "patch_precision": (hit + false + missed > 0, lambda i: share(hit[i].sum(), (hit + false)[i].sum())),
    }
    measures["skin_or_lesion_below_80"] = (
        measures["skin_or_lesion_iou"][0],
        lambda i: float((skin[i] < 0.8).mean()),
    )
    figures = {
        name: widened(over(which, groups, measure), len({groups[i] for i in np.flatnonzero(which)}))
        for name, (which, measure) in measures.items()
    }
    return figures | {
        "worst_skin_or_lesion_iou": None if np.isnan(skin).all() else round(float(np.nanmin(skin)), 4)
    }


def over(which: np.ndarray, groups: list[str], measure: Callable[[np.ndarray], float]) -> Figures:
    """Return a bootstrapped figure over the photos that `which` marks."""
    own = np.flatnonzero(which)
    if not own.size:
        return {"value": None, "low": None, "high": None, "n": 0}
    return bootstrap(lambda i: measure(own[i]), [groups[i] for i in own])


def share(hits: float, n: float) -> float:
    return float(hits / n) if n else np.nan


def assess(rows: list[Row], segmenter: Segmenter, classifier: Classifier) -> Assessed:
    """Look at each photo as the worker does: its analysis copy, with the crops that the segmentation cuts."""
    opinions, angles = [], []
    for some in batches(rows):
        photos = [read_photo(row.path, ANALYSIS_LONG_SIDE) for row in some]
        masks = segmenter(photos)
        opinions += classifier(photos, [boxes_of(mask)[0] for mask in masks])
        angles += [tone.typology_angle(p, m == SKIN) for p, m in zip(photos, masks, strict=True)]
    return Assessed(rows, opinions, np.array(angles))


def found_angles(rows: list[Row], segmenter: Segmenter) -> np.ndarray:
    """Return the tone (N,) of the skin that is found in each row's photo, nan where there is too little."""
    angles = []
    for some in batches(rows):
        photos = [read_photo(row.path, ANALYSIS_LONG_SIDE) for row in some]
        pairs = zip(photos, segmenter(photos), strict=True)
        angles += [tone.typology_angle(photo, mask == SKIN) for photo, mask in pairs]
    return np.array(angles)


def classification(assessed: Assessed) -> Figures:
    """Return every figure of the classification, of all photos and of parts; tone by the skin that was found."""
    rows, opinions = assessed.rows, assessed.opinions
    figures = classification_figures(rows, opinions)
    by = {f"by_{column}": parts(rows, column) for column in ("source", "fitzpatrick", "tone", "distance")}
    by["by_tone_third"] = tone.thirds(assessed.angles)
    for title, all_parts in by.items():
        figures[title] = {
            name: classification_figures([rows[i] for i in own], [opinions[i] for i in own])
            for name, own in all_parts.items()
        }
    return figures


def parts(rows: list[Row], column: str) -> dict[str, list[int]]:
    """Return the indices of the rows by what they have in a column; rows without are left out."""
    found: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        if getattr(row, column):
            found.setdefault(getattr(row, column), []).append(index)
    return dict(sorted(found.items()))


def batches(rows: list[Row]) -> Iterable[list[Row]]:
    return (rows[i : i + BATCH] for i in range(0, len(rows), BATCH))


def table(figures: Figures, indent: str = "") -> str:
    """Return the figures as lines of text, subgroups indented."""
    lines = []
    for name, own in figures.items():
        if isinstance(own, dict) and "value" not in own:
            lines += [f"{indent}{name}", table(own, indent + "  ")]
        elif isinstance(own, dict):
            value, low, high = ("-" if own[k] is None else f"{own[k]:.3f}" for k in ("value", "low", "high"))
            answered = answered_share(name, figures)
            of = "" if answered is None else f"  answered {answered:.3f}"
            lines.append(f"{indent}{name:28} {value:>6} [{low}, {high}]  n={own['n']}{of}")
        else:
            lines.append(f"{indent}{name:28} {own}")
    return "\n".join(lines)


@exit_on_manifest_error
def main(argv: list[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO)
    segments = arguments.what == "segmentation"
    rows = measuring_rows(arguments, masks=segments, classes=() if segments else CLASSES)
    rows = [row for row in rows if held_out(row) or not arguments.held_out]
    if not rows:
        raise ManifestError(f"{arguments.manifest}: no line belongs to a held-out group")
    chosen = engine.select_engine(arguments.device)
    models = weights.in_force(arguments.weights)
    segmenter = Segmenter(models["segmentation"], chosen)
    named = f"{arguments.what} {models[arguments.what].version} {models[arguments.what].sha256[:12]}"
    if segments:
        measured = compare_masks(rows, segmenter)
        figures = segmentation(rows, measured) | {"model": named}
    else:
        assessed = assess(rows, segmenter, Classifier(models["classification"], chosen))
        figures = classification(assessed) | {"model": named}
    print(table(figures))
    arguments.json.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    if arguments.html:
        if segments:
            text = evaluation_page.segmentation_page(figures, rows, measured, arguments.html, argv)
        else:
            text = evaluation_page.classification_page(figures, assessed, arguments.html, argv)
        arguments.html.write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("segmentation", "classification"))
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True, help="folder the manifest's paths start from")
    parser.add_argument("--json", type=output, required=True)
    parser.add_argument("--html", type=output, help="one page with plots; it holds no photo")
    parser.add_argument("--use", help="only rows of this use, e.g. evaluate")
    parser.add_argument("--weights", type=Path, help="folder of a clinic's own, in place of the shipped ones")
    parser.add_argument("--held-out", action="store_true", help="only groups that never train")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    return parser


if __name__ == "__main__":
    main()
