"""The network of the features, adapted to photos without their labels: SimSiam (Chen and He, CVPR 2021, arXiv 2011.10566).

The recipe was fixed before any of its features were scored, for both sets of photos alike:

- start: ImageNet's EfficientNet-Lite0, as shipped; all of its layers learn, and its batch statistics move;
- two views of a photo: .2 to 1 of its area, sides 3:4 to 4:3, squeezed to 160 px (the heads read views of 224 px: a
  lower side in training makes up for the larger things in cut views, Touvron 2019), half of them mirrored;
- their light and camera by `augment.develop` in place of the paper's colour changes (hue, greyscale): a network taught
  to ignore hue would ignore the redness and the yellow crust that tell diseases;
- heads of the paper: a projection of three layers of 2,048, a prediction through 512, both thrown away;
- 200 steps of 32 photos (SGD, momentum .9, weight decay 1e-4), rate .05 x 32 / 256 for the network as in the paper, .2 for the
  heads, which begin at random; both fall to 0 by half a cosine, that of the prediction is constant; seed 1, one thread.

The rate of the heads was that of the network at first: stopped after 60 steps, with a loss of -.02 nothing was learned. .2 is the
lowest of three rates (.00625, .05, .2) by which heads over frozen features pass a loss of -.5 within 120 steps.

A collapse is what the paper looks at: the standard deviation of the normalised output over a batch, which is
1 / sqrt(channels) where outputs are spread evenly and 0 where all are the same. Below half of that, or where the
features keep less than half of the spread they began with, a run has collapsed, and it is not compared.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from inference_worker.models.classification import scaled
from inference_worker.models.torch_engine import normalised
from training import heads
from training.augment import develop
from training.data import LONG_SIDE, Row, read_photo, require_train, training_rows

AREA, RATIO = (0.2, 1.0), (3 / 4, 4 / 3)  # of a view's cut
WIDE, NARROW = 2048, 512  # channels of the heads
SHOWN = 10  # first and last steps whose mean is reported
SAID_EVERY = 20  # steps
LEAST_SPREAD = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    side: int = 160  # px
    steps: int = 200
    batch: int = 32  # photos
    rate: float = 0.05 * 32 / 256
    heads_rate: float = 0.2
    seed: int = 1


@dataclass(frozen=True)
class Run:
    """A run's loss (0 to -1) and spreads (1: even, 0: none) of outputs and of features, each at its start and its end."""

    photos: int
    loss: tuple[float, float]
    output: tuple[float, float]
    features: tuple[float, float]

    @property
    def collapsed(self) -> bool:
        spread = self.output[1] >= LEAST_SPREAD and self.features[1] >= LEAST_SPREAD * self.features[0]
        return not (spread and np.isfinite(self.loss[1]))


def rows_of(head: str, data: Path) -> list[Row]:
    """Return the photos that may adapt features of a head: its own; for `research` those of the segmentation too.

    What shows no skin (rendered rooms) is left out.
    """
    rows, seg = heads.rows_of(head, data), data / "seg"
    if head == "research":
        rows += [row for row in training_rows(seg / "manifest.csv", seg) if row.kinds != "bg"]
        heads.require_one_share_alike(rows)
    return rows


def view(rng: np.random.Generator, photo: np.ndarray, side: int) -> np.ndarray:
    """Return a random part of a photo, (side, side, 3) uint8, under another light and by another camera."""
    area, ratio = rng.uniform(*AREA) * photo.shape[0] * photo.shape[1], np.exp(rng.uniform(*np.log(RATIO)))
    height, width = (
        min(whole, max(1, round(np.sqrt(own))))
        for whole, own in zip(photo.shape, (area / ratio, area * ratio), strict=False)
    )
    y, x = rng.integers(photo.shape[0] - height + 1), rng.integers(photo.shape[1] - width + 1)
    cut = scaled(photo[y : y + height, x : x + width], side)
    return develop(rng, cut[:, ::-1] if rng.random() < 0.5 else cut)


def adapt(backbone: nn.Module, rows: list[Row], recipe: Recipe | None = None) -> Run:
    """Teach a backbone, in place, that two views of a photo are alike; no label is read.

    Raises ForbiddenRowError, before a photo is opened, for a row that is not of `use=train`.
    """
    recipe = recipe or Recipe()
    paths = [require_train(row).path for row in rows]
    photos = [read_photo(path, LONG_SIDE) for path in paths]
    rng = np.random.default_rng(recipe.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        project, predict = _heads(backbone.num_features)
    modules, rates = (backbone, project, predict), (recipe.rate, recipe.heads_rate, recipe.heads_rate)
    optimiser = torch.optim.SGD(
        [{"params": module.parameters(), "lr": rate} for module, rate in zip(modules, rates, strict=True)],
        momentum=0.9,
        weight_decay=1e-4,
    )
    turns = -(-recipe.steps * recipe.batch // len(photos))
    order = np.concatenate([rng.permutation(len(photos)) for _ in range(turns)])
    backbone.train().to(memory_format=torch.channels_last)  # twice as fast on a CPU
    passed = []
    for step in range(recipe.steps):
        falling = (1 + np.cos(np.pi * step / recipe.steps)) / 2
        for group, rate in zip(optimiser.param_groups[:2], rates[:2], strict=True):
            group["lr"] = rate * falling
        drawn = [photos[i] for i in order[step * recipe.batch :][: recipe.batch]]
        pair = [np.stack([view(rng, photo, recipe.side) for photo in drawn]) for _ in range(2)]
        features = [backbone(normalised(torch.from_numpy(views))) for views in pair]
        outputs = [project(own) for own in features]
        loss = -sum(
            F.cosine_similarity(predict(own), other.detach()).mean() / 2
            for own, other in zip(outputs, reversed(outputs), strict=True)
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        passed.append([loss.item(), spread(torch.cat(outputs)), spread(torch.cat(features))])
        if not (step + 1) % SAID_EVERY:
            log.info(
                "step %d of %d: loss %.3f, spread %.2f, of features %.2f", step + 1, recipe.steps, *passed[-1]
            )
    backbone.eval()
    first, last = (np.mean(some, axis=0).round(4).tolist() for some in (passed[:SHOWN], passed[-SHOWN:]))
    return Run(len(rows), *zip(first, last, strict=True))


def _heads(width: int) -> tuple[nn.Module, nn.Module]:
    def layer(before: int, after: int) -> list[nn.Module]:
        return [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU()]

    last = [nn.Linear(WIDE, WIDE, bias=False), nn.BatchNorm1d(WIDE, affine=False)]
    project = nn.Sequential(*layer(width, WIDE), *layer(WIDE, WIDE), *last)
    return project, nn.Sequential(*layer(WIDE, NARROW), nn.Linear(NARROW, WIDE))


@torch.no_grad()
def spread(vectors: torch.Tensor) -> float:
    """Return the mean standard deviation of normalised vectors (N, K) by channel: 1 if even, 0 if all are the same."""
    return float(F.normalize(vectors).std(dim=0).mean() * vectors.shape[1] ** 0.5)
