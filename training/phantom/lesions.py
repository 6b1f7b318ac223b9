"""What each rash looks like, painted with sizes in millimetres from clinical descriptions.

Every painter takes the canvas, the (x, y) px where the rash is centred, and returns the name of what it
drew; it marks the lesion's pixels in `canvas.lesion`.
"""

from __future__ import annotations

import cv2
import numpy as np

from training.phantom.canvas import Canvas, edge, linear
from training.phantom.marks import (
    AMBER,
    BLOOD_CRUST,
    FLUID,
    HONEY,
    PUS,
    RAW,
    SCALE,
    Point,
    beside,
    dry_scale,
    papules,
    scatter,
    small_disc,
)
from training.phantom.other_lesions import other


def atopic(c: Canvas, centre: Point) -> str:
    """Ill-defined erythema, dry fine scale, scratches; old ones thick with coarse skin lines."""
    variant = c.rng.choice(["subacute", "excoriated", "lichenified", "weeping"], p=[0.35, 0.3, 0.25, 0.1])
    count = int(c.rng.integers(1, 5))
    area = c.patch(centre, c.rng.uniform(12, 55), rough=0.32, soft=0.75)
    for _ in range(count - 1):
        place = beside(c, centre, 55)
        area = np.maximum(area, c.patch(place, c.rng.uniform(12, 55), rough=0.32, soft=0.75))
    area *= np.clip(0.75 + 0.35 * c.noise.cloud(9 / c.mm), 0.15, 1.25)
    c.blood += area * c.rng.uniform(0.45, 1.0) * (1 + 0.3 * c.noise.cloud(2.5 / c.mm, 2))
    c.lesion |= area > 0.33
    papules(c, area)
    dry_scale(c, area, c.rng.uniform(0.15, 0.5))
    if variant == "lichenified":
        angle = c.rng.uniform(0, np.pi)
        lines = sum(np.abs(c.noise.streaks(12 / c.mm, 1.3 / c.mm, angle + turn)) for turn in (0, 1.1))
        plates = np.clip(lines / 2, 0, 1) * np.clip(area, 0, 1)
        c.relief += 0.45 * plates
        c.melanin += 0.35 * area
        c.blood += 0.25 * plates
    if variant != "subacute":
        _scratches(c, area, int(c.rng.integers(6, 40)), crusted=variant != "lichenified")
    if variant == "weeping":
        _honey_crust(c, area * edge(c.noise.cloud(4 / c.mm) - 1.1, 0.5), thick=0.2)
    return str(variant)


def herpes(c: Canvas, centre: Point) -> str:
    """Grouped vesicles of one size (1-3 mm), dented, later punched-out erosions and dark crusts."""
    kinds = ["vesicles", "erosions", "crusts", "eczema herpeticum", "early"]
    variant = c.rng.choice(kinds, p=[0.3, 0.2, 0.15, 0.27, 0.08])
    spread = variant == "eczema herpeticum"
    groups = int(c.rng.integers(3, 7)) if spread else int(c.rng.integers(1, 4))
    for _ in range(groups):
        _group(c, beside(c, centre, 45 if spread else 14), variant)
    return str(variant)


def _group(c: Canvas, centre: Point, variant: str) -> None:
    spread = variant == "eczema herpeticum"
    radius = c.rng.uniform(14, 35) if spread else c.rng.uniform(5, 14)
    base = c.patch(centre, radius * 1.15, rough=0.25, soft=0.8)
    c.blood += base * c.rng.uniform(0.6, 1.2) * (1 + 0.25 * c.noise.cloud(3 / c.mm, 2))
    c.relief += 0.25 * base
    c.lesion |= base > 0.4
    if variant == "early":
        return papules(c, base, strength=1.5)
    size = c.rng.uniform(1.4, 2.9)  # one size: monomorphic
    count = int(c.rng.integers(22, 60) if spread else c.rng.integers(6, 26))
    for x, y in scatter(c, centre, radius, count, apart=size * 0.85):
        _herpes_spot(c, x, y, size * c.rng.uniform(0.88, 1.12), _age(c, variant))
    return None


