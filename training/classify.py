"""Train the demonstration classifier on phantoms and the few `use=train` photos.

    python -m training.classify --data ../shared/data --run first --minutes 20
    python -m training.classify publish --data ../shared/data --run first

A run lives in runs/classify/<NAME>/. `publish` first calibrates on what never trained: phantoms of other
seeds and the held-out groups of the photos.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from inference_worker.models import classification
from inference_worker.models.classification import (
    CLASSES,
    CONDITIONS,
    SIDE,
    aggregate,
    calibrated,
    crops_of,
    scaled,
)
from inference_worker.models.cropping import boxes_of
from inference_worker.models.engine import TorchEngine, to_tensor
from training import augment, imagenet, recipe
from training.data import (
    Known,
    Row,
    Sample,
    held_out,
    load_sample,
    phantom_rows,
    read_photo,
    require_train,
    training_rows,
)
from training.publish import publish, sources_of
from training.recipe import Run, Task, learn, saved_network
from training.statistics import wilson

SENSITIVITY = 0.85
NAMED_PRECISION = 0.9
NAMED_LEAST = 0.6
GRID = np.linspace(0.1, 0.95, 86)  # thresholds tried
ENERGY_QUANTILE = 0.1  # a tenth of what it should know is given up to reject what it does not know
MISSED = {"HI": 0.02} | dict.fromkeys(("AD", "IM", "MF", "OTHER"), 0.05)  # left out of conformal sets at most
FROZEN_STAGES = 5  # of seven; what real colours and textures are, drawn ones must not unlearn
HOST_SKIN, RASH_LEAST, HOST_TRIES = 0.4, 0.015, 12  # shares of skin and rash looked for in a painted view
PAINTED_KEPT = 100  # painted views a class to calibrate on
PAINTED_MM = {  # side of a pixel of a 224 px view, so that each rash can be seen
    "AD": (0.2, 1.2),
    "HI": (0.1, 0.45),
    "IM": (0.12, 0.6),
    "MF": (0.3, 1.6),
    "OTHER": (0.12, 1.0),
    "NORMAL": (0.1, 1.5),
}
LONG_SIDE = 512  # px in memory
MANY_PHOTOS = 40  # a class with fewer shows its photos less often


@dataclass(frozen=True)
class Recipe(recipe.Recipe):
    head_rate: float = 1e-3
    smoothing: float = 0.1
    photos: float = 0.2  # share of a batch that is real; at most, and alike for each class that has many
    painted: float = 0.6  # share of the rest that is drawn on real people


def load_photos(rows: list[Row]) -> dict[str, list[Sample]]:
    """Return the photos of training rows by class, RGB, long side 512 px, with their masks if they have one."""
    photos: dict[str, list[Sample]] = {name: [] for name in CLASSES}
    for row in rows:
        photo = read_photo(require_train(row).path, LONG_SIDE)
        known = load_sample(row).known if row.mask else np.full(photo.shape[:2], Known.NOTHING, np.uint8)
        photos[row.label].append(Sample(photo, known))
    return photos


class Views:
    """Draws batches of whole photos and close-ups, every class alike often."""

    def __init__(
        self,
        photos: dict[str, list[Sample]],
        phantoms: dict[str, list[Sample]],
        hosts: list[Sample],
        recipe: Recipe,
    ) -> None:
        self.photos, self.phantoms, self.hosts, self.recipe = photos, phantoms, hosts, recipe

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return views (B, 3, 224, 224) float and class indices (B,); the step alone decides which."""
        rng = self.recipe.rng(step)
        labels = rng.integers(len(CLASSES), size=self.recipe.batch)
        views = np.stack([self._view(rng, CLASSES[label]) for label in labels])
        return to_tensor(views), torch.from_numpy(labels)

    def _view(self, rng: np.random.Generator, name: str) -> np.ndarray:
        photos, phantoms = self.photos[name], self.phantoms[name]
        # Nine photos of the four diseases would be learnt by heart if they came as often as the many.
        share = self.recipe.photos * min(1.0, len(photos) / MANY_PHOTOS)
        if photos and rng.random() < share:
            return augment.develop(rng, window(rng, photos[rng.integers(len(photos))]))
        if self.hosts and rng.random() < self.recipe.painted:
            return augment.develop(rng, painted_view(rng, self.hosts, name).photo)
        return augment.develop(rng, window(rng, phantoms[rng.integers(len(phantoms))]))


