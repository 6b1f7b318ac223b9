"""Fit and publish the two shipped classifications: one linear layer each over the same frozen features.

    python -m training.classify --version 2026.11.29 [--data ../shared/data] [--weights DIR]

Minutes on one core. The same machine with the same threads writes the same bytes; elsewhere the weights agree within
1e-4 and decide alike. Nothing is chosen on the way: recipe and alarm budget stand in `probe`, and photos of
`use=evaluate` are never opened. What the alarms are worth there is measured by `training.worth`.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from contract.alarms import Condition
from inference_worker.models import weights
from inference_worker.models.classification import CLASSES, HI, SIDE
from training import features, heads, probe
from training.data import training_rows
from training.evaluate import over
from training.publish import publish
from training.statistics import auc

# Two pictures of impetigo and one of mycosis fungoides earn no share of the alarm budget.
ALARMS = (Condition.HI.value,)
CANDIDATES = (Condition.IM.value, Condition.MF.value)
CREDIT = "Before wide distribution a person should open the source page of each picture."
CANDIDATE = "candidate line "
LEFT_OUT = "training pictures, left out in turn"
THINGS = "everyday things, against training pictures left out in turn"


def described(name: str, version: str, labels: list[str], licences: list[str]) -> dict[str, Any]:
    counts = {f"photos {label}": labels.count(label) for label in CLASSES}
    return {
        "name": name,
        "version": version,
        "classes": [label for label in CLASSES if label in labels],
        "transform": {"side": SIDE},
        "temperature": 1.0,
        "metrics": {},
        "licences": licences,
        "recipe": counts | {"C": probe.C, "alarm budget": probe.BUDGET},
        "demonstration": True,  # a handful of photos teaches no medicine
    }


def calibration_of(left_out: probe.LeftOut, labels: list[str], alarms: Sequence[str]) -> dict[str, Any]:
    """Return alarm lines and the distance of what is out of scope, from photos that were left out in turn."""
    scored = np.isin(labels, probe.HARMLESS) & ~np.isnan(left_out.joint[:, 0])
    return {
        "thresholds": probe.alarm_lines(left_out.joint[scored], alarms) if alarms else {},
        "scope_distance": round(float(np.quantile(left_out.far, probe.IN_SCOPE)), 4),
        "alarms": {name: {} for name in alarms},
    }


def candidate_lines(
    left_out: probe.LeftOut, labels: list[str], conditions: Sequence[str]
) -> dict[str, float]:
    """Return the line that each condition's alarm would have with the whole budget, by its name in the recipe.

    `training.worth` measures what it would be worth; no worker uses it.
    """
    scored = np.isin(labels, probe.HARMLESS) & ~np.isnan(left_out.joint[:, 0])
    lines = [probe.alarm_lines(left_out.joint[scored], [name]) for name in conditions]
    return {f"{CANDIDATE}{name}": line for own in lines for name, line in own.items()}


def metrics_of(
    left_out: probe.LeftOut, labels: list[str], groups: list[str], things: list[float]
) -> dict[str, Any]:
    """Return what the pictures themselves can show: the herpes score by the joint features or as the highest of the views,
    and how well the distance detects `things` that are no skin."""
    classes = np.array(labels)
    scored = np.isin(classes, ("HI", *probe.HARMLESS)) & ~np.isnan(left_out.joint[:, 0])
    joint, highest, ill = left_out.joint[:, HI], left_out.highest[:, HI], classes == "HI"
    measures = {
        "auc_hi_joint": lambda i: auc(joint[i], ill[i]),
        "auc_hi_highest_view": lambda i: auc(highest[i], ill[i]),
        "gain_of_highest_view": lambda i: auc(highest[i], ill[i]) - auc(joint[i], ill[i]),
    }
    figures = {name: over(scored, groups, measure) for name, measure in measures.items()}
    far = np.concatenate([left_out.far, things])
    is_thing = np.arange(len(far)) >= len(labels)
    one_each = [f"thing {i}" for i in range(len(things))]
    scope = {"auc_out_of_scope": over(far == far, groups + one_each, lambda i: auc(far[i], is_thing[i]))}
    return {LEFT_OUT: figures, THINGS: scope}


def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    everything = training_rows(arguments.data / "cls/manifest.csv", arguments.data / "cls")
    # Pictures of unclear rights teach neither head. Most show things: they test what is out of scope.
    things = probe.means_of(features.of_photos([row for row in everything if row.tier == "unclear"]))
    for head, name in weights.CLASSIFIERS.items():
        rows = heads.rows_of(head, arguments.data)
        labels, groups = [row.label for row in rows], [row.group for row in rows]
        photos = features.of_photos(rows)
        left_out = probe.leave_one_group_out(photos, labels, groups)
        fitted = probe.fit(probe.means_of(photos), labels)
        licences = [f"{heads.TERMS[head]} {CREDIT}", *heads.credits_of(rows)]
        row = described(name, arguments.version, labels, licences)
        row |= calibration_of(left_out, labels, ALARMS)
        row["recipe"] |= candidate_lines(left_out, labels, [name for name in CANDIDATES if name in labels])
        row["metrics"] = metrics_of(left_out, labels, groups, [fitted.distance(thing) for thing in things])
        own = publish(fitted.write_into(features.start()), row, arguments.weights, shared="backbone")
        print(f"{own.name} {own.version} {own.sha256[:12]}: {len(rows)} photos, {own.thresholds}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="holds cls/")
    parser.add_argument("--version", required=True, help="of the published weights")
    parser.add_argument("--weights", type=Path, default=weights.FOLDER, help="folder to publish to")
    parser.add_argument("--threads", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()