def _age(c: Canvas, variant: str) -> str:
    shares = {
        "vesicles": [0.8, 0.15, 0.05, 0.0],
        "erosions": [0.1, 0.05, 0.65, 0.2],
        "crusts": [0.05, 0.1, 0.2, 0.65],
        "eczema herpeticum": [0.25, 0.15, 0.35, 0.25],
    }[variant]
    return str(c.rng.choice(["vesicle", "pustule", "erosion", "crust"], p=shares))


def _herpes_spot(c: Canvas, x: float, y: float, size_mm: float, age: str) -> None:
    found, turn, depth, pus = (
        small_disc(c, x, y, size_mm / 2),
        c.rng.uniform(0, 6),
        c.rng.random(),
        c.rng.random(),
    )
    if found is None:
        return
    here, r, ring, disc = found
    r = r * (1 + 0.06 * np.sin(3 * np.arctan2(c.y[here] - y, c.x[here] - x) + turn))
    c.blood[here] += 0.5 * ring
    c.lesion[here] |= (disc > 0.3) | (ring > 0.6)
    if age == "vesicle" or age == "pustule":
        dent = np.exp(-((r / 0.28) ** 2)) * (0.1 + 0.5 * depth)
        c.relief[here] += (np.sqrt(np.clip(1 - r**2, 0, 1)) - dent) * size_mm * 0.3
        c.gloss[here] += 0.9 * disc
        c.blood[here] += 0.35 * disc
        c.cover(
            disc * (0.3 if age == "vesicle" else 0.75), c.tinted(FLUID if age == "vesicle" else PUS), here
        )
        c.cover(0.4 * disc * dent, RAW, here)
    elif age == "erosion":
        c.relief[here] -= 0.25 * edge(1 - r, 0.25)
        c.gloss[here] += 0.25 * disc
        c.blood[here] += 0.4 * disc
        c.cover(0.7 * edge(1 - r, 0.3), RAW, here)
        c.cover(0.4 * pus * disc * np.exp(-((r / 0.5) ** 2)), c.tinted(PUS), here)
    else:
        c.relief[here] += 0.35 * disc
        c.cover(0.92 * edge(0.85 - r, 0.35), BLOOD_CRUST, here)


def impetigo(c: Canvas, centre: Point) -> str:
    """Honey-coloured crusts of 5-20 mm on raw red skin, fragile bullae, small ones round about."""
    variant = c.rng.choice(["crusted", "bullous", "mixed"], p=[0.6, 0.15, 0.25])
    for _ in range(int(c.rng.integers(1, 5))):
        bulla = variant == "bullous" or (variant == "mixed" and c.rng.random() < 0.4)
        (_bulla if bulla else _crusted_plaque)(c, beside(c, centre, 18), c.rng.uniform(4, 13))
    for _ in range(int(c.rng.integers(0, 9))):
        _crusted_plaque(c, beside(c, centre, 38), c.rng.uniform(1.2, 3))
    return str(variant)


def _crusted_plaque(c: Canvas, centre: Point, radius: float) -> None:
    base = c.patch(centre, radius * 1.3, rough=0.22, soft=0.35)
    c.blood += base * c.rng.uniform(0.6, 1.1)
    c.lesion |= base > 0.5
    raw = c.patch(centre, radius, rough=0.3, soft=0.15)
    c.cover(0.45 * raw, RAW)
    c.gloss += 0.5 * raw
    lumps = c.noise.cloud(max(1.5, 0.35 * radius) / c.mm)
    _honey_crust(c, raw * edge(lumps + c.rng.uniform(0.1, 0.7), 0.5), thick=c.rng.uniform(0.4, 1.1))