def painted_view(rng: np.random.Generator, hosts: list[Sample], name: str) -> Sample:
    """Return 224 px of a person with a drawn rash.

    Every class is drawn on the same people: what tells a real photo from a drawn one tells no class.
    """
    for _ in range(HOST_TRIES):
        host = augment.crop(rng, hosts[rng.integers(len(hosts))], SIDE)
        if np.isin(host.known, (Known.SKIN, Known.SKIN_OR_LESION)).mean() < HOST_SKIN:
            continue
        host = augment.painted(rng, host, name, PAINTED_MM[name])
        if name == "NORMAL" or (host.known == Known.LESION).mean() > RASH_LEAST:
            break
    return host


def window(rng: np.random.Generator, sample: Sample) -> np.ndarray:
    """Return the whole photo or a close-up about a lesion, turned and mirrored, (224, 224, 3) uint8."""
    height, width = sample.known.shape
    share = 1.0 if rng.random() < 0.35 else rng.uniform(0.25, 0.9)
    # Crops are squares, whole photos are not: learn both.
    sides = (min(height, width),) * 2 if rng.random() < 0.5 else (height, width)
    h, w = (int(max(32, side * share)) for side in sides)
    y, x = _about(rng, sample.known)
    top = int(np.clip(y - h * rng.uniform(0.3, 0.7), 0, max(0, height - h)))
    left = int(np.clip(x - w * rng.uniform(0.3, 0.7), 0, max(0, width - w)))
    view = scaled(sample.photo[top : top + h, left : left + w])
    view = np.rot90(view, rng.integers(4)) if rng.random() < 0.5 else view
    return np.ascontiguousarray(view[:, :: rng.choice([-1, 1])])


def _about(rng: np.random.Generator, known: np.ndarray) -> tuple[int, int]:
    lesion = np.flatnonzero(known == Known.LESION)
    return divmod(int(rng.choice(lesion) if lesion.size else rng.integers(known.size)), known.shape[1])


def task_of(views: Views) -> Task:
    """Return what the loop needs; the network starts from ImageNet with a new last layer."""
    recipe, network = views.recipe, classification.build()
    head = network.classifier
    network.classifier = nn.Linear(head.in_features, 1000)
    imagenet.load_lite(network)
    network.classifier = head
    body = [p for name, p in network.named_parameters() if not name.startswith("classifier")]
    return Task(
        recipe=recipe,
        network=network.to(memory_format=torch.channels_last),
        frozen=[network.conv_stem, network.bn1, *network.blocks[:FROZEN_STAGES]],
        rates=[(body, recipe.encoder_rate), (list(head.parameters()), recipe.head_rate)],
        batch=views.batch,
        loss=lambda net, batch: _loss(net, batch, recipe.smoothing),
    )


