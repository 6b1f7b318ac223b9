"""Assesses whether a photo is good enough to be read: light, sharpness, glare, and whether it is a photo at all.

Each fault has one remedy. The limits of light and glare were set on 406 clinical and everyday photos of the `train`
and `experiment` rows and on the same photos made darker and brighter; those of sharpness on 448 `train` photos and on
90 of them blurred.
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
# Blurred: (less detail than this, less sharpness than that), along the direction in which a photo has least of them.
# Detail is the contrast, in grey levels, of the finest structure in the sharpest tile; sharpness is all fine structure
# over the coarse. Healthy skin may be smooth and sharp, so that little detail alone says nothing.
BLURRED = ((6.0, 2.0), (20.0, 1.2))
COARSE = 5.0  # px of the halved photo: standard deviation of the blur that leaves the coarse structure
ANGLES = np.pi * np.arange(16) / 16
CONTRAST = 6.0  # grey levels: standard deviation
FLAT_SHARE = 0.75  # of 8 x 8 blocks without any structure: a drawing or a screen shot, no camera


def assess_quality(photo: np.ndarray) -> tuple[dict[str, float], QualityFault | None]:
    """Return what was measured in an upright photo (H, W, 3) uint8, and the most serious fault, if any."""
    scale = min(1.0, LONG_SIDE / max(photo.shape[:2]))
    height, width = (max(TILES, round(side * scale)) for side in photo.shape[:2])
    small = photo if scale == 1 else cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    white = small.min(axis=2) >= WHITE
    rows, columns = (side // 8 for side in grey.shape)
    blocks = grey[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8)
    detail, sharpness = _sharpness(grey)
    measured = {
        "highlights": float(np.percentile(grey, 95)),
        "white": float(white.mean()),
        "glare": _largest_spot(white),
        "contrast": float(grey.std()),
        "flat": float((blocks.max(axis=(1, 3)) == blocks.min(axis=(1, 3))).mean()),
        "detail": detail,
        "sharpness": sharpness,
    }
    faults = {  # the most serious first
        QualityFault.TOO_DARK: measured["highlights"] < DARK_HIGHLIGHTS,
        QualityFault.TOO_BRIGHT: measured["white"] > BRIGHT_SHARE,
        QualityFault.NOT_A_PHOTO: measured["contrast"] < CONTRAST or measured["flat"] > FLAT_SHARE,
        # Before the blur: the edge of a white spot is coarse structure, beside which smooth skin seems blurred.
        QualityFault.GLARE: measured["glare"] > GLARE_SHARE,
        QualityFault.BLURRED: any(detail < little and sharpness < low for little, low in BLURRED),
    }
    fault = next((fault for fault, is_found in faults.items() if is_found), None)
    return {name: round(value, 4) for name, value in measured.items()}, fault


def _largest_spot(white: np.ndarray) -> float:
    """Return the share of the largest white area that does not touch the border: there it is the background."""
    _count, _labels, stats, _centres = cv2.connectedComponentsWithStats(white.astype(np.uint8))
    height, width = white.shape
    inside = [area for x, y, w, h, area in stats[1:] if x > 0 and y > 0 and x + w < width and y + h < height]
    return float(max(inside, default=0) / white.size)


def _sharpness(grey: np.ndarray) -> tuple[float, float]:
    """Return detail and sharpness of a photo (H, W) uint8, each along the direction in which it is least.

    A camera out of focus takes the fine structure in all directions, a moved one only along its way, which may be any.
    Fine structure is the second derivative, coarse structure the slope of a blurred photo. Both are measured along any
    direction from their second moments, so that sixteen directions cost no more than two. The photo is halved first:
    that takes most of the noise, which would pass for detail.
    """
    height, width = (max(TILES, side // 2) for side in grey.shape)
    half = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    smooth, slope, bend = (np.float32([v]) for v in ((0.25, 0.5, 0.25), (-0.5, 0, 0.5), (1, -2, 1)))
    kernels = ((bend, smooth), (slope, slope), (smooth, bend))  # of xx, xy, yy: along x, along y
    fine = np.stack([cv2.sepFilter2D(half, cv2.CV_32F, x, y) for x, y in kernels])
    coarse = np.stack(np.gradient(cv2.GaussianBlur(half, (0, 0), COARSE))[::-1])

    rows, columns = height // TILES, width // TILES
    tiles = fine[:, : rows * TILES, : columns * TILES].reshape(3, TILES, rows, TILES, columns)
    moments = np.einsum("arhcw,brhcw->rcab", tiles, tiles) / (rows * columns)
    cos, sin = np.cos(ANGLES), np.sin(ANGLES)
    second = np.stack([cos**2, 2 * cos * sin, sin**2], axis=1)
    first = np.stack([cos, sin], axis=1)
    bends = np.einsum("da,rcab,db->drc", second, moments, second).clip(0)
    slopes = np.einsum("da,ab,db->d", first, np.einsum("ahw,bhw->ab", coarse, coarse) / half.size, first)
    # The sharpest tile counts: skin around it may well be smooth.
    detail = np.sqrt(bends.max(axis=(1, 2)).min())
    sharpness = np.sqrt((bends.mean(axis=(1, 2)) / slopes.clip(1e-6)).min())
    return float(detail), float(sharpness)
