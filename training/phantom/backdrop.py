"""What lies behind the body: room, cloth, tiles, paper. (H, W, 3) linear RGB."""

from __future__ import annotations

import cv2
import numpy as np

from training.phantom.canvas import Canvas, linear


def _colour(rng: np.random.Generator, saturation: float) -> np.ndarray:
    hsv = np.array([[[rng.uniform(0, 360), rng.uniform(0, saturation), rng.uniform(0.12, 0.95)]]], np.float32)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0] ** 2.2


def plain(c: Canvas) -> np.ndarray:
    """A wall or a clinic's drape, with a slow shade."""
    drape = np.array(linear(*c.rng.choice([(70, 110, 150), (60, 130, 115), (30, 30, 34), (200, 205, 210)])))
    colour = drape if c.rng.random() < 0.5 else _colour(c.rng, 0.5)
    return colour * (1 + 0.12 * c.noise.cloud(400 / c.mm, 2))[..., None]


def cloth(c: Canvas) -> np.ndarray:
    """Folded cloth with a weave or a print."""
    angle = c.rng.uniform(0, np.pi)
    folds = 1 + 0.35 * c.noise.streaks(260 / c.mm, 40 / c.mm, angle)
    weave = 1 + 0.1 * np.sin(c.x * 2.1) * np.sin(c.y * 2.1)
    if c.rng.random() < 0.5:
        along = (c.x * np.cos(angle) + c.y * np.sin(angle)) * c.mm + 6 * c.noise.cloud(80 / c.mm, 1)
        stripe = (np.sin(along * 2 * np.pi / c.rng.uniform(8, 60)) > c.rng.uniform(-0.5, 0.7))[..., None]
        colour = np.where(stripe, _colour(c.rng, 0.9), _colour(c.rng, 0.6))
    else:
        colour = _colour(c.rng, 0.8)
    return colour * np.clip(folds * weave, 0.15, 2)[..., None]


def tiles(c: Canvas) -> np.ndarray:
    """A tiled floor or wall."""
    angle, side = c.rng.uniform(0, np.pi), c.rng.uniform(40, 300) / c.mm
    u = (c.x * np.cos(angle) + c.y * np.sin(angle)) / side
    v = (c.y * np.cos(angle) - c.x * np.sin(angle)) / side
    joint = (np.minimum(u % 1, v % 1) < 0.04)[..., None]
    shade = (1 + 0.06 * np.sin(np.floor(u) * 12.9 + np.floor(v) * 78.2) + 0.05 * c.noise.cloud(30 / c.mm))[
        ..., None
    ]
    return np.where(joint, 0.45, 1.0) * shade * _colour(c.rng, 0.35)


def paper(c: Canvas) -> np.ndarray:
    """White paper or a sheet."""
    shade = 0.78 + 0.05 * c.noise.cloud(300 / c.mm) + 0.02 * c.noise.cloud(4, 2)
    return shade[..., None] * np.array([1.0, 0.99, 0.96])


def room(c: Canvas) -> np.ndarray:
    """Furniture out of focus: boxes of many colours, some of them wood, which is as brown as skin."""
    picture = np.ones((*c.shape, 3)) * _colour(c.rng, 0.3)
    height, width = c.shape
    for _ in range(int(c.rng.integers(4, 14))):
        centre = (float(c.rng.uniform(0, width)), float(c.rng.uniform(0, height)))
        size = tuple(float(v) for v in c.rng.uniform(0.1, 0.7, size=2) * width)
        box = np.int32(cv2.boxPoints((centre, size, float(c.rng.normal(0, 12)))))
        wood = c.rng.random() < 0.3
        colour = np.array(linear(150, 104, 66)) * c.rng.uniform(0.4, 1.3) if wood else _colour(c.rng, 0.8)
        cv2.fillPoly(picture, [box], [float(v) for v in colour])
    return picture * (1 + 0.08 * c.noise.streaks(200 / c.mm, 12 / c.mm, c.rng.uniform(0, np.pi)))[..., None]


BACKDROPS = {"plain": plain, "cloth": cloth, "tiles": tiles, "paper": paper, "room": room}


def behind(c: Canvas, kind: str) -> np.ndarray:
    """Return the backdrop, as much out of focus as a phone leaves it."""
    picture = np.clip(BACKDROPS[kind](c), 0.002, 1).astype(np.float32)
    return cv2.GaussianBlur(picture, (0, 0), c.rng.uniform(0.6, 5))


def picture(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return a backdrop alone, (H, W, 3) uint8 sRGB, as a background for a photo cut out."""
    canvas = Canvas(rng, shape, float(np.exp(rng.uniform(np.log(0.2), np.log(2)))), (0.5, 0.5, 0.5))
    return (behind(canvas, str(rng.choice(list(BACKDROPS)))) ** (1 / 2.2) * 255).astype(np.uint8)
