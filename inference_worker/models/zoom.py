"""Shows a photo as the same camera would have taken it from nearer or farther away."""

from __future__ import annotations

import cv2
import numpy as np

WALL = (196, 194, 188)  # sRGB; what comes into view around a photo where nothing else is given


def zoomed(
    photo: np.ndarray, zoom: float, *, centre: tuple[float, float], backdrop: np.ndarray | None = None
) -> np.ndarray:
    """Return a photo (H, W, 3) uint8 of the same size, everything in it `zoom` times as large.

    Above 1 it is cut out around `centre`, (x, y) in 0..1 of the sides, and enlarged. Below 1 it is made smaller and
    laid in the middle of `backdrop` (H, W, 3), which is a plain wall if none is given.
    """
    height, width = photo.shape[:2]
    if zoom >= 1:
        part = photo[part_of(height, zoom, centre[1]), part_of(width, zoom, centre[0])]
        return cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
    small = cv2.resize(photo, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    framed = np.full_like(photo, WALL) if backdrop is None else backdrop.copy()
    return laid_into(framed, small)


def middle_of(area: np.ndarray) -> tuple[float, float]:
    """Return the (x, y), in 0..1 of the sides, of the true pixel of a map (H, W) that is nearest to their mean.

    The middle of the map where none is true.
    """
    ys, xs = np.nonzero(area)
    if not xs.size:
        return 0.5, 0.5
    nearest = int(((xs - xs.mean()) ** 2 + (ys - ys.mean()) ** 2).argmin())
    return (xs[nearest] + 0.5) / area.shape[1], (ys[nearest] + 0.5) / area.shape[0]


def part_of(side: int, zoom: float, centre: float) -> slice:
    """Return the pixels of a side that are seen at a zoom above 1 around `centre`, 0..1 of the side."""
    length = max(1, round(side / zoom))
    start = min(max(0, round(centre * side - length / 2)), side - length)
    return slice(start, start + length)


def laid_into(frame: np.ndarray, small: np.ndarray) -> np.ndarray:
    """Write a smaller picture into the middle of another, and return that."""
    top, left = ((whole - part) // 2 for whole, part in zip(frame.shape[:2], small.shape[:2], strict=True))
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    return frame
