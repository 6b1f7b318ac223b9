"""Where on the body: outlines, bulges, lips and eyes, as distances in millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Body:
    """A part of the body in view. `inside` is the distance to its outline in mm, positive inside.

    `bulge` is how far it comes towards the camera (mm); `lips` and `openings` (eyes, nostrils, brows) are 0..1.
    """

    inside: np.ndarray
    bulge: np.ndarray
    lips: np.ndarray | None = None
    openings: np.ndarray | None = None
    crease: np.ndarray | None = None


def close_up(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Body:
    """Skin to the borders of the photo, gently arched."""
    arch = rng.uniform(80, 400)
    return Body(np.full(x.shape, 1e3, np.float32), -(x**2) / (2 * arch) - y**2 / (3 * arch))


def limb(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Body:
    """A forearm, elbow or knee bend, calf or thigh along the y axis."""
    radius, taper = rng.uniform(32, 75), rng.uniform(-0.12, 0.12)
    bend = rng.uniform(-0.0012, 0.0012)
    offset = x - rng.uniform(-0.3, 0.3) * radius - bend * y**2
    half = radius + taper * y + 2 * np.sin(y / 60 + rng.uniform(0, 6))
    half = np.maximum(half, 12)
    inside = half - np.abs(offset)
    body = Body(inside, _round(inside, half))
    if rng.random() < 0.5:
        wave = y - rng.uniform(-15, 15) - 6 * np.sin(x / 40)
        body.crease = np.exp(-((wave / 1.2) ** 2)) + 0.6 * np.exp(-(((wave - 9) / 0.9) ** 2))
    return body


def trunk(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Body:
    """Chest, belly or back with the arms beside it."""
    half = rng.uniform(130, 190) + 14 * np.cos(y / 90) + 0.08 * y
    x = x - rng.uniform(-0.6, 0.6) * 130
    arm = 42 - np.abs(np.abs(x) - half - rng.uniform(36, 70))
    torso = half - np.abs(x)
    spine = -3 * np.exp(-((x / 14) ** 2))
    bulge = np.maximum(0.45 * _round(torso, half), _round(arm, 42.0)) + spine
    return Body(np.maximum(torso, arm), bulge)


def face(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Body:
    """A face from the front, looked at about the mouth and cheeks; y grows downwards."""
    x, y = x + rng.uniform(-22, 22), y + rng.uniform(38, 60)
    head = 78 * (1 - np.sqrt((x / 76) ** 2 + (y / 106) ** 2))
    neck = np.where(y > 60, np.minimum(52 - np.abs(x), 150 - y + 0.004 * x**2), -1e3)
    nose = 15 * np.exp(-((x / 11) ** 2) - (np.maximum(y - 22, (10 - y) / 2.6) / 13) ** 2)
    below = y - 58  # of the middle of the mouth
    width = np.clip(1 - (x / 26) ** 2, 0, 1)
    upper, lower = 8 * width - 2.5 * np.exp(-((x / 5) ** 2)), 10 * width
    lips = np.clip(np.minimum(below + upper, lower - below) / 1.5, 0, 1) * (width > 0.02)
    parting = np.exp(-(((below - 0.6 * np.cos(x / 7)) / 0.8) ** 2)) * width**0.3
    bulge = 0.9 * _round(head, 70.0) + nose + 3 * lips - 2 * parting
    body = Body(np.maximum(head, neck), bulge, lips=lips)
    eyes = np.clip((1 - ((np.abs(x) - 31) / 14) ** 2 - ((y + 12) / 5) ** 2) * 4, 0, 1)
    side = np.abs(x) - 32
    brows = np.clip((1 - (side / 19) ** 2 - ((y + 28 + side**2 / 90) / 4) ** 2) * 3, 0, 1)
    nostrils = np.clip((1 - ((np.abs(x) - 7) / 4) ** 2 - ((y - 33) / 2.4) ** 2) * 2, 0, 1)
    hair = np.clip((-y - 62 - 10 * np.cos(x / 25)) / 3, 0, 1)
    body.openings = np.clip(eyes + brows + nostrils + 0.8 * parting + hair, 0, 1)
    return body


def hand(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Body:
    """The back of a hand, fingers upwards."""
    x, y = x * rng.choice([-1, 1]), y - 10
    palm = 30 - np.sqrt(np.maximum(np.abs(x) - 16, 0) ** 2 + np.maximum(np.abs(y) - 24, 0) ** 2)
    wrist = np.where(y > 20, 29 - np.abs(x), -1e3)
    inside = np.maximum(palm, wrist)
    bulge = 0.5 * _round(inside, 29.0)
    fan = rng.uniform(0.8, 1.3)
    for root, angle, length in ((-30, -0.2, 62), (-10, -0.05, 74), (10, 0.07, 70), (29, 0.22, 54)):
        finger = _capsule(x, y, (root, -40), angle * fan, length, 9.0)
        inside, bulge = np.maximum(inside, finger), np.maximum(bulge, _round(finger, 9.0))
    thumb = _capsule(x, y, (-36, 18), -0.8 * fan, 58, 11.0)
    return Body(np.maximum(inside, thumb), np.maximum(bulge, _round(thumb, 11.0)))


def _capsule(
    x: np.ndarray, y: np.ndarray, root: tuple, angle: float, length: float, radius: float
) -> np.ndarray:
    dx, dy = x - root[0], y - root[1]
    along = np.clip(dx * np.sin(angle) - dy * np.cos(angle), 0, length)
    return radius - np.hypot(dx - along * np.sin(angle), dy + along * np.cos(angle))


def _round(inside: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """Return the height of a round body over its outline."""
    depth = np.clip(inside, 0, radius)
    return np.sqrt(np.maximum(2 * radius * depth - depth**2, 0))


SITES = {"close_up": close_up, "limb": limb, "trunk": trunk, "face": face, "hand": hand}
