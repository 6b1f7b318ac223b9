"""Train and calibrate a classifier on a clinic's own dataset, see `importing`.

    python -m training train --dataset DATASET --run NAME
    python -m training calibrate --run NAME --weights DIR --version 1

A run lives in runs/own/NAME/. It is the linear probe of the shipped weights, fitted to the clinic's photos: minutes on
one core. Where a dermatologist drew a crop, that trains in place of the automatic ones. `calibrate` looks at photos of
other patients as the worker will, with the crops that the segmentation cuts, draws the alarm lines there and writes the
weights to a folder of the clinic's own.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from inference_worker.models import weights
from training import classify, features, probe
from training.data import Row, read_rows
from training.publish import publish, sources_of
from training.recipe import Run

ALARM_LEAST = 5  # training photos of a disease; fewer earn no share of the alarm budget
DISEASES = ("HI", "IM", "MF")


class ChangedDatasetError(ValueError):
    """The dataset is not the one that a run began with."""


@dataclass(frozen=True)
class Dataset:
    """A folder that `importing` wrote; `name` identifies it."""

    folder: Path

    @property
    def name(self) -> str:
        return f"{self.folder.name} {hashlib.sha256(self._manifest.read_bytes()).hexdigest()[:12]}"

    @property
    def _manifest(self) -> Path:
        return self.folder / "manifest.csv"

    def rows(self, use: str) -> list[Row]:
        return [row for row in read_rows(self._manifest, self.folder) if row.use == use]


def train(argv: list[str] | None = None) -> int:
    parser = _parser("train")
    parser.add_argument("--dataset", type=Path, required=True, help="folder that import wrote")
    parser.add_argument("--run", required=True, help="name of the run")
    arguments = parser.parse_args(argv)
    begin(arguments)
    run, dataset = Run("own", arguments.run), Dataset(arguments.dataset.resolve())
    rows = dataset.rows("train")
    labels = [row.label for row in rows]
    # With the run, which shows patients: it is deleted when the consent ends.
    photos = features.of_photos(rows, run.folder / "features", as_drawn=True)
    fitted = probe.fit(probe.means_of(photos), labels)
    np.savez(run.folder / "probe.npz", **dataclasses.asdict(fitted))
    drawn = sum(row.crop is not None for row in rows)
    card = {
        "sources": sources_of(rows),
        "folder": str(dataset.folder),
        "dataset": dataset.name,
        "drawn": drawn,
    }
    (run.folder / "card.json").write_text(json.dumps(card | {"labels": labels}, indent=1) + "\n")
    print(f"{len(rows)} photos, {drawn} with a crop that a dermatologist drew")
    print(f"next: python -m training calibrate --run {arguments.run}")
    return 0


def require_same_dataset(run: Run, dataset: Dataset) -> None:
    """Raise ChangedDatasetError where a run would be calibrated with other splits, on patients who trained it."""
    if (began := run.read("card.json")["dataset"]) != dataset.name:
        raise ChangedDatasetError(f"the run began with {began}, now it is {dataset.name}; train a new run")


def calibrate(argv: list[str] | None = None) -> int:
    """Draw the alarm lines on the `calibrate` split and write the weights."""
    parser = _parser("calibrate")
    parser.add_argument("--run", required=True, help="name of a run that trained")
    parser.add_argument("--weights", type=Path, required=True, help="folder of your own to publish to")
    parser.add_argument("--version", default="1")
    arguments = parser.parse_args(argv)
    if arguments.weights.resolve() == weights.FOLDER.resolve():
        parser.error("--weights names the shipped weights; name a folder of your own")
    begin(arguments)
    run = Run("own", arguments.run)
    card = run.read("card.json")
    dataset = Dataset(Path(card["folder"]))
    require_same_dataset(run, dataset)
    fitted = probe.Probe(**np.load(run.folder / "probe.npz"))
    rows = dataset.rows("calibrate")
    photos = features.of_photos(rows, run.folder / "features")
    licences = [f"{s['source']} ({s['photos']}): {s['licence']}" for s in card["sources"]]
    row = classify.described("classification", arguments.version, card["labels"], licences)
    row["recipe"] |= {"dataset": card["dataset"], "run": run.folder.name, "calibrated_on": len(rows)}
    row["recipe"] |= {"drawn crops": card["drawn"]} if card["drawn"] else {}
    unseen, labels = probe.unseen(fitted, photos), [r.label for r in rows]
    alarms = [name for name in DISEASES if card["labels"].count(name) >= ALARM_LEAST]
    try:
        row |= classify.calibration_of(unseen, labels, alarms)
    except probe.TooFewPhotosError as error:
        print(f"{error}: these weights have no alarm")
        row |= classify.calibration_of(unseen, labels, [])
    own = publish(fitted.write_into(features.start()), row, arguments.weights, shared="backbone")
    print(f"{own.name} {own.version}, sha256 {own.sha256}, in {arguments.weights}")
    print(json.dumps(own.thresholds))
    return 0


def begin(arguments: argparse.Namespace) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)


def _parser(action: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m training {action}",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--threads", type=int, default=2)
    return parser
