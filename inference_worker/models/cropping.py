"""Cuts from a class map the squares that obey the 80/10 rule (Yanagisawa et al. 2023): photos taken from any
distance then look alike.

Skin > 80 % and lesion > 10 % of the square's pixels, where lesion counts as skin: read without it the rule
rejects nearly every lesion. Pure, exact (integral images of the whole map) and deterministic.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np

from contract.drawn import ADrawn, Drawn, Rectangle, pixels_of
from contract.messages import Box, ModelRef, NoCropReason, Segmented, Signs

LESION = 2
BOX_LIMIT = 6
SCALES = tuple(2 ** (-step / 2) for step in range(7))  # of the short side: 1 down to 1/8
SIDE_LIMIT = 64  # px; less holds too little to classify
STRIDES = 8  # steps in which a square moves by its own side
OVERLAP = 0.3  # intersection over union of two chosen squares at most
NEW_LESION = 0.02  # share of the whole lesion that each further square must add


def describe(
    mask: np.ndarray, drawn: ADrawn = None, *, key: str, model: ModelRef, seconds: float, signs: Signs = ()
) -> Segmented:
    """Say what a class map (H, W) uint8 holds; the skin share counts lesion too. Where a crop is drawn, none is cut."""
    boxes, no_crop_reason = drawn_box(mask, drawn.box) if drawn else boxes_of(mask)
    rejected = boxes.pop() if drawn and no_crop_reason else None
    return Segmented(
        mask_key=key,
        skin=float((mask > 0).mean()),
        lesion=float((mask == LESION).mean()),
        boxes=tuple(boxes),
        no_box=no_crop_reason,
        nearest_miss=rejected or (best_rejected_crop(mask) if no_crop_reason else None),
        signs=signs,
        model=model,
        seconds=round(seconds, 4),
    )


def boxes_of(mask: np.ndarray) -> tuple[list[Box], NoCropReason | None]:
    """Return at most BOX_LIMIT squares of a class map (H, W) uint8, best first, or why there is none.

    The best square holds much lesion, densely; each further one what is not covered yet.
    """
    squares, corners = _squares(*mask.shape)
    lesion_map = mask == LESION
    skin, lesion = _count(mask > 0, corners), _count(lesion_map, corners)
    area = squares[:, 2] ** 2
    has_skin, has_lesion = 10 * skin > 8 * area, 10 * lesion > area
    obeys = np.flatnonzero(has_skin & has_lesion)
    if not mask.any():
        return [], NoCropReason.NO_SKIN
    if not lesion_map.any():
        return [], NoCropReason.NO_LESION
    if not has_lesion.any():
        return [], NoCropReason.TOO_LITTLE_LESION
    if not obeys.size:
        return [], NoCropReason.TOO_LITTLE_SKIN
    chosen = _cover(lesion_map, squares, corners, obeys, lesion / area)
    return [_box(squares[i], skin[i] / area[i], lesion[i] / area[i]) for i in chosen], None


def drawn_box(mask: np.ndarray, area: Rectangle) -> tuple[list[Box], NoCropReason | None]:
    """Return a drawn crop with its shares, and of which of the two it has too little."""
    part = mask[area.y : area.y + area.height, area.x : area.x + area.width]
    box = Box(**vars(area), skin=float((part > 0).mean()), lesion=float((part == LESION).mean()))
    too_little = NoCropReason.TOO_LITTLE_LESION if box.lesion <= 0.1 else NoCropReason.TOO_LITTLE_SKIN
    return [box], None if box.lesion > 0.1 and box.skin > 0.8 else too_little


def with_drawn_lesion(mask: np.ndarray, drawn: Drawn) -> np.ndarray:
    """Return a class map with the drawn lesion in place of the model's, which is skin where none was drawn."""
    lesion = np.frombuffer(pixels_of(drawn.lesion), np.uint8).reshape(mask.shape)
    return np.where(lesion, LESION, mask > 0).astype(np.uint8)


def best_rejected_crop(mask: np.ndarray) -> Box | None:
    """Return the square of a class map without boxes that falls short least of both shares; None without lesion.

    Short of half the skin weighs as much as short of half the lesion.
    """
    if not (mask == LESION).any():
        return None
    squares, corners = _squares(*mask.shape)
    area = squares[:, 2] ** 2
    skin, lesion = _count(mask > 0, corners) / area, _count(mask == LESION, corners) / area
    short = np.clip(1 - skin / 0.8, 0, None) + np.clip(1 - lesion / 0.1, 0, None)
    best = int(short.argmin())
    return _box(squares[best], skin[best], lesion[best])


@functools.lru_cache(maxsize=32)  # analysis copies come in a few shapes
def _squares(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 3) int64: x, y, side; the same set for a mirrored map, large ones first; and their corners.

    Corners (4, N) are places in the flattened integral image: lower right, upper right, lower left, upper left.
    """
    short = min(height, width)
    sides = sorted({max(min(SIDE_LIMIT, short), round(short * scale)) for scale in SCALES}, reverse=True)
    grids = []
    for side in sides:
        xs, ys = np.meshgrid(_starts(width, side), _starts(height, side))
        grids.append(np.stack([xs.ravel(), ys.ravel(), np.full(xs.size, side)], axis=1))
    squares = np.concatenate(grids).astype(np.int64)
    x, y, side = squares.T
    corners = np.array(
        [(y + dy) * (width + 1) + x + dx for dy, dx in ((side, side), (0, side), (side, 0), (0, 0))]
    )
    squares.flags.writeable = corners.flags.writeable = False  # they are shared
    return squares, corners


def _starts(length: int, side: int) -> np.ndarray:
    steps = np.arange(0, length - side + 1, max(1, side // STRIDES))
    return np.union1d(steps, length - side - steps)


def _count(values: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Return for each square how many of its pixels are true."""
    total = cv2.integral(values.view(np.uint8)).ravel()
    low_right, up_right, low_left, up_left = total[corners]
    return low_right - up_right - low_left + up_left


def _cover(
    lesion_map: np.ndarray, squares: np.ndarray, corners: np.ndarray, left: np.ndarray, density: np.ndarray
) -> list[int]:
    """Choose greedily of the squares `left`; of equal ones the first, so that a map always gives the same boxes."""
    uncovered, total = lesion_map.copy(), np.count_nonzero(lesion_map)
    chosen: list[int] = []
    while len(chosen) < BOX_LIMIT:
        new = _count(uncovered, corners[:, left])
        is_worth = new > (NEW_LESION * total if chosen else 0)
        left, new = left[is_worth], new[is_worth]  # for good: what is uncovered only shrinks
        if not left.size:
            break
        best = left[np.argmax(new * density[left])]
        x, y, side = squares[best]
        uncovered[y : y + side, x : x + side] = False
        starts, ends = squares[left, :2], squares[left, :2] + squares[left, 2:]
        sides = np.minimum(ends, (x + side, y + side)) - np.maximum(starts, (x, y))
        common = sides.clip(min=0).prod(axis=1)
        left = left[common / (squares[left, 2] ** 2 + side**2 - common) <= OVERLAP]
        chosen.append(int(best))
    return chosen


def _box(square: np.ndarray, skin: float, lesion: float) -> Box:
    x, y, side = (int(value) for value in square)
    return Box(x=x, y=y, width=side, height=side, skin=float(skin), lesion=float(lesion))
