"""Train and calibrate a classifier on a clinic's own dataset, see `importing`.

    python -m training train --dataset DATASET --run NAME --minutes 60
    python -m training calibrate --run NAME --weights DIR --version 1

A run lives in runs/own/NAME/ and stays with the dataset it began with. `calibrate` looks at each photo as the
worker will, with the crops that the segmentation cuts, and writes the weights to a folder of the clinic's own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from inference_worker.models import classification, engine, weights
from inference_worker.models.classification import CLASSES
from inference_worker.models.segmentation import Segmenter
from training import augment, classify, recipe
from training.data import Sample, read_photo, read_rows
from training.publish import publish, sources_of
from training.recipe import Run, learn, saved_network


@dataclass(frozen=True)
class Recipe(recipe.Recipe):
    encoder_rate: float = 2e-4
    head_rate: float = 1e-3
    smoothing: float = 0.1


class Views:
    """Draws batches of whole photos and close-ups, every class that the dataset has alike often."""

    def __init__(self, photos: dict[str, list[Sample]], recipe: Recipe) -> None:
        self.photos, self.recipe = photos, recipe
        self.names = [name for name in CLASSES if photos[name]]

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return views (B, 3, 224, 224) float and class indices (B,); the step alone decides which."""
        rng = self.recipe.rng(step)
        names = rng.choice(self.names, size=self.recipe.batch)
        views = np.stack([self._view(rng, self.photos[name]) for name in names])
        return engine.to_tensor(views), torch.tensor([CLASSES.index(name) for name in names])

    def _view(self, rng: np.random.Generator, photos: list[Sample]) -> np.ndarray:
        return augment.develop(rng, classify.window(rng, photos[rng.integers(len(photos))]))


class ChangedDatasetError(ValueError):
    """The dataset is not the one that a run began with."""


@dataclass(frozen=True)
class Dataset:
    """A folder that `importing` wrote; `name` tells it from any other."""

    folder: Path

    @property
    def name(self) -> str:
        return f"{self.folder.name} {hashlib.sha256(self._manifest.read_bytes()).hexdigest()[:12]}"

    @property
    def _manifest(self) -> Path:
        return self.folder / "manifest.csv"

    def rows(self, use: str) -> list:
        return [row for row in read_rows(self._manifest, self.folder) if row.use == use]

    def photos(self, use: str) -> dict[str, list[Sample]]:
        """Return the photos of one split by class, with the class maps that the segmentation finds in them."""
        segmenter = Segmenter(weights.published("segmentation"), engine.select_device())
        photos: dict[str, list[Sample]] = {name: [] for name in CLASSES}
        for row in self.rows(use):
            photo = read_photo(row.path, classify.LONG_SIDE)
            photos[row.label].append(Sample(photo, segmenter([photo])[0]))
        return photos


def train(argv: list[str] | None = None) -> int:
    parser = _parser("train")
    parser.add_argument("--dataset", type=Path, required=True, help="folder that import wrote")
    Recipe.add_options(parser)
    arguments = parser.parse_args(argv)
    recipe.begin(arguments)
    run, chosen, dataset = (
        Run("own", arguments.run),
        Recipe.chosen(arguments),
        Dataset(arguments.dataset.resolve()),
    )
    require_same_dataset(run, dataset)
    sources = sources_of(dataset.rows("train"))
    run.describe(chosen, sources=sources, folder=str(dataset.folder), dataset=dataset.name)
    learn(run, classify.task_of(Views(dataset.photos("train"), chosen)), arguments.minutes)
    return 0


def require_same_dataset(run: Run, dataset: Dataset) -> None:
    """Raise ChangedDatasetError where a run would continue with other splits: patients who measured would train."""
    if run.checkpoint.exists() and (began := run.read("card.json")["dataset"]) != dataset.name:
        raise ChangedDatasetError(f"the run began with {began}, now it is {dataset.name}; name another run")


def calibrate(argv: list[str] | None = None) -> int:
    """Choose temperature and thresholds on the `calibrate` split and write the weights."""
    parser = _parser("calibrate")
    parser.add_argument("--run", required=True, help="name of a run that trained")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--weights", type=Path, required=True, help="folder of your own to publish to")
    parser.add_argument("--version", default="1")
    arguments = parser.parse_args(argv)
    if arguments.weights.resolve() == weights.FOLDER.resolve():
        parser.error("--weights names the shipped weights; name a folder of your own")
    recipe.begin(arguments)
    run = Run("own", arguments.run)
    network, steps = saved_network(run, classification.build())
    card = run.read("card.json")
    dataset = Dataset(Path(card["folder"]))
    require_same_dataset(run, dataset)
    logits, labels = classify.kept_logits(network, dataset.photos("calibrate"))
    done = run.recipe_with(dataset=card["dataset"], steps_done=steps, calibrated_on=len(labels))
    row = classify.row_of(arguments.version, card["sources"], done)
    own = publish(network, row | classify.calibration_of(logits, labels), arguments.weights)
    print(f"{own.name} {own.version}, sha256 {own.sha256}, in {arguments.weights}")
    print(json.dumps(own.thresholds))
    return 0


def _parser(action: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=f"python -m training {action}",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
