"""Rashes of other diseases, which the classifier calls OTHER, and marks of no disease for the segmentation."""

from __future__ import annotations

import numpy as np

from training.phantom.canvas import Canvas, edge, linear, soften
from training.phantom.marks import (
    BLOOD_CRUST,
    HONEY,
    INK,
    PUS,
    RAW,
    SCALE,
    Point,
    beside,
    scatter,
    small_disc,
)


def psoriasis(c: Canvas, centre: Point) -> str:
    """Sharp salmon plaques under thick silvery scale."""
    for _ in range(int(c.rng.integers(1, 5))):
        place, radius = beside(c, centre, 45), c.rng.uniform(8, 40)
        area = c.patch(place, radius, rough=0.15, soft=0.07)
        c.lesion |= area > 0.4
        c.blood += area * c.rng.uniform(0.7, 1.1)
        flakes = c.noise.cloud(3 / c.mm, 4)
        share = area * edge(flakes + c.rng.uniform(-0.4, 0.7), 0.5) * edge(area - 0.7, 0.4)
        c.cover(0.85 * share, c.tinted(SCALE))
        c.relief += 0.6 * area + 0.5 * share * (1 + 0.5 * flakes)
    return "psoriasis"


def urticaria(c: Canvas, centre: Point) -> str:
    """Raised wheals with smooth skin, pale in the middle, red at the rim."""
    for _ in range(int(c.rng.integers(3, 12))):
        place, radius = beside(c, centre, 55), c.rng.uniform(4, 24)
        area = c.patch(place, radius, rough=0.25, soft=0.25)
        c.lesion |= area > 0.4
        c.blood += area * (0.75 - 0.45 * edge(area - 0.8, 0.5))
        c.relief += 1.1 * soften(area, max(0.5, 1.2 / c.mm))
    return "urticaria"


def naevi(c: Canvas, centre: Point) -> str:
    """A few brown spots of 2-8 mm."""
    for index in range(int(c.rng.integers(1, 7))):
        place = centre if not index else beside(c, centre, 40)
        area = c.patch(place, c.rng.uniform(1.2, 4.5), rough=0.12, soft=0.3)
        c.lesion |= area > 0.4
        c.melanin += area * c.rng.uniform(1.2, 2.6) * np.clip(1 + 0.2 * c.noise.cloud(1.2 / c.mm), 0.4, 1.6)
        c.relief += c.rng.choice([0, 0.6]) * area
    return "naevi"


def tinea(c: Canvas, centre: Point) -> str:
    """A ring with a raised, scaling edge and a healing middle."""
    for _ in range(int(c.rng.integers(1, 4))):
        place, radius = beside(c, centre, 25), c.rng.uniform(10, 32)
        area = c.patch(place, radius, rough=0.1, soft=0.15)
        middle = c.patch(place, radius * 0.72, rough=0.1, soft=0.4)
        ring = np.clip(area - 0.85 * middle, 0, 1)
        c.lesion |= area > 0.4
        c.blood += 0.9 * ring + 0.15 * area
        c.melanin += 0.2 * area
        c.relief += 0.6 * ring
        c.cover(0.35 * ring * edge(c.noise.cloud(1.2 / c.mm) - 0.5, 1.2), c.tinted(SCALE))
    return "tinea"


def acne(c: Canvas, centre: Point) -> str:
    """Papules, pustules and blackheads of differing size."""
    for x, y in scatter(c, centre, 45, int(c.rng.integers(15, 60)), apart=3.5):
        size, kind = c.rng.uniform(1, 5), c.rng.choice(["papule", "pustule", "comedo"], p=[0.55, 0.25, 0.2])
        found = small_disc(c, x, y, size / 2)
        if found is None:
            continue
        here, r, ring, disc = found
        c.lesion[here] |= (disc > 0.3) | (ring > 0.6)
        c.blood[here] += (0.9 * disc + 0.5 * ring) * (kind != "comedo")
        c.relief[here] += 0.25 * size * np.exp(-(r**2))
        c.cover(
            0.8 * edge(0.5 - r, 0.4) * (kind != "papule"), c.tinted(PUS) if kind == "pustule" else INK, here
        )
    return "acne"


