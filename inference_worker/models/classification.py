"""Compares a rash with AD, HI, IM, MF and other, from the whole photo and its crops; sounds an alarm, or abstains.

One linear layer reads the features of a network that saw everyday photos only. A photo's features are the mean of the
whole photo's and of the crops' mean (without a crop the whole photo's). The layer is linear, so the joint logits
are the same mean of the views' logits.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from contract.alarms import Alarm, Condition
from contract.messages import Abstention, Box, Classified, View
from inference_worker.models.engine import Engine
from inference_worker.models.weights import Weights

SIDE = 224  # px
FEATURES = 1280
CLASSES = ("AD", "HI", "IM", "MF", "OTHER", "NORMAL")  # of the network; healthy skin is reported as OTHER
CONDITIONS = tuple(condition.value for condition in Condition)
HI = CONDITIONS.index("HI")
RUN_LIMIT = 32  # views a run; a batch of photos with many crops must not fill the memory


@dataclass(frozen=True)
class Evidence:
    """What each field of the views adds to each class: over a view's fields `fields` (N, 7, 7, 6) sum to `logits` (N, 6),
    but for the layer's bias."""

    fields: np.ndarray
    logits: np.ndarray


class Classifier:
    """Gives probabilities and alarms for upright RGB photos and the boxes cut from them."""

    def __init__(self, weights: Weights, engine: Engine) -> None:
        self.weights, self.device = weights, f"{engine.name} on {engine.device}"
        self._run = engine.features(weights)
        parameters = weights.parameters()
        self._weight, self._bias, self._means = (
            parameters[name].astype(np.float64) for name in ("head.weight", "head.bias", "means")
        )

    def __call__(self, photos: Sequence[np.ndarray], boxes: Sequence[Sequence[Box]]) -> list[Classified]:
        """Classify each photo (H, W, 3) uint8 with its own boxes, which lie inside it."""
        return [found for found, _evidence in self.with_evidence(photos, boxes)]

    def with_evidence(
        self, photos: Sequence[np.ndarray], boxes: Sequence[Sequence[Box]]
    ) -> list[tuple[Classified, Evidence]]:
        """Return findings as of `__call__`, each with what a map of its views is drawn from."""
        started = time.perf_counter()
        views = [crops_of(photo, own) for photo, own in zip(photos, boxes, strict=True)]
        ends = np.cumsum([len(group) for group in views])[:-1]
        by_photo = np.split(self.feature_maps(np.concatenate(views)), ends)
        seconds = (time.perf_counter() - started) / len(photos)
        return [
            (self.classify(features_of(maps), seconds), evidence_of(maps, self._weight, self._bias))
            for maps in by_photo
        ]

    def feature_maps(self, views: np.ndarray) -> np.ndarray:
        """Return the network's last feature map (N, 1280, 7, 7) float32 of views (N, 224, 224, 3) uint8."""
        return np.concatenate([self._run(views[i : i + RUN_LIMIT]) for i in range(0, len(views), RUN_LIMIT)])

    def classify(self, features: np.ndarray, seconds: float = 0.0) -> Classified:
        """Return the finding on a photo by the features (1 + crops, 1280) of the whole, row 0, and of its crops."""
        own, joint = self.weights, pooled(features)
        by_view = [self._named(view) for view in self.probabilities(features)]
        probabilities = self._named(self.probabilities(joint[None])[0])
        alarms = tuple(
            Alarm(
                condition=Condition(name), score=probabilities[name], threshold=own.thresholds[name], **worth
            )
            for name, worth in own.alarm_figures().items()
        )
        far = distance(joint, self._means) > own.scope_distance
        abstention = Abstention.OUT_OF_SCOPE if far else Abstention.UNCERTAIN
        return Classified(
            probabilities=probabilities,
            views=tuple(View(box=i - 1 if i else None, probabilities=p) for i, p in enumerate(by_view)),
            thresholds=dict(own.thresholds),
            top=None,
            # An alarm is judged before scope: doubt about the photo never hides herpes.
            abstention=None if any(alarm.rings for alarm in alarms) else abstention,
            demonstration=own.demonstration,
            alarms=alarms,
            model=own.ref,
            device=self.device,
            seconds=seconds,
        )

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return probabilities (N, 5) in the order of CONDITIONS for features (N, 1280)."""
        return softmax(features.astype(np.float64) @ self._weight.T + self._bias)

    def _named(self, probabilities: np.ndarray) -> dict[str, float]:
        """Return the probabilities by condition, without those of which the weights have seen no photo."""
        named = zip(CONDITIONS, probabilities, strict=True)
        return {name: round(float(p), 6) for name, p in named if name in self.weights.classes}


def crops_of(photo: np.ndarray, boxes: Sequence[Box], side: int = SIDE) -> np.ndarray:
    """Return the whole photo, then each box's crop, scaled to (1 + boxes, side, side, 3) uint8."""
    crops = [photo[box.y : box.y + box.height, box.x : box.x + box.width] for box in boxes]
    return np.stack([scaled(view, side) for view in [photo, *crops]])


def scaled(view: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Return a view squeezed to (side, side, 3)."""
    if not view.size:
        raise ValueError("a box lies outside its photo")
    smaller = max(view.shape) > side
    return cv2.resize(view, (side, side), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def features_of(maps: np.ndarray) -> np.ndarray:
    """Return the features (N, 1280) float64 of feature maps (N, 1280, h, w): their mean."""
    return maps.mean(axis=(2, 3), dtype=np.float64)


def evidence_of(maps: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> Evidence:
    """Return what feature maps (N, 1280, h, w) add to the logits of a layer, weight (6, 1280) and bias (6,)."""
    fields = np.moveaxis(maps, 1, 3).astype(np.float64) @ weight.T / (maps.shape[2] * maps.shape[3])
    return Evidence(fields, fields.sum(axis=(1, 2)) + bias)


def pooled(features: np.ndarray) -> np.ndarray:
    """Return the features (1280,) of a photo: the mean of the whole's, row 0, and of its crops' mean."""
    whole = features[0].astype(np.float64)
    return (whole + features[1:].mean(axis=0, dtype=np.float64)) / 2 if len(features) > 1 else whole


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities (N, 5) in the order of CONDITIONS from logits (N, 6)."""
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    probabilities = share[:, : len(CONDITIONS)].copy()
    probabilities[:, -1] += share[:, len(CONDITIONS) :].sum(axis=1)
    return probabilities


def distance(features: np.ndarray, means: np.ndarray) -> float:
    """Return how far features (1280,) point from the nearest class's mean of `means` (6, 1280): 1 - cosine.

    A class without a photo has the mean 0. Single photos are not kept: weights of a clinic must not hold its patients'.
    """
    lengths = np.linalg.norm(means, axis=1) * np.linalg.norm(features)
    return float(1 - (means @ features / np.maximum(lengths, 1e-12)).max())
