"""The arms that are compared: one photo, looked at in four ways by the same network.

original              the whole photo
true crop             the squares of the true mask that obey the 80/10 rule, or a dermatologist's
automatic crop        the squares of the network's mask that obey it; the published method
joint                 the mean of the whole photo and of its automatic crops' mean: what teleder does
"""

from __future__ import annotations

import numpy as np

from contract.messages import Box
from inference_worker.models.classification import CONDITIONS, HI, Classifier, crops_of, features_of, pooled

ORIGINAL, TRUE_CROP, AUTOMATIC, JOINT = "original", "true crop", "automatic crop", "joint"
ARMS = (ORIGINAL, TRUE_CROP, AUTOMATIC, JOINT)
FOUR = CONDITIONS[:4]  # AD, HI, IM, MF: what the published method distinguishes

Looks = dict[str, np.ndarray | None]


def looks(photo: np.ndarray, true_boxes: list[Box], boxes: list[Box], classifier: Classifier) -> Looks:
    """Return the probabilities (5,) of each arm; None where that arm has no crop to look at."""
    features = features_of(classifier.feature_maps(crops_of(photo, [*boxes, *true_boxes])))
    seen, true = features[: 1 + len(boxes)], features[1 + len(boxes) :]
    found = {ORIGINAL: seen[0], JOINT: pooled(seen)}
    found |= {TRUE_CROP: true.mean(axis=0)} if len(true) else {}
    found |= {AUTOMATIC: seen[1:].mean(axis=0)} if boxes else {}
    return {arm: classifier.probabilities(found[arm][None])[0] if arm in found else None for arm in ARMS}


def answer(probabilities: np.ndarray | None, herpes_from: float | None = None) -> str:
    """Return the likeliest of the four, "" without a look; HI as soon as it reaches `herpes_from`, if given."""
    if probabilities is None:
        return ""
    if herpes_from is not None and probabilities[HI] >= herpes_from:
        return "HI"
    return FOUR[int(probabilities[: len(FOUR)].argmax())]