def vitiligo(c: Canvas, centre: Point) -> str:
    """Sharp, scalloped areas without pigment, smooth; hardly to be seen on the lightest skin."""
    lost = c.rng.uniform(0.5, 1.3) * (1.2 - float(np.mean(c.skin)))
    for index in range(int(c.rng.integers(1, 6))):
        place = centre if not index else beside(c, centre, 45)
        area = c.patch(place, c.rng.uniform(5, 40), rough=0.25, soft=0.05)
        c.lesion |= area > 0.5
        c.melanin -= lost * area * np.clip(1 + 0.1 * c.noise.cloud(4 / c.mm), 0.6, 1.2)
    return "vitiligo"


def actinic_keratosis(c: Canvas, centre: Point) -> str:
    """Rough red-brown spots of 3-12 mm under yellowish scale, on freckled skin."""
    c.melanin += 0.35 * edge(c.noise.cloud(4 / c.mm, 2) - 1.6, 0.5)
    c.blood += 0.12 * np.abs(c.noise.cloud(20 / c.mm, 2))
    for index in range(int(c.rng.integers(1, 10))):
        place = centre if not index else beside(c, centre, 40)
        area = c.patch(place, c.rng.uniform(1.5, 6), rough=0.25, soft=0.3)
        c.lesion |= area > 0.45
        c.blood += area * c.rng.uniform(0.35, 0.8)
        c.melanin += area * c.rng.uniform(0, 0.3)
        share = area * edge(c.noise.cloud(1.4 / c.mm, 3) + c.rng.uniform(-0.5, 0.5), 0.6)
        c.cover(0.7 * share, c.tinted(linear(212, 190, 150)))
        c.relief += 0.4 * share
    return "actinic keratosis"


def seborrhoeic_keratosis(c: Canvas, centre: Point) -> str:
    """Brown, warty, as if stuck on, 5-20 mm."""
    for index in range(int(c.rng.integers(1, 8))):
        place = centre if not index else beside(c, centre, 45)
        area = c.patch(place, c.rng.uniform(2.5, 9), rough=0.15, soft=0.08)
        warty = c.noise.cloud(1.6 / c.mm, 2)
        c.lesion |= area > 0.4
        c.melanin += area * c.rng.uniform(0.5, 1.6) * np.clip(1 + 0.25 * warty, 0.4, 1.6)
        c.relief += area * (0.9 + 0.25 * warty)
    return "seborrhoeic keratosis"


OTHERS = (
    psoriasis,
    urticaria,
    naevi,
    tinea,
    acne,
    vitiligo,
    actinic_keratosis,
    seborrhoeic_keratosis,
)


def other(c: Canvas, centre: Point) -> str:
    return OTHERS[c.rng.integers(len(OTHERS))](c, centre)


def anything(c: Canvas, centre: Point) -> str:
    """Skin that differs from the skin around it in some way, of no disease there is.

    For the segmentation alone: it should find what it was never shown, and a lesion is what looks unlike
    the rest of a person's skin.
    """
    few = c.rng.random() < 0.6
    count = int(c.rng.integers(1, 6) if few else c.rng.integers(6, 25))
    sizes = np.exp(c.rng.uniform(*np.log((4, 45) if few else (1, 6)), size=count))
    soft, rough = np.exp(c.rng.uniform(*np.log((0.03, 0.6)))), c.rng.uniform(0.05, 0.35)
    area = np.zeros(c.shape, np.float32)
    for radius in sizes:
        area = np.maximum(area, c.patch(beside(c, centre, 40), radius, rough=rough, soft=soft))
    c.lesion |= area > 0.45
    grain = np.clip(1 + c.rng.uniform(0, 0.5) * c.noise.cloud(np.exp(c.rng.uniform(0, 2.3)) / c.mm), 0.2, 1.8)
    c.blood += area * grain * c.rng.uniform(-0.2, 1.1)
    c.melanin += area * grain * c.rng.normal(0, 0.6)
    c.relief += area * grain * max(0.0, c.rng.normal(0, 0.6))
    c.gloss += area * c.rng.choice([0, 0, 0.5])
    if c.rng.random() < 0.5:
        colour = (SCALE, HONEY, BLOOD_CRUST, RAW, PUS, INK)[c.rng.integers(6)]
        share = area * edge(c.noise.cloud(3 / c.mm) + c.rng.uniform(-1, 0.7), 0.6)
        c.cover(c.rng.uniform(0.2, 0.9) * share, c.tinted(colour))
    return "anything"