def _loss(network: nn.Module, batch: tuple[torch.Tensor, torch.Tensor], smoothing: float) -> torch.Tensor:
    views, labels = batch
    logits = network(views.to(memory_format=torch.channels_last)).float()
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def temperature_of(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature with the least surprise at the held-out labels (Guo et al. 2017)."""
    grid = np.exp(np.linspace(np.log(0.5), np.log(8), 60))
    scores, truth = torch.from_numpy(logits).double(), torch.from_numpy(labels)
    return float(min(grid, key=lambda temperature: F.cross_entropy(scores / temperature, truth).item()))


def people(arguments: argparse.Namespace, *, kept: bool) -> list[Row]:
    """Return photos of healthy people to draw on: those that train, or the groups that never do."""
    rows = training_rows(arguments.data / "seg/manifest.csv", arguments.data / "seg")
    return [row for row in rows if row.kinds == "bg+skin" and held_out(row) == kept]


def split(arguments: argparse.Namespace) -> tuple[list[Row], list[Row], list[Row]]:
    """Return photos and phantoms to learn from, and those kept to calibrate on."""
    photos = training_rows(arguments.data / "cls/manifest.csv", arguments.data / "cls")
    phantoms = phantom_rows(arguments.scenes)
    learnt = [[row for row in rows if not held_out(row)] for rows in (photos, phantoms)]
    return *learnt, [row for row in photos + phantoms if held_out(row)] + phantom_rows(arguments.kept)


def train(arguments: argparse.Namespace) -> None:
    run, chosen = Run("classify", arguments.run), Recipe.chosen(arguments)
    photos, phantoms, _ = split(arguments)
    drawn_on = people(arguments, kept=False)
    run.describe(chosen, sources=sources_of(photos + phantoms + drawn_on))
    hosts = [load_sample(row) for row in drawn_on]
    learn(run, task_of(Views(load_photos(photos), load_photos(phantoms), hosts, chosen)), arguments.minutes)


def publish_run(arguments: argparse.Namespace) -> None:
    """Calibrate on what was kept, then publish."""
    run = Run("classify", arguments.run)
    network, steps = saved_network(run, classification.build())
    kept = load_photos(split(arguments)[2])
    hosts = [load_sample(row) for row in people(arguments, kept=True)]
    for index, name in enumerate(CLASSES):
        kept[name] += [
            painted_view(np.random.default_rng([index, i]), hosts, name) for i in range(PAINTED_KEPT)
        ]
    logits, labels = kept_logits(network, kept)
    done = run.recipe_with(steps_done=steps, calibrated_on=len(labels))
    row = row_of(arguments.version, run.read("card.json")["sources"], done)
    publish(network, row | calibration_of(logits, labels))


def kept_logits(network: nn.Module, kept: dict[str, list[Sample]]) -> tuple[list[np.ndarray], np.ndarray]:
    """Return for each kept photo the logits (1 + crops, 6) of what the pipeline would look at, and its class."""
    run = TorchEngine("cpu", "calibration").prepare_model(network)
    photos = [(index, sample) for index, name in enumerate(CLASSES) for sample in kept[name]]
    # Cut where the true mask says; a photo without a mask is judged as a whole.
    masks = [np.where(sample.known == Known.NOTHING, 0, sample.known) for _, sample in photos]
    views = [crops_of(photo.photo, boxes_of(mask)[0]) for (_, photo), mask in zip(photos, masks, strict=True)]
    return [run(own) for own in views], np.array([index for index, _ in photos])


def calibration_of(logits: list[np.ndarray], labels: np.ndarray) -> dict:
    """Return the temperature, fitted on single views, and the thresholds, chosen on whole photos.

    Conformal bounds: see `classification.prediction_set`. HI, IM, MF: low enough that the lower bound of their sensitivity is `SENSITIVITY`, so that they raise
    suspicion (triage only ever raises urgency). AD, OTHER and every naming: high enough that what is named
    is right `NAMED_PRECISION` of the time.
    """
    temperature = temperature_of(np.concatenate(logits), np.repeat(labels, [len(own) for own in logits]))
    joint = np.array([aggregate(calibrated(own, temperature)) for own in logits])
    truth = np.minimum(labels, len(CONDITIONS) - 1)  # healthy counts as OTHER
    energies = [classification.energy(own[0], temperature) for own in logits]
    thresholds = {}
    for i, name in enumerate(CONDITIONS):
        raises = name in ("HI", "IM", "MF")
        p, own = joint[:, i], truth == i
        thresholds[name] = _sensitive(p[own]) if raises else _precise(p, own)
    thresholds |= {
        f"conformal.{c}": _bound(joint[truth == i, i], MISSED[c]) for i, c in enumerate(CONDITIONS)
    }
    thresholds["named"] = _precise(joint.max(axis=1), joint.argmax(axis=1) == truth)
    thresholds["energy"] = round(float(np.quantile(energies, ENERGY_QUANTILE)), 4)
    return {"temperature": round(temperature, 4), "thresholds": thresholds}


def _bound(p: np.ndarray, missed: float) -> float:
    """Return the bound below which at most this share of a class falls; 0 where it has too few photos to tell."""
    rank = int(np.floor(missed * (len(p) + 1)))
    return round(float(np.sort(p)[rank - 1]), 6) if rank else 0.0


def _sensitive(p: np.ndarray) -> float:
    """Return the highest threshold whose sensitivity has a lower Wilson bound of SENSITIVITY, or the lowest."""
    for threshold in GRID[::-1]:
        if wilson(int((p >= threshold).sum()), len(p))[0] >= SENSITIVITY:
            return round(float(threshold), 3)
    return round(float(GRID[0]), 3)


def _precise(p: np.ndarray, right: np.ndarray) -> float:
    """Return the lowest threshold above which NAMED_PRECISION are right, or the highest."""
    for threshold in GRID[GRID >= NAMED_LEAST]:
        named = p >= threshold
        if named.any() and right[named].mean() >= NAMED_PRECISION:
            return round(float(threshold), 3)
    return round(float(GRID[-1]), 3)


def row_of(version: str, sources: list[dict], recipe: dict) -> dict:
    """Return the row of the table of weights, but for what the file and the calibration decide."""
    return {
        "name": "classification",
        "version": version,
        "classes": CLASSES,
        "transform": {"side": SIDE},
        "metrics": {},
        "licences": [f"{s['source']} ({s['photos']}): {s['licence']}" for s in sources],
        "recipe": recipe,
        "demonstration": True,  # phantoms and a handful of photos teach no medicine
    }


def main(argv: list[str] | None = None) -> None:
    recipe.command(__doc__, Recipe, train, publish_run, argv)


if __name__ == "__main__":
    main()
