"""Marks that several rashes are drawn from: patches, papules, dryness, scratches; sizes in millimetres."""

from __future__ import annotations

import cv2
import numpy as np

from training.phantom.canvas import Canvas, edge, linear

BLOOD_CRUST = linear(62, 20, 16)
RAW = linear(168, 62, 56)
SCALE = linear(226, 216, 208)

Point = tuple[float, float]


def patches(c: Canvas, centre: Point, count: int, radius: tuple, rough: float, soft: float) -> np.ndarray:
    area = c.patch(centre, c.rng.uniform(*radius), rough=rough, soft=soft)
    for _ in range(int(count) - 1):
        place = beside(c, centre, 55)
        area = np.maximum(area, c.patch(place, c.rng.uniform(*radius), rough=rough, soft=soft))
    return area


def beside(c: Canvas, centre: Point, reach_mm: float) -> Point:
    x, y = c.rng.normal(0, reach_mm / c.mm, size=2)
    return centre[0] + float(x), centre[1] + float(y)


def scatter(c: Canvas, centre: Point, radius: float, count: int, apart: float) -> list[Point]:
    """Return up to `count` places within `radius` mm that stay `apart` mm from each other."""
    places: list[Point] = []
    for dx, dy in c.rng.normal(0, 0.5 * radius, size=(3 * count, 2)):
        if all((dx - x) ** 2 + (dy - y) ** 2 > apart**2 for x, y in places):
            places.append((dx, dy))
    return [(centre[0] + x / c.mm, centre[1] + y / c.mm) for x, y in places[:count]]


def disc(c: Canvas, x: float, y: float, radius_mm: float):
    """Return the window of a small round lesion: where, distance in radii, red rim, disc; None outside."""
    radius = max(0.75, radius_mm / c.mm)
    found = c.near(x, y, 3 * radius + 2)
    if found is None:
        return None
    here, dx, dy = found
    r = np.hypot(dx, dy) / radius
    seen = min(1.0, (radius_mm / c.mm / 0.75) ** 2)  # smaller than a pixel: paler
    return here, r, seen * np.exp(-(((r - 1.2) / 0.6) ** 2)), seen * edge(1 - r, max(0.25, 1 / radius))


def papules(c: Canvas, area: np.ndarray, strength: float = 1.0) -> None:
    bumps = edge(c.noise.cloud(2.2 / c.mm, 2) - 1.0, 0.6) * np.minimum(1, 1.3 * area)
    c.blood += 0.4 * strength * bumps
    c.relief += 0.2 * strength * bumps


def dryness(c: Canvas, area: np.ndarray, amount: float) -> None:
    flakes = edge(c.noise.cloud(1.1 / c.mm, 3) - 1.3 + amount, 1.2) * np.clip(area, 0, 1)
    flakes *= np.clip(0.7 + 0.6 * c.noise.cloud(12 / c.mm, 2), 0, 1)
    c.cover(c.rng.uniform(0.04, 0.22) * flakes, c.tinted(SCALE))
    c.relief += 0.06 * flakes


def scratches(c: Canvas, area: np.ndarray, count: int, crusted: bool) -> None:
    """Parallel lines of 5-25 mm where nails went, raw or with dark points of blood."""
    lines = np.zeros(c.shape, np.float32)
    places = np.argwhere(area > 0.35)
    angle = c.rng.uniform(0, np.pi)
    for _ in range(count if len(places) else 0):
        y, x = places[c.rng.integers(len(places))]
        turn, half = angle + c.rng.normal(0, 0.18), c.rng.uniform(2.5, 12) / c.mm
        step = np.array([np.cos(turn), np.sin(turn)]) * half
        ends = [tuple(int(v * 8) for v in (x + s * step[0], y + s * step[1])) for s in (-1, 1)]
        cv2.line(lines, *ends, float(c.rng.uniform(0.4, 1)), max(1, round(0.8 / c.mm)), cv2.LINE_AA, 3)
    lines = cv2.GaussianBlur(lines, (0, 0), max(0.5, 0.3 / c.mm))
    raw = lines * edge(c.noise.cloud(3 / c.mm) + 0.5, 0.8)
    c.cover(0.7 * raw, RAW)
    if crusted:
        c.cover(0.85 * lines * edge(c.noise.cloud(1.3 / c.mm, 2) - 0.6, 0.4), BLOOD_CRUST)
    c.lesion |= raw > 0.4
