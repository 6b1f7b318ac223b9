"""The arms that are compared: one photo, looked at in four ways by the same network.

original              the whole photo
true crop             the squares of the true mask that obey the 80/10 rule, or a dermatologist's
automatic crop        the squares of the network's mask that obey it; the published method
herpes first          whole photo and automatic crops, HI by the maximum over all: what teleder does
"""

from __future__ import annotations

import numpy as np

from contract.messages import Box
from inference_worker.models.classification import CONDITIONS, HI, Classifier, aggregate, calibrated, crops_of

ORIGINAL, TRUE_CROP, AUTOMATIC, HERPES_FIRST = "original", "true crop", "automatic crop", "herpes first"
ARMS = (ORIGINAL, TRUE_CROP, AUTOMATIC, HERPES_FIRST)
FOUR = CONDITIONS[:4]  # AD, HI, IM, MF: what the published method tells apart

Looks = dict[str, np.ndarray | None]


def looks(photo: np.ndarray, true_boxes: list[Box], boxes: list[Box], classifier: Classifier) -> Looks:
    """Return the probabilities (5,) of each arm; None where that arm has no crop to look at."""
    logits = classifier.logits(crops_of(photo, [*boxes, *true_boxes]))
    by_view = calibrated(logits, classifier.weights.temperature)
    seen = by_view[: 1 + len(boxes)]
    return {
        ORIGINAL: by_view[0],
        TRUE_CROP: _mean(by_view[1 + len(boxes) :]),
        AUTOMATIC: _mean(seen[1:]),
        HERPES_FIRST: aggregate(seen),
    }


def _mean(by_view: np.ndarray) -> np.ndarray | None:
    return by_view.mean(axis=0) if len(by_view) else None


def answer(probabilities: np.ndarray | None, herpes_from: float | None = None) -> str:
    """Return the likeliest of the four, "" without a look; HI as soon as it reaches `herpes_from`, if given."""
    if probabilities is None:
        return ""
    if herpes_from is not None and probabilities[HI] >= herpes_from:
        return "HI"
    return FOUR[int(probabilities[: len(FOUR)].argmax())]
