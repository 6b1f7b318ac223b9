"""How well a class map agrees with a true mask: overlap, and the patches that the 80/10 rule takes from either."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from inference_worker.models.segmentation import LESION
from training.data import resize

UNKNOWN = 255
PATCH, PATCH_STEP, PATCH_LONG_SIDE = 128, 64, 640  # px; the 640x480 photos of the published method
SKIN_SHARE, LESION_SHARE = 0.80, 0.10


@dataclass(frozen=True)
class MaskScore:
    """Counts on one photo; nan where its mask cannot show it."""

    skin_iou: float
    lesion_iou: float
    patches: tuple[
        int, int, int
    ]  # that the 80/10 rule takes from both masks, the true one, the found one alone


def score_mask(found: np.ndarray, truth: np.ndarray) -> MaskScore:
    """Compare a class map with a true mask (255 = unknown), scaled to the mask's shape.

    A mask that only has lesion and unknown is one of those whose makers outlined lesions alone: the rest of
    it is not lesion, and skin and patches cannot be scored.
    """
    found = cv2.resize(found, truth.shape[::-1], interpolation=cv2.INTER_NEAREST)
    if np.isin(truth, (LESION, UNKNOWN)).all():
        return MaskScore(np.nan, iou(found == LESION, truth == LESION), (0, 0, 0))
    known = truth != UNKNOWN
    ours, theirs = patches(np.where(known, found, 0)), patches(np.where(known, truth, 0))
    return MaskScore(
        iou((found > 0) & known, (truth > 0) & known),
        iou((found == LESION) & known, (truth == LESION) & known),
        (int((ours & theirs).sum()), int((~ours & theirs).sum()), int((ours & ~theirs).sum())),
    )


def iou(found: np.ndarray, truth: np.ndarray) -> float:
    """Return intersection over union; nan if neither has a pixel."""
    union = np.count_nonzero(found | truth)
    return np.count_nonzero(found & truth) / union if union else np.nan


def patches(mask: np.ndarray) -> np.ndarray:
    """Return for each 128 px patch at long side 640, half overlapping, whether it obeys the 80/10 rule."""
    mask = resize(mask, PATCH_LONG_SIDE, cv2.INTER_NEAREST)
    skin, lesion = _shares(mask > 0), _shares(mask == LESION)
    return (skin > SKIN_SHARE) & (lesion > LESION_SHARE)


def _shares(pixels: np.ndarray) -> np.ndarray:
    total = cv2.integral(pixels.astype(np.uint8))
    rows = np.arange(0, max(1, pixels.shape[0] - PATCH + 1), PATCH_STEP)[:, None]
    columns = np.arange(0, max(1, pixels.shape[1] - PATCH + 1), PATCH_STEP)[None, :]
    low, right = np.minimum(rows + PATCH, pixels.shape[0]), np.minimum(columns + PATCH, pixels.shape[1])
    inside = total[low, right] - total[rows, right] - total[low, columns] + total[rows, columns]
    return inside / ((low - rows) * (right - columns))
