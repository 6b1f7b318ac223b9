"""How easily drawn skin is distinguished from real skin: the AUC of a classifier made for it. Lower is better, .5 is the end.

    python -m training.realism --data ../shared/data --scenes runs/phantoms --json OUT

Real are square crops of skin from the `use=train` photos; drawn are such crops of phantoms, and of rashes drawn
on real people. A logistic regression on ImageNet features, cross-validated by group: the strictest classifier at hand.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from inference_worker.models.classification import scaled
from training import augment, features, phantom
from training.data import Known, Row, Sample, load_sample, output, phantom_rows, training_rows
from training.evaluate import table
from training.statistics import auc, bootstrap

SKIN = (Known.SKIN, Known.LESION, Known.SKIN_OR_LESION)
SIDE = 128  # px of the crop; made larger to what the network takes
SKIN_SHARE, TRIES, FOLDS = 0.8, 20, 5
JPEG = 75  # both kinds are stored once more, alike: compression must not be what separates them


def skin_crop(rng: np.random.Generator, sample: Sample) -> Sample | None:
    """Return a square of the photo that is mostly skin; None if a few tries meet none."""
    height, width = sample.known.shape
    for _ in range(TRIES if min(height, width) >= SIDE else 0):
        y, x = rng.integers(height - SIDE + 1), rng.integers(width - SIDE + 1)
        here = np.s_[y : y + SIDE, x : x + SIDE]
        if np.isin(sample.known[here], SKIN).mean() > SKIN_SHARE:
            return Sample(sample.photo[here], sample.known[here])
    return None


def crops_of(rows: list[Row], seed: int) -> tuple[list[Sample], list[str]]:
    """Return one crop of each photo that has one, and the groups of those."""
    found = [
        (skin_crop(np.random.default_rng([seed, i]), load_sample(row)), row) for i, row in enumerate(rows)
    ]
    return [crop for crop, _ in found if crop], [row.group for crop, row in found if crop]


def drawn_on(people: list[Sample]) -> list[Sample]:
    """Return the same crops of people with a rash drawn on them."""
    rng = np.random.default_rng(3)
    return [augment.painted(rng, each, str(rng.choice(phantom.CONDITIONS[:-1]))) for each in people]


def separability(
    real: list[Sample], real_groups: list[str], drawn: list[Sample], drawn_groups: list[str]
) -> dict:
    """Return the cross-validated AUC with its interval; a group is never on both sides of a fold."""
    views = np.stack([scaled(augment.compress(s.photo, JPEG)) for s in [*real, *drawn]])
    is_drawn = np.arange(len(views)) >= len(real)
    groups = np.array([*real_groups, *drawn_groups])
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    score = cross_val_predict(
        classifier,
        features.of(features.start().backbone)(views),
        is_drawn,
        groups=groups,
        cv=GroupKFold(FOLDS),
        method="decision_function",
    )
    return bootstrap(lambda i: auc(score[i], is_drawn[i]), list(groups))


def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    photos = training_rows(arguments.data / "seg/manifest.csv", arguments.data / "seg")
    full = crops_of([row for row in photos if row.kinds == "bg+skin+lesion"], 1)
    people = crops_of([row for row in photos if row.kinds == "bg+skin"], 1)
    scenes = crops_of(phantom_rows(arguments.scenes)[: arguments.scene_limit], 2)
    real = full[0] + people[0], full[1] + people[1]
    figures = {
        "phantoms": separability(*real, *scenes),
        "rashes_on_people": separability(*real, drawn_on(people[0]), people[1]),
        "version": phantom.VERSION,
    }
    print(table(figures))
    arguments.json.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--scenes", type=Path, required=True, help="written by `python -m training.phantom`")
    parser.add_argument("--scene-limit", type=int, default=500)
    parser.add_argument("--json", type=output, required=True)
    return parser


if __name__ == "__main__":
    main()