def _honey_crust(c: Canvas, share: np.ndarray, thick: float) -> None:
    grain = c.noise.cloud(2.2 / c.mm, 3)
    c.relief += share * thick * (0.7 + 0.22 * grain)
    c.cover(0.85 * share, c.tinted(HONEY, 0.8))
    c.cover(0.6 * share * edge(grain - 0.1, 1.4), AMBER)
    c.cover(0.3 * share * edge(-grain - 0.9, 0.9), c.tinted(linear(214, 176, 112), 0.8))
    c.gloss += 0.18 * share


def _bulla(c: Canvas, centre: Point, radius: float) -> None:
    dome = c.patch(centre, radius, rough=0.06, soft=0.12)
    rim = c.patch(centre, radius * 1.2, rough=0.08, soft=0.3)
    inside = np.clip(1 - ((c.x - centre[0]) ** 2 + (c.y - centre[1]) ** 2) * (c.mm / radius) ** 2, 0, 1)
    c.blood += 0.7 * rim
    c.lesion |= rim > 0.5
    c.relief += dome * np.sqrt(inside) * radius * 0.2
    level = edge((c.y - centre[1]) * c.mm / radius - 0.1, 0.9)  # cloudy fluid sinks
    c.cover(dome * (0.2 + 0.35 * level), c.tinted(PUS))
    c.cover(0.5 * (rim - dome).clip(0) * edge(c.noise.cloud(2 / c.mm), 0.6), c.tinted(SCALE))
    c.gloss += 0.9 * dome


def mycosis(c: Canvas, centre: Point) -> str:
    """Fixed patches and plaques beyond 5 cm, sharp edges, arcs, fine scale, wrinkled thin skin."""
    variant = c.rng.choice(["patch", "plaque", "poikiloderma"], p=[0.45, 0.4, 0.15])
    for _ in range(int(c.rng.integers(2, 7))):
        _mycosis_area(c, beside(c, centre, 90), variant)
    _mycosis_area(c, centre, variant)
    return str(variant)


def _mycosis_area(c: Canvas, centre: Point, variant: str) -> None:
    radius = c.rng.uniform(25, 75)
    area = c.patch(centre, radius, rough=0.16, soft=0.06)
    if c.rng.random() < 0.45:  # an arc: its middle has healed
        gone = beside(c, centre, 0.5 * radius)
        area *= 1 - 0.92 * c.patch(gone, radius * c.rng.uniform(0.5, 0.75), rough=0.12, soft=0.25)
    c.lesion |= area > 0.4
    c.blood += area * c.rng.uniform(0.3, 0.65) * (1 + 0.15 * c.noise.cloud(6 / c.mm))
    c.melanin += area * c.rng.uniform(0.08, 0.4)
    angle = c.rng.uniform(0, np.pi)  # wrinkled like cigarette paper
    wrinkles = c.noise.streaks(9 / c.mm, 0.7 / c.mm, angle) + c.noise.streaks(
        6 / c.mm, 0.8 / c.mm, angle + 1.2
    )
    c.relief += 0.05 * area * wrinkles
    dry_scale(c, area, c.rng.uniform(0.1, 0.35))
    if variant == "plaque":
        c.relief += 0.9 * area
    if variant == "poikiloderma":
        net = np.abs(c.noise.cloud(5 / c.mm))
        c.melanin += 0.5 * area * np.exp(-((net / 0.25) ** 2))
        c.blood += 0.5 * area * edge(0.15 - np.abs(c.noise.cloud(3.5 / c.mm)), 0.2)


def normal(c: Canvas, centre: Point) -> str:
    """Healthy skin; some of it flushed or freckled, which is no lesion."""
    if c.rng.random() < 0.3:
        c.blood += c.patch(centre, c.rng.uniform(30, 90), rough=0.3, soft=1.2) * c.rng.uniform(0.1, 0.3)
    return "healthy"


def _scratches(c: Canvas, area: np.ndarray, count: int, crusted: bool) -> None:
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


PAINTERS = {"AD": atopic, "HI": herpes, "IM": impetigo, "MF": mycosis, "OTHER": other, "NORMAL": normal}
