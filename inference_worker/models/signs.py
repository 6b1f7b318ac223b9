"""Signs without a diagnosis: how much, how red, crusted, scattered and sharply edged a lesion is.

Measured from a photo and its class map, against the skin of the same photo, so that tone and light matter less.
What each is worth as a hint is measured by `python -m training.signs`. The bounds below are set by the colour of
crusts in textbooks, not fitted to photos.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from contract.signs import MeasuredSign, SignName
from inference_worker.models.segmentation import LESION, SKIN

LONG_SIDE = 512  # px at which is measured: noise and hairs average out, a crust of 1 % of the side stays
LEAST_PIXELS = 200  # of lesion, and of own skin; fewer have no colour worth a number
YELLOWER = 8  # CIELAB b* above own skin
YELLOW_HUE = 50  # degrees from a* towards b*: honey is about 70, redness 35
DARKER = 0.6  # of own skin's lightness: blood crusts
SPECK_SHARE = 0.0005  # of the skin; smaller patches are no lesions of their own
RIM = 5  # px on each side of the edge: 1 % of the long side
SURROUND = 10  # px around a lesion that are not own skin: they are often red too
NEARER = 0.06  # of each side, cut off for the second repetition
Measured = dict[SignName, float]
Segment = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


def signs_of(photo: np.ndarray, mask: np.ndarray, segment: Segment) -> tuple[MeasuredSign, ...]:
    """Measure a photo (H, W, 3) uint8 with its class map (H, W) uint8.

    The error is found by segmenting the photo twice more, mirrored and from a little nearer. A sign that cannot be
    measured each time is left out; without lesion there is none, and nothing is segmented again.
    """
    if not (mask == LESION).any():
        return ()
    height, width = photo.shape[:2]
    rows, columns = (slice(round(side * NEARER), side - round(side * NEARER)) for side in (height, width))
    again = [np.ascontiguousarray(photo[:, ::-1]), np.ascontiguousarray(photo[rows, columns])]
    repeated = [measure(*pair) for pair in zip(again, segment(again), strict=True)]
    return tuple(
        MeasuredSign(
            name=name,
            value=round(value, 4),
            error=round(max(abs(each[name] - value) for each in repeated), 4),
        )
        for name, value in measure(photo, mask).items()
        if all(name in each for each in repeated)
    )


def measure(photo: np.ndarray, mask: np.ndarray) -> Measured:
    """Return the signs that a photo (H, W, 3) uint8 and its class map (H, W) uint8 allow to measure."""
    scale = min(1.0, LONG_SIDE / max(mask.shape))
    size = tuple(max(1, round(side * scale)) for side in mask.shape[::-1])
    mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    lesion, all_skin = mask == LESION, np.count_nonzero(mask)
    if np.count_nonzero(lesion) < LEAST_PIXELS:
        return {}
    sizes = _sizes(lesion, SPECK_SHARE * all_skin)
    found = {
        SignName.LESION_SHARE: float(np.count_nonzero(lesion) / all_skin),
        SignName.LESIONS: float(len(sizes)),
    }
    if sizes.size:
        found[SignName.LESION_SIZE] = float(np.median(sizes) / all_skin)
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return found | _colours(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), lesion, mask == SKIN)


def _sizes(lesion: np.ndarray, least: float) -> np.ndarray:
    """Return the area in pixels of each separate lesion."""
    _count, _labels, patches, _centres = cv2.connectedComponentsWithStats(lesion.astype(np.uint8))
    areas = patches[1:, cv2.CC_STAT_AREA]
    return areas[areas >= least]


def _colours(lab: np.ndarray, lesion: np.ndarray, skin: np.ndarray) -> Measured:
    """Return the signs that compare the lesion's colours (H, W, 3) CIELAB with those of own skin; none without it."""
    away = skin & ~_grown(lesion, SURROUND)
    own = away if np.count_nonzero(away) >= LEAST_PIXELS else skin
    if np.count_nonzero(own) < LEAST_PIXELS:
        return {}
    lightness, red, yellow = np.median(lab[own], axis=0)
    inside = lab[lesion]
    hue = np.degrees(np.arctan2(inside[:, 2], inside[:, 1]))
    found = {
        SignName.REDNESS: float(np.median(inside[:, 1]) - red),
        SignName.YELLOW_CRUST: float(((inside[:, 2] >= yellow + YELLOWER) & (hue >= YELLOW_HUE)).mean()),
        SignName.DARK_CRUST: float((inside[:, 0] <= DARKER * lightness).mean()),
    }
    inner, outer = lesion & _grown(skin, RIM), skin & _grown(lesion, RIM)
    if min(np.count_nonzero(inner), np.count_nonzero(outer)) >= LEAST_PIXELS:
        step = lab[inner].mean(axis=0) - lab[outer].mean(axis=0)
        found[SignName.EDGE] = float(np.linalg.norm(step))
    return found


def _grown(area: np.ndarray, by: int) -> np.ndarray:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    return cv2.dilate(area.astype(np.uint8), kernel) > 0
