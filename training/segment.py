"""Train the segmentation network on `use=train` photos and phantoms.

    python -m training.segment --data ../shared/data --run first --minutes 60
    python -m training.segment --data ../shared/data --run first --minutes 60   # continues
    python -m training.segment publish --run first

A run lives in runs/segment/<NAME>/ (training/recipe.py).
Labels are partial (`data.Known`): each set teaches only what its makers looked at.
"""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from inference_worker.models.segmentation import CLASSES, resize_to
from inference_worker.models.torch_engine import normalised
from inference_worker.models.torch_networks import DeepLab
from training import augment, imagenet, phantom, recipe
from training.data import Known, Row, Sample, held_out, load_sample, phantom_rows, training_rows
from training.outlines import load_outlined, outlined
from training.phantom import backdrop, onto
from training.publish import publish, sources_of
from training.recipe import Run, Task, learn, saved_network

FROZEN_STAGES = 2  # of seven; they hold edges and colours that 1,100 photos cannot better
KINDS = ("full", "outlined", "wounds", "people", "rooms", "grafts", "painted", "phantoms")
DONORS = ("full", "full", "outlined", "wounds")  # whose lesions are laid on other people, as often as named
PAINTED = (0.2, 0.15, 0.15, 0.12, 0.3, 0.08)  # how often each of phantom.CONDITIONS is painted on a person
TAUGHT = ("people", "wounds")
OPEN = {  # what a partial label leaves open, and the answers it allows
    Known.SKIN_OR_LESION: (Known.SKIN, Known.LESION),
    Known.NOT_LESION: (Known.BACKGROUND, Known.SKIN),
    Known.NOTHING: (Known.BACKGROUND, Known.SKIN, Known.LESION),
}
HOST_SKIN, HOST_TRIES = 0.15, 4  # share of skin looked for
HEALTHY_SKIN_PRIOR = 0.3  # people sets: most of that skin is healthy, some is not
LONG_SIDE = 416  # px at inference; models.md: 384 to 512


@dataclass(frozen=True)
class Recipe(recipe.Recipe):
    steps: int = 3000
    batch: int = 14
    encoder_rate: float = 3e-4
    weight_decay: float = 1e-2
    crop: int = 256
    decoder_rate: float = 1e-3
    dice: float = 0.7
    full: float = 0.20
    outlined: float = 0.27
    wounds: float = 0.10
    people: float = 0.17
    rooms: float = 0.03
    grafts: float = 0.08
    painted: float = 0.12
    phantoms: float = 0.03
    anything: float = 0.0  # share of the painted rashes that are of no disease there is
    rehung: float = 0.6  # share of people who get another background
    lite: int = 0  # size of the encoder: 0 or 2 (2 can be tried, not published: the worker builds 0)
    start: str = ""  # a finished run whose network this one begins from; empty: from ImageNet
    teacher: str = ""  # a finished run that labels what the partial labels leave open (self-training)
    sure: float = 0.9  # probability from which the teacher's answer counts


