"""Assesses whether a photo is good enough to be read: light, sharpness, glare, and whether it is a photo at all.

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


def assess_quality(photo: np.ndarray) -> tuple[dict[str, float], QualityFault | None]:
    """Return what was measured in an upright photo (H, W, 3) uint8, and the most serious fault, if any."""
    scale = min(1.0, LONG_SIDE / max(photo.shape[:2]))
    height, width = (max(TILES, round(side * scale)) for side in photo.shape[:2])
    small = photo if scale == 1 else cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    white = small.min(axis=2) >= WHITE
    blocks = _tiles(grey, 8, 8)
    # The sharpest tile counts: skin around it may well be smooth.
    laplacian = cv2.Laplacian(grey.astype(np.float32), cv2.CV_32F)
    tiles = _tiles(laplacian, grey.shape[0] // TILES, grey.shape[1] // TILES)[:TILES, :, :TILES]
    measured = {
        "highlights": float(np.percentile(grey, 95)),
        "white": float(white.mean()),
        "glare": _largest_spot(white),
        "contrast": float(grey.std()),
        "flat": float((blocks.max(axis=(1, 3)) == blocks.min(axis=(1, 3))).mean()),
        "detail": float(tiles.std(axis=(1, 3)).max()),
        "smear": _smear(grey),
    }
    faults = {  # the most serious first
        QualityFault.TOO_DARK: measured["highlights"] < DARK_HIGHLIGHTS,
        QualityFault.TOO_BRIGHT: measured["white"] > BRIGHT_SHARE,
        QualityFault.NOT_A_PHOTO: measured["contrast"] < CONTRAST or measured["flat"] > FLAT_SHARE,
        QualityFault.BLURRED: any(
            measured["detail"] < detail and measured["smear"] > smear for detail, smear in BLURRED
        ),
        QualityFault.GLARE: measured["glare"] > GLARE_SHARE,
    }
    fault = next((fault for fault, is_found in faults.items() if is_found), None)
    return {name: round(value, 4) for name, value in measured.items()}, fault


def _largest_spot(white: np.ndarray) -> float:
    """Return the share of the largest white area that does not touch the border: there it is the background."""
    _count, _labels, stats, _centres = cv2.connectedComponentsWithStats(white.astype(np.uint8))
    height, width = white.shape
    inside = [area for x, y, w, h, area in stats[1:] if x > 0 and y > 0 and x + w < width and y + h < height]
    return float(max(inside, default=0) / white.size)


def _tiles(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the view (rows, height, columns, width) of tiles; what does not fill a tile is left out."""
    rows, columns = pixels.shape[0] // height, pixels.shape[1] // width
    return pixels[: rows * height, : columns * width].reshape(rows, height, columns, width)


def _smear(grey: np.ndarray) -> float:
    """Return how much of the change along one direction survives a blur across it, 0 sharp to 1.

    After Crete et al. 2007, who blur along the same direction. Across it, a moved camera is found as well,
    because it leaves streaks (99 of 100 instead of 19). The worse of the two directions counts.
    """
    pixels, found = grey.astype(np.float32), []
    for axis, kernel in ((0, (9, 1)), (1, (1, 9))):  # (width, height)
        before = np.abs(np.diff(pixels, axis=axis))
        lost = np.maximum(0, before - np.abs(np.diff(cv2.blur(pixels, kernel), axis=axis))).sum()
        found.append(float(1 - lost / max(before.sum(), 1e-6)))
    return max(found)
