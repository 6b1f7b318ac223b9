"""Train the demonstration classifier on phantoms and the few `use=train` photos.

    python -m inference_worker.training.classify --data ../shared/data --run first --minutes 20
    python -m inference_worker.training.classify publish --data ../shared/data --run first

A run lives in runs/classify/<NAME>/. `publish` first calibrates on what never trained: phantoms of other
seeds and the held-out groups of the photos.
"""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from inference_worker import classification
from inference_worker.classification import CLASSES, CONDITIONS, scaled
from inference_worker.engine import TorchEngine, to_tensor
from inference_worker.training import augment, imagenet, runs
from inference_worker.training.data import Row, Sample, held_out, read_photo, require_train, training_rows
from inference_worker.training.publish import publish, sources_of

FROZEN_STAGES = 3  # of seven; what colours and textures are, phantoms must not unlearn
LONG_SIDE = 512  # px in memory


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run; stored with its checkpoint."""

    steps: int = 600
    batch: int = 32
    encoder_rate: float = 2e-4
    head_rate: float = 1e-3
    weight_decay: float = 5e-2
    smoothing: float = 0.1
    photos: float = 0.35  # share of a batch that is real
    seed: int = 1


def load_photos(rows: list[Row]) -> dict[str, list[np.ndarray]]:
    """Return the photos of training rows by class, RGB, long side 512 px."""
    photos: dict[str, list[np.ndarray]] = {name: [] for name in CLASSES}
    for row in rows:
        photos[require_train(row).label].append(read_photo(row.path, LONG_SIDE))
    return photos


class Views:
    """Draws batches of whole photos and close-ups, every class alike often."""

    def __init__(self, photos: dict[str, list[np.ndarray]], phantoms: dict[str, list[np.ndarray]], recipe: Recipe):
        self.photos, self.phantoms, self.recipe = photos, phantoms, recipe

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return views (B, 3, 224, 224) float and class indices (B,); the step alone decides which."""
        rng = np.random.default_rng([self.recipe.seed, step])
        labels = rng.integers(len(CLASSES), size=self.recipe.batch)
        views = np.stack([self._view(rng, CLASSES[label]) for label in labels])
        return to_tensor(views), torch.from_numpy(labels)

    def _view(self, rng: np.random.Generator, name: str) -> np.ndarray:
        real = rng.random() < self.recipe.photos or not self.phantoms.get(name)
        photos = self.photos[name] if real and self.photos[name] else self.phantoms[name]
        return augment.develop(rng, window(rng, photos[rng.integers(len(photos))]))


def window(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """Return the whole photo or a part of it, turned by quarters and mirrored, (224, 224, 3) uint8."""
    height, width = photo.shape[:2]
    share = 1.0 if rng.random() < 0.3 else rng.uniform(0.45, 1.0)
    h, w = max(32, int(height * share)), max(32, int(width * share * np.exp(rng.normal(0, 0.1))))
    h, w = min(h, height), min(w, width)
    top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
    view = scaled(photo[top : top + h, left : left + w])
    view = np.rot90(view, rng.integers(4)) if rng.random() < 0.5 else view
    return np.ascontiguousarray(view[:, :: rng.choice([-1, 1])])


def task_of(views: Views) -> Task:
    """Return what the loop needs; the network starts from ImageNet with a new last layer."""
    recipe, network = views.recipe, classification.build()
    head = network.classifier
    network.classifier = nn.Linear(head.in_features, 1000)
    imagenet.load_lite0(network)
    network.classifier = head
    body = [p for name, p in network.named_parameters() if not name.startswith("classifier")]
    return Task(
        network=network.to(memory_format=torch.channels_last),
        frozen=[network.conv_stem, network.bn1, *network.blocks[:FROZEN_STAGES]],
        rates=[(body, recipe.encoder_rate), (list(head.parameters()), recipe.head_rate)],
        batch=views.batch,
        loss=lambda net, batch: _loss(net, batch, recipe.smoothing),
        steps=recipe.steps,
        weight_decay=recipe.weight_decay,
    )


def _loss(network: nn.Module, batch: tuple[torch.Tensor, torch.Tensor], smoothing: float) -> torch.Tensor:
    views, labels = batch
    logits = network(views.to(memory_format=torch.channels_last))
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def temperature_of(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature with the least surprise at the held-out labels (Guo et al. 2017)."""
    grid = np.exp(np.linspace(np.log(0.5), np.log(8), 60))
    return float(min(grid, key=lambda t: _surprise(logits, labels, t)))


def _surprise(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    return F.cross_entropy(torch.from_numpy(logits).double() / temperature, torch.from_numpy(labels)).item()
