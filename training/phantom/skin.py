"""Healthy skin: tone, mottling, lines, pores, hairs, veins, folds."""

from __future__ import annotations

import cv2
import numpy as np

from training.phantom.body import Body
from training.phantom.canvas import Canvas, edge, linear, soften

# Individual typology angle (degrees) and what skin of that tone measures in CIELAB
TONES = np.array(
    [
        (-60, 25, 8, 9),
        (-30, 36, 12, 17),
        (10, 48, 13, 20),
        (28, 58, 13, 19),
        (41, 65, 12, 18),
        (55, 71, 11, 15),
        (70, 77, 9, 11),
    ],
    np.float32,
)
LIP = linear(176, 92, 92)
DARK = linear(38, 28, 26)


def colour_of(tone: float) -> tuple[float, float, float]:
    """Return the linear RGB of skin with this individual typology angle (degrees, -60 dark to 70 light)."""
    lab = np.array([[[np.interp(tone, TONES[:, 0], TONES[:, i]) for i in (1, 2, 3)]]], np.float32)
    srgb = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)[0, 0], 0, 1)
    return tuple(float(v) ** 2.2 for v in srgb)


def cover_with_skin(c: Canvas, body: Body, hairy: float) -> None:
    """Give the canvas what healthy skin has before any lesion, lips and openings of the face included."""
    c.blood += 0.07 * c.noise.cloud(14 / c.mm) + 0.05 * c.noise.cloud(60 / c.mm, 2)
    c.melanin += 0.05 * c.noise.cloud(25 / c.mm)
    # The net of skin lines and pores; too fine to see from afar.
    seen = float(np.clip(1.6 - c.mm / 0.35, 0.15, 1))
    angle = c.rng.uniform(0, np.pi)
    net = c.noise.streaks(2.2 / c.mm, 0.45 / c.mm, angle) + c.noise.streaks(
        2.0 / c.mm, 0.45 / c.mm, angle + 1.3
    )
    c.relief += 0.022 * seen * net + 0.02 * seen * c.noise.cloud(1.2 / c.mm, 2)
    pores = edge(c.noise.cloud(1.1 / c.mm, 1) - 1.7, 0.5)
    c.relief -= 0.05 * seen * pores
    c.melanin += 0.12 * seen * pores
    if c.rng.random() < 0.4:
        clouds = c.noise.cloud(70 / c.mm, 2)
        streaks = 0.6 * c.noise.streaks(160 / c.mm, 30 / c.mm, c.rng.uniform(0, np.pi))
        vein = np.exp(-(((clouds + streaks) / 0.09) ** 2)) * np.clip(c.noise.cloud(90 / c.mm, 1), 0, 1)
        soft = soften(vein, float(np.clip(1.5 / c.mm, 0.8, 12)))
        c.cover(0.16 * soft, linear(88, 110, 118))
        c.relief += 0.3 * soft
    if c.rng.random() < 0.4:  # freckles
        spots = edge(c.noise.cloud(3.2 / c.mm, 2) - 1.9, 0.4)
        c.melanin += c.rng.uniform(0.15, 0.5) * spots
    if body.crease is not None:
        c.relief -= 1.2 * body.crease
        c.blood += 0.25 * body.crease
    draw_hairs(c, int(hairy * c.rng.uniform(40, 260)))
    if body.lips is not None:
        c.blood += 0.7 * body.lips
        c.cover(0.22 * body.lips, LIP)
        c.gloss += 0.3 * body.lips
    if body.openings is not None:
        c.cover(0.93 * body.openings, DARK)


def draw_hairs(c: Canvas, count: int) -> None:
    """Thin bent lines in about one direction."""
    lines = np.zeros(c.shape, np.float32)
    angle, (height, width) = c.rng.uniform(0, 2 * np.pi), c.shape
    steps = np.linspace(0, 1, 7)[:, None]
    for _ in range(count):
        root = c.rng.random(2) * (width, height)
        turn, length = angle + c.rng.normal(0, 0.35), c.rng.uniform(3, 14) / c.mm
        way = np.array([np.cos(turn), np.sin(turn)])
        bend = np.array([-way[1], way[0]]) * c.rng.normal(0, 0.18)
        points = root + length * (steps * way + steps**2 * bend)
        cv2.polylines(lines, [np.int32(points * 8)], False, 1.0, 1, cv2.LINE_AA, 3)
    thick = 0.07 / c.mm  # a hair is thinner than a pixel beyond arm's length
    if thick > 1:
        lines = np.clip(1.6 * cv2.GaussianBlur(lines, (0, 0), 0.5 * thick), 0, 1)
    c.cover(min(0.75, 0.35 + 0.4 * thick) * lines * min(1.0, 2.5 * thick), DARK)
