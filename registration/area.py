"""How much the area of a lesion changed between two photos of one place, with an error bar, or why it is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from registration.alignment import (
    DETECTORS,
    LESION,
    Alignment,
    NotComparable,
    align,
    local_area,
    working_copy,
)

LEAST_LESION = 100  # px at LONG_SIDE; the border of a smaller one is most of it
LEAST_SEEN = 0.5  # of the lesion of either photo, that the other one's view holds
HALVES = 6  # draws of half of the landmarks: how far the area depends on which were found
# Both set on 23 photos that may be trained on, so that 22 of 23 true changes lie within the bar.
PLANE_SIGMA = 0.05  # of the log area: no place of skin is as flat as a homography takes it
LOOKS_FACTOR = 2.0  # looks of one network err together, so that they disagree less than they err
Z = 1.96  # two-sided 95 %


@dataclass(frozen=True)
class Change:
    """The lesion's area in the second photo over that in the first, both in the first photo's plane.

    Only what both photos show is counted: `seen` is how much of the lesion that is, the lower share of the two. `low`
    and `high` are the 95 % error bar. `warped` (H, W) float32 0 to 1 is the second lesion in the first photo at
    LONG_SIDE.
    """

    ratio: float
    low: float
    high: float
    seen: float
    warped: np.ndarray
    alignment: Alignment


def area_change(
    first: np.ndarray,
    second: np.ndarray,
    first_masks: Sequence[np.ndarray],
    second_masks: Sequence[np.ndarray],
    detector: str = DETECTORS[0],
) -> Change | NotComparable:
    """Compare a lesion in two upright photos (H, W, 3) uint8 RGB of perhaps the same place.

    `first_masks` and `second_masks` hold class maps (H, W) uint8 of the photo: the first is the one that counts, the
    others are further looks of the segmentation, whose disagreement is part of the error bar. With one map each, the
    bar tells of the registration and of a border a pixel off alone, and is too short.
    """
    ones = [working_copy(first, mask) for mask in first_masks]
    others = [working_copy(second, mask) for mask in second_masks]
    (first, one), (second, other) = ones[0], others[0]
    if not (one.any() and other.any()):
        return NotComparable.NO_SKIN
    lesions = one == LESION, other == LESION
    if min(np.count_nonzero(lesion) for lesion in lesions) < LEAST_LESION:
        return NotComparable.NO_LESION
    alignment = align(first, second, one, other, detector)
    if isinstance(alignment, NotComparable):
        return alignment
    matrix, size = alignment.matrix, one.shape[::-1]
    common = cv2.warpPerspective(np.ones(other.shape, np.float32), matrix, size)
    before = [float(common[mask == LESION].sum()) for _photo, mask in ones]
    warped = [
        cv2.warpPerspective((mask == LESION).astype(np.float32), matrix, size) for _photo, mask in others
    ]
    after = [float(lesion.sum()) for lesion in warped]
    shown = local_area(matrix, lesions[1]).sum()
    seen = min(before[0] / np.count_nonzero(lesions[0]), after[0] / shown)
    if seen < LEAST_SEEN:
        return NotComparable.LITTLE_OVERLAP
    ratio = after[0] / before[0]
    variance = PLANE_SIGMA**2 + _of_registration(alignment, lesions[1])
    for lesion, areas in zip(lesions, (before, after), strict=True):
        wider = cv2.dilate(lesion.astype(np.uint8), np.ones((3, 3), np.uint8))
        half_a_pixel = np.log(np.count_nonzero(wider) / np.count_nonzero(lesion)) / 2
        variance += half_a_pixel**2
        if len(areas) > 1:
            variance += LOOKS_FACTOR**2 * np.log(np.maximum(areas, 1)).var(ddof=1)
    reach = np.exp(Z * np.sqrt(variance))
    return Change(ratio, ratio / reach, ratio * reach, min(1.0, float(seen)), warped[0], alignment)


def _of_registration(alignment: Alignment, lesion: np.ndarray) -> float:
    """Return the variance of the lesion's log area: a jackknife that leaves out half of the landmarks each time."""
    rng, (ones, others) = np.random.default_rng(1), alignment.landmarks
    whole, found = local_area(alignment.matrix, lesion).sum(), []
    for _ in range(HALVES):
        some = rng.permutation(len(ones))[: (len(ones) + 1) // 2]
        matrix, _mask = cv2.findHomography(others[some], ones[some], 0)
        found.append(np.inf if matrix is None else np.log(local_area(matrix, lesion).sum() / whole))
    return float(np.mean(np.square(found)))
