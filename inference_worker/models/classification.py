"""Classifies a rash as AD, HI, IM, MF or other from the whole photo and its crops, or abstains.

The aggregate is herpes first. HI is the maximum over the whole photo and every crop, because the 80/10
rule drops scattered small blisters and one crop that shows them is enough. The other conditions are the
mean over the crops (over the whole photo where there is none), scaled to what HI leaves, so that the sum
stays 1.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import timm
from torch import nn

from contract.messages import Abstention, Box, Classified, Condition, View
from inference_worker.models.engine import TorchEngine
from inference_worker.models.weights import Weights

SIDE = 224  # px
CLASSES = ("AD", "HI", "IM", "MF", "OTHER", "NORMAL")  # of the network; healthy skin is reported as OTHER
CONDITIONS = tuple(condition.value for condition in Condition)
HI = CONDITIONS.index("HI")
RUN_LIMIT = 32  # views a run; a batch of photos with many crops must not fill the memory


def build() -> nn.Module:
    """Return an EfficientNet-Lite0 with untrained weights; logits (B, 6) of photos (B, 3, 224, 224)."""
    return timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=len(CLASSES))


class Classifier:
    """Gives calibrated probabilities for upright RGB photos and the boxes cut from them."""

    def __init__(self, weights: Weights, engine: TorchEngine) -> None:
        self.weights, self.device = weights, engine.device
        self.network = weights.load_into(build())
        self._run = engine.prepare_model(self.network)

    def __call__(self, photos: Sequence[np.ndarray], boxes: Sequence[Sequence[Box]]) -> list[Classified]:
        """Classify each photo (H, W, 3) uint8 with its own boxes, which lie inside it."""
        started = time.perf_counter()
        views = [crops_of(photo, own) for photo, own in zip(photos, boxes, strict=True)]
        logits = self.logits(np.concatenate(views))
        ends = np.cumsum([len(group) for group in views])[:-1]
        seconds = (time.perf_counter() - started) / len(photos)
        findings = []
        for own in np.split(logits, ends):
            by_view = calibrated(own, self.weights.temperature)
            joint = aggregate(by_view)
            top, abstention = decide(joint, own[0], self.weights)
            findings.append(
                Classified(
                    probabilities=_named(joint),
                    views=tuple(
                        View(box=i - 1 if i else None, probabilities=_named(p)) for i, p in enumerate(by_view)
                    ),
                    thresholds=dict(self.weights.thresholds),
                    top=top,
                    abstention=abstention,
                    demonstration=self.weights.demonstration,
                    model=self.weights.ref,
                    device=self.device,
                    seconds=seconds,
                )
            )
        return findings

    def logits(self, views: np.ndarray) -> np.ndarray:
        """Return the network's logits (N, 6) for views (N, 224, 224, 3) uint8."""
        return np.concatenate([self._run(views[i : i + RUN_LIMIT]) for i in range(0, len(views), RUN_LIMIT)])


def crops_of(photo: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Return the whole photo, then each box's crop, scaled to (1 + boxes, 224, 224, 3) uint8."""
    crops = [photo[box.y : box.y + box.height, box.x : box.x + box.width] for box in boxes]
    return np.stack([scaled(view) for view in [photo, *crops]])


def scaled(view: np.ndarray) -> np.ndarray:
    """Return a view squeezed to (224, 224, 3)."""
    if not view.size:
        raise ValueError("a box lies outside its photo")
    smaller = max(view.shape) > SIDE
    return cv2.resize(view, (SIDE, SIDE), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def calibrated(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Return probabilities (N, 5) in the order of CONDITIONS from logits (N, 6)."""
    scaled = logits.astype(np.float64) / temperature
    share = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    probabilities = share[:, : len(CONDITIONS)].copy()
    probabilities[:, -1] += share[:, len(CONDITIONS) :].sum(axis=1)
    return probabilities


def aggregate(by_view: np.ndarray) -> np.ndarray:
    """Return one distribution (5,) from that of the whole photo, row 0, and of its crops (1 + crops, 5)."""
    mean = (by_view[1:] if len(by_view) > 1 else by_view).mean(axis=0)
    herpes = by_view[:, HI].max()
    joint = mean * (1 - herpes) / max(1e-12, 1 - mean[HI])
    joint[HI] = herpes
    return joint


def decide(
    joint: np.ndarray, whole: np.ndarray, weights: Weights
) -> tuple[Condition | None, Abstention | None]:
    """Return the condition to name, or the reason to name none.

    `whole` is the logits of the whole photo. A photo unlike all that the network learnt from raises little
    energy (Liu et al. 2020, arXiv 2010.03759) and is out of scope. A condition is named when the
    prediction set holds it alone; while HI reaches its low threshold, which is there to raise suspicion, nothing harmless is.
    """
    bounds = weights.thresholds
    if energy(whole, weights.temperature) < bounds["energy"]:
        return None, Abstention.OUT_OF_SCOPE
    top = Condition(CONDITIONS[int(joint.argmax())])
    suspected = joint[HI] >= bounds["HI"] and top != Condition.HI
    unsure = prediction_set(joint, bounds) != {top} or joint.max() < bounds["named"]
    return (None, Abstention.UNCERTAIN) if suspected or unsure else (top, None)


def prediction_set(joint: np.ndarray, bounds: Mapping[str, float]) -> set[Condition]:
    """Return the conformal set: the conditions that cannot be ruled out.

    Class-conditional (Vovk 2012): of calibration photos of a condition, at most the promised share fell
    below its bound. The promise holds for photos like those, not for others.
    """
    named = zip(CONDITIONS, joint, strict=True)
    return {Condition(name) for name, p in named if p >= bounds[f"conformal.{name}"]}


def energy(logits: np.ndarray, temperature: float) -> float:
    """Return T log sum exp(logits / T): high where the network has seen something like it."""
    scaled = logits.astype(np.float64) / temperature
    return float(temperature * (scaled.max() + np.log(np.exp(scaled - scaled.max()).sum())))


def _named(probabilities: np.ndarray) -> dict[str, float]:
    return {name: round(float(p), 6) for name, p in zip(CONDITIONS, probabilities, strict=True)}
