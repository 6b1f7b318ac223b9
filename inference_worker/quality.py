"""Judges whether a photo is good enough to be read: light, sharpness, glare, and whether it is a photo at all.

Each fault has one remedy. The limits were set on 406 clinical and everyday photos of the `train` and
`experiment` rows and on the same photos made darker, brighter and blurred.
A photo that fails may still be sent: the check asks, it does not refuse.
"""

from __future__ import annotations

import cv2
import numpy as np

from contract.photos import QualityFault

LONG_SIDE = 768  # px; all limits are for this size
TILES = 8  # a side
DARK_HIGHLIGHTS = 90  # grey level that 5 % of the pixels must reach
WHITE = 250  # of 255 in all three channels: nothing is left to see there
BRIGHT_SHARE = 0.4  # of the pixels that are white
GLARE_SHARE = 0.04  # of the pixels in one white spot inside the picture
# Blurred: (less detail than this, more smear than that). Detail is the contrast, in grey levels, of the
# finest structure in the sharpest part; healthy skin may be smooth and sharp, so that detail alone says little.
BLURRED = ((1.6, 0.0), (3.5, 0.65), (20.0, 0.79))
CONTRAST = 6.0  # grey levels: standard deviation
FLAT_SHARE = 0.75  # of 8 x 8 blocks without any structure: a drawing or a screen shot, no camera


def judge(photo: np.ndarray) -> tuple[dict[str, float], QualityFault | None]:
    """Return what was measured in an upright photo (H, W, 3) uint8, and the first fault by weight, if any."""
    small = _small(photo)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    white = small.min(axis=2) >= WHITE
    measured = {
        "highlights": float(np.percentile(grey, 95)),
        "white": float(white.mean()),
        "glare": _largest_spot(white),
        "contrast": float(grey.std()),
        "flat": _flat_share(grey),
        "detail": _detail(grey),
        "smear": _smear(grey),
    }
    return {name: round(value, 4) for name, value in measured.items()}, _fault(measured)


def _fault(measured: dict[str, float]) -> QualityFault | None:
    if measured["highlights"] < DARK_HIGHLIGHTS:
        return QualityFault.TOO_DARK
    if measured["white"] > BRIGHT_SHARE:
        return QualityFault.TOO_BRIGHT
    if measured["contrast"] < CONTRAST or measured["flat"] > FLAT_SHARE:
        return QualityFault.NOT_A_PHOTO
    if any(measured["detail"] < detail and measured["smear"] > smear for detail, smear in BLURRED):
        return QualityFault.BLURRED
    if measured["glare"] > GLARE_SHARE:
        return QualityFault.GLARE
    return None


def _small(photo: np.ndarray) -> np.ndarray:
    scale = LONG_SIDE / max(photo.shape[:2])
    if scale >= 1:
        return photo
    height, width = (max(TILES, round(side * scale)) for side in photo.shape[:2])
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)


def _largest_spot(white: np.ndarray) -> float:
    """Return the share of the largest white area that does not touch the border: there it is the background."""
    _count, _labels, stats, _centres = cv2.connectedComponentsWithStats(white.astype(np.uint8))
    height, width = white.shape
    inside = [area for x, y, w, h, area in stats[1:] if x > 0 and y > 0 and x + w < width and y + h < height]
    return float(max(inside, default=0) / white.size)


def _flat_share(grey: np.ndarray) -> float:
    blocks = _blocks(grey, 8)
    return float((blocks.max(axis=(1, 3)) == blocks.min(axis=(1, 3))).mean())


def _blocks(grey: np.ndarray, side: int) -> np.ndarray:
    """Return the view (rows, side, columns, side); what does not fill a block is left out."""
    rows, columns = (length // side for length in grey.shape)
    return grey[: rows * side, : columns * side].reshape(rows, side, columns, side)


def _detail(grey: np.ndarray) -> float:
    """Return the deviation of the Laplacian in the sharpest of 8 x 8 tiles: skin around may well be smooth."""
    fine = cv2.Laplacian(grey.astype(np.float32), cv2.CV_32F)
    height, width = (length // TILES * TILES for length in grey.shape)
    tiles = fine[:height, :width].reshape(TILES, height // TILES, TILES, width // TILES)
    return float(tiles.std(axis=(1, 3)).max())


def _smear(grey: np.ndarray) -> float:
    """Return how much of the change along one direction survives a blur across it, 0 sharp to 1.

    After Crete et al. 2007, who blur along the same direction. Across it, a moved camera is found as well,
    because it leaves streaks (99 of 100 instead of 19). The worse of the two directions counts.
    """
    pixels = grey.astype(np.float32)
    return max(_smear_along(pixels, axis) for axis in (0, 1))


def _smear_along(pixels: np.ndarray, axis: int) -> float:
    blurred = cv2.blur(pixels, (9, 1) if axis == 0 else (1, 9))  # (width, height)
    before = np.abs(np.diff(pixels, axis=axis))
    lost = np.maximum(0, before - np.abs(np.diff(blurred, axis=axis))).sum()
    return float(1 - lost / max(before.sum(), 1e-6))