class Mixture:
    """Draws batches: a share from each kind of photo, so that small, fully labelled sets count most."""

    def __init__(self, rows: list[Row], recipe: Recipe, phantoms: list[Row]) -> None:
        kinds = {"full": "bg+skin+lesion", "wounds": "lesion", "people": "bg+skin", "rooms": "bg"}
        self.samples = {
            name: [load_sample(r) for r in rows if r.kinds == kind] for name, kind in kinds.items()
        }
        self.samples["phantoms"] = [load_sample(row) for row in phantoms]
        self.samples["outlined"] = [load_outlined(row) for row in outlined(rows)]
        absent = {name: 0.0 for name in ("phantoms", "outlined") if not self.samples[name]}
        self.donors = [kind for kind in DONORS if self.samples[kind]]
        if recipe.teacher:
            teacher = finished(recipe.teacher)
            for name in TAUGHT:
                self.samples[name] = [taught(teacher, one, recipe.sure) for one in self.samples[name]]
        self.recipe = dataclasses.replace(recipe, **absent)

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return photos (B, 3, S, S) float and codes (B, S, S) long; the step alone decides which."""
        rng = self.recipe.rng(step)
        samples = [self._one(rng) for _ in range(self.recipe.batch)]
        photos = np.stack([augment.develop(rng, s.photo) for s in samples])
        return normalised(torch.from_numpy(photos)), torch.from_numpy(
            np.stack([s.known for s in samples])
        ).long()

    def _one(self, rng: np.random.Generator) -> Sample:
        shares = np.array([getattr(self.recipe, name) for name in KINDS])
        kind = rng.choice(KINDS, p=shares / shares.sum())
        if kind == "people":
            return self._person(rng)
        if kind == "painted":
            host = self._host(rng)
            if self.recipe.anything and rng.random() < self.recipe.anything:
                return augment.painted(rng, host, onto.ANYTHING)
            return augment.painted(rng, host, str(rng.choice(phantom.CONDITIONS, p=PAINTED)))
        if kind == "grafts":
            host = self._host(rng)
            for _ in range(int(rng.integers(1, 4))):
                host = augment.graft(rng, self._pick(rng, str(rng.choice(self.donors))), host)
            return host
        return augment.crop(rng, self._pick(rng, kind), self.recipe.crop)

    def _host(self, rng: np.random.Generator) -> Sample:
        """Return a person with skin enough to carry a rash, if one is met in a few tries."""
        for _ in range(HOST_TRIES):
            host = self._person(rng)
            if np.isin(host.known, (Known.SKIN, Known.SKIN_OR_LESION)).mean() > HOST_SKIN:
                break
        return host

    def _person(self, rng: np.random.Generator) -> Sample:
        """Return a crop of a person, often before another background: many were cut out and stand in black."""
        person = augment.crop(rng, self._pick(rng, "people"), self.recipe.crop)
        if rng.random() > self.recipe.rehung:
            return person
        if rng.random() < 0.5:
            behind = cv2.resize(self._pick(rng, "rooms").photo, person.known.shape[::-1])
        else:
            behind = backdrop.picture(rng, person.known.shape)
        return augment.rehang(rng, person, behind)

    def _pick(self, rng: np.random.Generator, kind: str) -> Sample:
        return self.samples[kind][rng.integers(len(self.samples[kind]))]


@torch.inference_mode()
def taught(teacher: DeepLab, sample: Sample, sure: float) -> Sample:
    """Return the sample with what its makers left open answered by the teacher, where it is sure."""
    scores = (
        teacher(normalised(torch.from_numpy(resize_to(sample.photo, LONG_SIDE)[None]))).softmax(1)[0].numpy()
    )
    height, width = sample.known.shape
    p = cv2.resize(scores.transpose(1, 2, 0), (width, height), interpolation=cv2.INTER_LINEAR)
    predicted, known = p.argmax(2), sample.known.copy()
    for code, allowed in OPEN.items():
        answered = (known == code) & (p.max(2) > sure) & np.isin(predicted, allowed)
        known[answered] = predicted[answered]
    return Sample(sample.photo, known)


def loss_of(logits: torch.Tensor, known: torch.Tensor, dice: float) -> torch.Tensor:
    """Return the partial-label loss of logits (B, 3, H, W) against `Known` codes (B, H, W).

    Each photo counts the same, however much of it is labelled. Dice is on the lesion, over the pixels of
    which lesion or not is known, in photos that have one.
    """
    log_p = F.log_softmax(logits, dim=1)
    background, skin, lesion = log_p.unbind(1)
    some_skin = torch.logaddexp(skin, lesion)
    surprise = torch.zeros_like(skin)
    for code, value in (
        (Known.BACKGROUND, -background),
        (Known.SKIN, -skin),
        (Known.LESION, -lesion),
        (Known.SKIN_OR_LESION, -some_skin - HEALTHY_SKIN_PRIOR * skin),
        (Known.NOT_LESION, -torch.logaddexp(background, skin)),
    ):
        surprise = torch.where(known == code, value, surprise)
    labelled = (known != Known.NOTHING).sum((1, 2)).clamp(min=1)
    return (surprise.sum((1, 2)) / labelled).mean() + dice * _lesion_dice(lesion.exp(), known)


def _lesion_dice(p: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    labelled = (known != Known.NOTHING) & (known != Known.SKIN_OR_LESION)
    truth = (known == Known.LESION).float()
    overlap = (p * truth).sum((1, 2))
    score = 2 * overlap / ((p * labelled).sum((1, 2)) + truth.sum((1, 2)) + 1)
    has_lesion = truth.sum((1, 2)) > 20
    return (1 - score)[has_lesion].mean() if has_lesion.any() else score.sum() * 0


def task_of(mixture: Mixture) -> Task:
    """Return what the loop needs; the network starts from another run or from ImageNet."""
    recipe, network = mixture.recipe, DeepLab(mixture.recipe.lite)
    if recipe.start:
        network.load_state_dict(finished(recipe.start, recipe.lite).state_dict())
    else:
        imagenet.load_lite(network.encoder.model, recipe.lite)
    encoder = network.encoder.model
    rest = [*network.decoder.parameters(), *network.segmentation_head.parameters()]
    return Task(
        recipe=recipe,
        network=network.to(memory_format=torch.channels_last),
        frozen=[encoder.conv_stem, encoder.bn1, *encoder.blocks[:FROZEN_STAGES]],
        rates=[(list(encoder.parameters()), recipe.encoder_rate), (rest, recipe.decoder_rate)],
        batch=mixture.batch,
        loss=lambda net, batch: loss_of(
            net(batch[0].to(memory_format=torch.channels_last)).float(), batch[1], recipe.dice
        ),
    )


def finished(name: str, lite: int = 0) -> DeepLab:
    """Return the network that a run ended with."""
    return saved_network(Run("segment", name), DeepLab(lite))[0]


def train(arguments: argparse.Namespace) -> None:
    """Train on the photos with masks, those of the classification that were outlined by hand, and phantoms."""
    run, chosen = Run("segment", arguments.run), Recipe.chosen(arguments)
    photos = training_rows(arguments.data / "seg/manifest.csv", arguments.data / "seg")
    clinical = arguments.data / "cls/manifest.csv"
    if clinical.exists():
        photos += outlined(training_rows(clinical, arguments.data / "cls"))
    phantoms = phantom_rows(arguments.scenes)
    photos, phantoms = ([row for row in rows if not held_out(row)] for rows in (photos, phantoms))
    run.describe(chosen, sources=sources_of(photos + phantoms))
    learn(run, task_of(Mixture(photos, chosen, phantoms)), arguments.minutes)


def publish_run(arguments: argparse.Namespace) -> None:
    run = Run("segment", arguments.run)
    network, steps = saved_network(run, DeepLab())
    row = row_of(arguments.version, run.read("card.json")["sources"], run.recipe_with(steps_done=steps))
    publish(network, row)


def row_of(version: str, sources: list[dict], recipe: dict) -> dict:
    """Return the row of the table of weights, but for what the file decides."""
    return {
        "name": "segmentation",
        "version": version,
        "classes": CLASSES,
        "transform": {"long_side": LONG_SIDE},
        "temperature": 1.0,
        "thresholds": {"skin": 0.8, "lesion": 0.1},  # of a box's pixels; the rule of cropping.py
        "metrics": {},
        "licences": [f"{s['source']} ({s['photos']}): {s['licence']}" for s in sources],
        "recipe": recipe,
        "demonstration": False,
    }


def main(argv: list[str] | None = None) -> None:
    recipe.command(__doc__, Recipe, train, publish_run, argv)


if __name__ == "__main__":
    main()
