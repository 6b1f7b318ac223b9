"""Finds background, skin and lesion in a photo (DeepLabv3+, Chen et al. 2018, on EfficientNet-Lite0).

A photo from far away is looked at twice: as a whole, and then where its skin is. The network sees every picture at
one size, so that a lesion in a photo from four times as far has a sixteenth of the pixels; the second look gives
them back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import cv2
import numpy as np

from inference_worker.models.engine import Engine
from inference_worker.models.weights import Weights

STRIDE = 16  # of the network: sides must divide by it
CLASSES = ("background", "skin", "lesion")
BACKGROUND, SKIN, LESION = range(3)
NEAR_SHARE = 0.55  # of the frame; where skin's bounding box fills less, it is looked at again
MARGIN = 0.1  # of the bounding box's longer side, on each side of it
SPECK_SHARE = 0.05  # of the largest patch of skin; smaller patches do not widen the bounding box


class Segmenter:
    """Finds skin and lesion in upright RGB photos.

    A photo's class map does not depend on the others of its batch: only photos of one shape share a run.
    """

    def __init__(self, weights: Weights, engine: Engine) -> None:
        self.model, self.device = weights.ref, engine.device
        self.long_side = weights.transform["long_side"]
        self._run = engine.segmentation(weights)

    def __call__(self, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return for each photo (H, W, 3) uint8 the class of each pixel, (H, W) uint8: see CLASSES."""
        return self.second_look(photos, self.first_look(photos))

    def second_look(self, photos: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the class maps of a first look, with skin that is far away looked at once more."""
        found = list(masks)
        areas = {index: area for index, mask in enumerate(masks) if (area := area_to_look_at_again(mask))}
        nearer = self.first_look([photos[index][area] for index, area in areas.items()])
        for (index, area), mask in zip(areas.items(), nearer, strict=True):
            if mask.any():  # a second look that finds no skin has lost it
                found[index] = masks[index].copy()
                found[index][area] = mask
        return found

    def first_look(self, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return class maps as of `__call__`, from photos seen once and as a whole."""
        pairs = zip(self.scores(photos), photos, strict=True)
        return [class_map(score, photo.shape[1::-1]) for score, photo in pairs]

    def scores(self, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the logits (3, h, w) float32 at the size the network looked at."""
        small = [resize_to(photo, self.long_side) for photo in photos]
        of_shape = defaultdict(list)
        for index, photo in enumerate(small):
            of_shape[photo.shape].append(index)
        scores: dict[int, np.ndarray] = {}
        for indices in of_shape.values():
            scores.update(zip(indices, self._run(np.stack([small[i] for i in indices])), strict=True))
        return [scores[index] for index in range(len(small))]


def class_map(scores: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the best class (H, W) uint8 of logits (3, h, w) enlarged to a size (W, H); of equal ones the first.

    The same as an argmax over the enlarged logits, in a third of its time: borders stay where they are drawn best.
    """
    background, skin, lesion = (cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in scores)
    found = (skin > background).astype(np.uint8)
    found[lesion > cv2.max(background, skin)] = LESION
    return found


def area_to_look_at_again(mask: np.ndarray) -> tuple[slice, slice] | None:
    """Return the part of a class map (H, W) that its skin fills, with a margin; None if skin is near or absent."""
    count, _labels, patches, _centres = cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8))
    if count == 1:
        return None
    patches = patches[1:]
    patches = patches[patches[:, cv2.CC_STAT_AREA] >= SPECK_SHARE * patches[:, cv2.CC_STAT_AREA].max()]
    left, top = patches[:, cv2.CC_STAT_LEFT].min(), patches[:, cv2.CC_STAT_TOP].min()
    right = (patches[:, cv2.CC_STAT_LEFT] + patches[:, cv2.CC_STAT_WIDTH]).max()
    bottom = (patches[:, cv2.CC_STAT_TOP] + patches[:, cv2.CC_STAT_HEIGHT]).max()
    if (right - left) * (bottom - top) >= NEAR_SHARE * mask.size:
        return None
    margin = round(MARGIN * max(right - left, bottom - top))
    rows, columns = slice(max(0, top - margin), bottom + margin), slice(max(0, left - margin), right + margin)
    return rows, columns


def resize_to(photo: np.ndarray, long_side: int) -> np.ndarray:
    """Scale a photo to this long side, both sides rounded to what the network's stride divides."""
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8:
        raise ValueError(f"needs an RGB photo (H, W, 3) uint8, not {photo.shape} {photo.dtype}")
    scale = long_side / max(photo.shape)
    height, width = (max(STRIDE, round(side * scale / STRIDE) * STRIDE) for side in photo.shape[:2])
    smaller = scale < 1
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
