"""A place of skin photographed twice, made from one photo: light, camera and skin differ as they do months later.

The second photo is one and the same picture, warped: pose, hair and healing of a real second visit are not in it, so
that what is measured here is the most that can be hoped for.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from inference_worker.models.segmentation import LESION
from training.phantom import backdrop

ZOOMS = (0.7, 1.4)
TURN_DEGREES = 30
GROWTH = (0.5, 2.0)  # of the largest patch of the lesion
SLANT = 0.3  # how much nearer one end of the photo may be than the other, as a share
SHIFT, SHIFT_AWAY = (
    0.08,
    0.3,
)  # of the sides: nearly the same frame, or a part of the place missing (every other pair)
BEND = 0.006  # of the long side: how far the skin's own movement shifts a point (standard deviation)
BEND_CELL = 0.3  # of the long side: over such a distance the movement changes
LARGEST_PATCH = 0.3  # of the short side: a larger patch grows in its middle alone
FEATHER = 8.0  # px, over which a grown patch goes over into the skin beside it


@dataclass(frozen=True)
class Revisit:
    """The second photo with its true class map, and how it was taken.

    `growth` is the ratio of the lesion's areas, of the part that both photos show.
    """

    photo: np.ndarray
    mask: np.ndarray
    growth: float
    zoom: float
    turn: float
    part_missing: bool


def revisit(rng: np.random.Generator, photo: np.ndarray, mask: np.ndarray) -> Revisit:
    """Return a photo (H, W, 3) uint8 RGB, and its class map (H, W), as another camera sees the place later."""
    height, width = mask.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    there, zoom, turn, part_missing = _camera(rng, (width, height))
    photo, grown = _grown(rng, photo, mask)
    # From a point of the second photo back to the first: undo the camera, then the bent skin.
    source = cv2.perspectiveTransform(grid.reshape(1, -1, 2), np.linalg.inv(there)).reshape(grid.shape)
    source = (source + _bend(rng, mask.shape, max(mask.shape))).astype(np.float32)
    inside = ((source >= 0) & (source <= (width - 1, height - 1))).all(axis=-1)
    seen = cv2.perspectiveTransform(grid.reshape(1, -1, 2), there).reshape(grid.shape)
    is_seen = ((seen >= 0) & (seen < (width, height))).all(axis=-1)
    before = np.count_nonzero((mask == LESION) & is_seen)
    growth = np.count_nonzero((grown == LESION) & is_seen) / max(1, before)
    later = cv2.remap(photo, *_planes(source), cv2.INTER_CUBIC)
    later = np.where(inside[..., None], later, backdrop.picture(rng, mask.shape))
    later_mask = np.where(inside, cv2.remap(grown, *_planes(source), cv2.INTER_NEAREST), 0).astype(np.uint8)
    return Revisit(other_light(rng, later), later_mask, growth, zoom, turn, part_missing)


def other_light(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """Return a photo under a lamp of another colour, strength and side, from a phone with other contrast and noise."""
    height, width = photo.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    way = rng.uniform(0, 2 * np.pi)
    side = 1 + rng.uniform(0, 0.3) * (x * np.cos(way) + y * np.sin(way))
    lamp = np.exp(rng.uniform(-0.15, 0.15, 3)) * np.exp(rng.uniform(-0.3, 0.3))
    light = (
        (photo.astype(np.float32) / 255) ** rng.uniform(0.75, 1.3) * side[..., None] * lamp.astype(np.float32)
    )
    return phone(rng, light)


def phone(rng: np.random.Generator, light: np.ndarray) -> np.ndarray:
    """Return what a phone stores of an image (H, W, 3) float 0 to 1: blur, noise and JPEG of its own."""
    light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.3, 1.2))
    noise = rng.uniform(0.003, 0.015) * rng.standard_normal(light.shape, dtype=np.float32)
    pixels = (np.clip(light + noise, 0, 1) * 255 + 0.5).astype(np.uint8)
    _is_stored, stored = cv2.imencode(
        ".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(65, 95))]
    )
    return np.ascontiguousarray(cv2.imdecode(stored, cv2.IMREAD_COLOR)[..., ::-1])


def _camera(rng: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, float, float, bool]:
    """Return the homography (3, 3) from the first photo to the second, its zoom, its turn in degrees, and its shift."""
    zoom, turn = float(np.exp(rng.uniform(*np.log(ZOOMS)))), float(rng.uniform(-TURN_DEGREES, TURN_DEGREES))
    part_missing = bool(rng.random() < 0.5)
    centre, long_side = np.array(size) / 2, max(size)
    slant = rng.uniform(-SLANT, SLANT, 2) / long_side
    way, far = rng.uniform(0, 2 * np.pi), SHIFT_AWAY if part_missing else rng.uniform(0, SHIFT)
    shift = far * np.array([np.cos(way), np.sin(way)]) * size
    to_centre = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]], [0, 0, 1]])
    back = np.array([[1, 0, centre[0] + shift[0]], [0, 1, centre[1] + shift[1]], [0, 0, 1]])
    cos, sin = zoom * np.cos(np.radians(turn)), zoom * np.sin(np.radians(turn))
    view = np.array([[cos, -sin, 0], [sin, cos, 0], [*slant, 1]])
    return back @ view @ to_centre, zoom, turn, part_missing


def _bend(rng: np.random.Generator, shape: tuple[int, int], long_side: int) -> np.ndarray:
    """Return a smooth movement of skin (H, W, 2), px."""
    cells = [max(2, round(side / (BEND_CELL * long_side)) + 2) for side in shape]
    field = rng.normal(0, BEND * long_side, (*cells, 2)).astype(np.float32)
    return cv2.resize(field, shape[::-1], interpolation=cv2.INTER_CUBIC)


def _grown(rng: np.random.Generator, photo: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the photo and its class map with the largest patch of the lesion grown or shrunk in a circle about it.

    Skin outside the circle stays where it is; what a shrunk patch uncovers is skin from beside it, mirrored.
    """
    stretch = float(np.sqrt(np.exp(rng.uniform(*np.log(GROWTH)))))
    count, _labels, patches, centres = cv2.connectedComponentsWithStats((mask == LESION).astype(np.uint8))
    if count == 1:
        return photo, mask
    patch = 1 + int(patches[1:, cv2.CC_STAT_AREA].argmax())
    extent = max(patches[patch, cv2.CC_STAT_WIDTH], patches[patch, cv2.CC_STAT_HEIGHT]) / 2
    radius = float(np.clip(1.1 * extent, 4, LARGEST_PATCH * min(mask.shape)))
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    away = np.stack([x, y], axis=-1) - centres[patch].astype(np.float32)
    far = np.sqrt((away**2).sum(axis=-1)) + 1e-6
    uncovered = np.where(far < radius, (2 * radius - far) / far, 1)
    source = _planes(centres[patch] + away * (uncovered if stretch < 1 else np.ones_like(far))[..., None])
    beside = cv2.remap(photo, *source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    under = cv2.remap(mask, *source, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT)
    source = _planes(centres[patch] + away / stretch)
    over = cv2.remap(photo, *source, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    inside = (radius * stretch - far)[..., None]
    share = np.clip(inside / FEATHER + 0.5, 0, 1)
    grown = np.where(inside[..., 0] > 0, cv2.remap(mask, *source, cv2.INTER_NEAREST), under)
    return (over * share + beside * (1 - share) + 0.5).astype(np.uint8), grown.astype(np.uint8)


def _planes(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.ascontiguousarray(points[..., axis], np.float32) for axis in (0, 1))
