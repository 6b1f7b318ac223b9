"""Measure what the classifications and their alarms are worth, and keep it with the weights.

    python -m training.worth --manifest ../shared/data/cls/manifest.csv --root ../shared/data/cls --use evaluate \
        --title "evaluate rows of cls" [--weights DIR] [--json OUT]

Of every classification in the folder, with the crops that the pipeline cuts: everything that `training.evaluate` measures,
how well the diseases are separated (of each third of skin tone, too), and of each alarm its sensitivity, how often it rings falsely and its likelihood
ratio LR+ = P(alarm | X) / P(alarm | AD or OTHER), and against AD alone. Intervals draw whole groups (persons). A
worker sends these figures with each alarm; the triage policy decides whether they suffice to raise urgency.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from contract.messages import Classified
from inference_worker.models import weights
from inference_worker.models.classification import CLASSES, CONDITIONS, Classifier
from inference_worker.models.segmentation import Segmenter
from inference_worker.models.torch_engine import TorchEngine
from inference_worker.models.torch_networks import Network, loaded
from training import features
from training.classification_figures import (
    BACKGROUND,
    classification_figures,
    probabilities,
    share_of,
    truths,
)
from training.classify import CANDIDATE
from training.data import Row, exit_on_manifest_error, measuring_rows, output
from training.evaluate import found_angles, parts, table
from training.publish import record_alarms, record_figures
from training.statistics import Figures, likelihood_ratio
from training.tone import thirds


def alarm_figures(rings: np.ndarray, truth: np.ndarray, groups: list[str], condition: str) -> Figures:
    """Return what one alarm is worth, from which photos it rings for (N,) bool."""
    ill = truth == condition
    figures = {
        "sensitivity": share_of(ill, rings, groups),
        "likelihood_ratio": likelihood_ratio(rings, ill, np.isin(truth, BACKGROUND), groups),
        "likelihood_ratio_ad": likelihood_ratio(rings, ill, truth == "AD", groups),
    }
    others = sorted(set(truth) - {condition})
    return figures | {f"false_{name}": share_of(truth == name, rings, groups) for name in others}


def candidates(p: np.ndarray, truth: np.ndarray, groups: list[str], recipe: dict[str, Any]) -> Figures:
    """Return what an alarm would be worth that the weights do not have, at the line that their recipe names."""
    figures = {}
    for setting, line in recipe.items():
        if setting.startswith(CANDIDATE):
            condition = setting.removeprefix(CANDIDATE)
            rings = p[:, CONDITIONS.index(condition)] >= line
            for name, figure in alarm_figures(rings, truth, groups, condition).items():
                figures[f"candidate_{condition}.{name}"] = figure
    return figures


def measure(
    rows: list[Row], opinions: list[Classified], angles: np.ndarray, own: weights.Weights
) -> tuple[Figures, Figures]:
    """Return all figures with their subgroups, and by condition those of its alarm.

    `angles` (N,) is the tone of the skin that was found in each photo, nan if unknown (`training.tone`).
    """
    truth, p, groups = truths(rows), probabilities(opinions), [row.group for row in rows]
    figures = classification_figures(rows, opinions)
    figures |= candidates(p, truth, groups, own.recipe)
    conditions = [str(alarm.condition) for alarm in opinions[0].alarms]
    alarms = {}
    for place, condition in enumerate(conditions):
        rings = np.array([found.alarms[place].rings for found in opinions])
        alarms[condition] = alarm_figures(rings, truth, groups, condition)
        figures |= {f"alarm_{condition}.{name}": figure for name, figure in alarms[condition].items()}
    # The budget is that of all alarms together: a photo for which two ring counts once.
    rung = np.array([any(alarm.rings for alarm in found.alarms) for found in opinions], bool)
    figures["any_alarm.AD_or_OTHER"] = share_of(np.isin(truth, BACKGROUND), rung, groups)
    by = {column: parts(rows, column) for column in ("source", "fitzpatrick", "tone", "distance")}
    by["tone_third"] = thirds(angles)
    for column, named in by.items():
        figures[f"by_{column}"] = {
            name: classification_figures([rows[i] for i in some], [opinions[i] for i in some])
            for name, some in named.items()
        }
    return figures, alarms


@exit_on_manifest_error
def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    rows = measuring_rows(arguments, classes=CLASSES)
    cpu, everything = TorchEngine("cpu", "figures are the same again"), {}
    angles = found_angles(rows, Segmenter(weights.published("segmentation"), cpu))
    for name, own in weights.table(arguments.weights).items():
        if not name.startswith("classification"):
            continue
        classifier = Classifier(own, cpu)
        found = features.of_photos(rows, network=loaded(own, Network()))
        figures, alarms = measure(rows, [classifier.classify(photo) for photo in found], angles, own)
        figures["model"] = f"{own.name} {own.version} {own.sha256[:12]}"
        record_figures(figures, name, arguments.title, arguments.weights)
        if not arguments.figures_only:
            record_alarms(alarms, name, arguments.weights)
        everything[name] = figures
        print(table({key: value for key, value in figures.items() if not key.startswith("by_")}))
    if arguments.json:
        arguments.json.write_text(json.dumps(everything, indent=1, sort_keys=True) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True, help="folder the manifest's paths start from")
    parser.add_argument("--use", help="only rows of this use, e.g. evaluate")
    parser.add_argument("--title", required=True, help='the photos measured, e.g. "evaluate rows of cls"')
    parser.add_argument("--weights", type=Path, default=weights.FOLDER, help="folder of a clinic's own")
    parser.add_argument("--figures-only", action="store_true", help="drawn scenes: keep the alarms' figures")
    parser.add_argument("--json", type=output)
    parser.add_argument("--threads", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()
