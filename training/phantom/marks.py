"""Parts that several rashes share: colours, places round a centre, small discs, papules, scale."""

from __future__ import annotations

import numpy as np

from training.phantom.canvas import Canvas, edge, linear

Point = tuple[float, float]

HONEY = linear(190, 134, 62)
AMBER = linear(132, 80, 36)
BLOOD_CRUST = linear(62, 20, 16)
RAW = linear(168, 62, 56)
PUS = linear(226, 206, 150)
FLUID = linear(222, 190, 160)
SCALE = linear(226, 216, 208)
INK = linear(52, 30, 22)


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


def small_disc(c: Canvas, x: float, y: float, radius_mm: float):
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


def dry_scale(c: Canvas, area: np.ndarray, amount: float) -> None:
    flakes = edge(c.noise.cloud(1.1 / c.mm, 3) - 1.3 + amount, 1.2) * np.clip(area, 0, 1)
    flakes *= np.clip(0.7 + 0.6 * c.noise.cloud(12 / c.mm, 2), 0, 1)
    c.cover(c.rng.uniform(0.04, 0.22) * flakes, c.tinted(SCALE))
    c.relief += 0.06 * flakes
