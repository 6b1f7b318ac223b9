"""What each rash looks like, painted with sizes in millimetres from clinical descriptions.

Every painter takes the canvas, the (x, y) px where the rash is centred, and returns the name of what it
drew; it marks the lesion's pixels in `canvas.lesion`.
"""

from __future__ import annotations

import numpy as np

from training.phantom import marks
from training.phantom.canvas import Canvas, edge, linear, soften
from training.phantom.marks import BLOOD_CRUST, RAW, SCALE, Point

HONEY = linear(190, 134, 62)
AMBER = linear(132, 80, 36)
PUS = linear(226, 206, 150)
FLUID = linear(222, 190, 160)
INK = linear(52, 30, 22)


def atopic(c: Canvas, centre: Point) -> str:
    """Ill-defined erythema, dry fine scale, scratches; old ones thick with coarse skin lines."""
    variant = c.rng.choice(["subacute", "excoriated", "lichenified", "weeping"], p=[0.35, 0.3, 0.25, 0.1])
    area = marks.patches(c, centre, count=c.rng.integers(1, 5), radius=(12, 55), rough=0.32, soft=0.75)
    area *= np.clip(0.75 + 0.35 * c.noise.cloud(9 / c.mm), 0.15, 1.25)
    c.blood += area * c.rng.uniform(0.45, 1.0) * (1 + 0.3 * c.noise.cloud(2.5 / c.mm, 2))
    c.lesion |= area > 0.33
    marks.papules(c, area)
    marks.dryness(c, area, c.rng.uniform(0.15, 0.5))
    if variant == "lichenified":
        angle = c.rng.uniform(0, np.pi)
        lines = sum(np.abs(c.noise.streaks(12 / c.mm, 1.3 / c.mm, angle + turn)) for turn in (0, 1.1))
        plates = np.clip(lines / 2, 0, 1) * np.clip(area, 0, 1)
        c.relief += 0.45 * plates
        c.melanin += 0.35 * area
        c.blood += 0.25 * plates
    if variant != "subacute":
        marks.scratches(c, area, int(c.rng.integers(6, 40)), crusted=variant != "lichenified")
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
        _group(c, marks.beside(c, centre, 45 if spread else 14), variant)
    return str(variant)


def _group(c: Canvas, centre: Point, variant: str) -> None:
    spread = variant == "eczema herpeticum"
    radius = c.rng.uniform(14, 35) if spread else c.rng.uniform(5, 14)
    base = c.patch(centre, radius * 1.15, rough=0.25, soft=0.8)
    c.blood += base * c.rng.uniform(0.6, 1.2) * (1 + 0.25 * c.noise.cloud(3 / c.mm, 2))
    c.relief += 0.25 * base
    c.lesion |= base > 0.4
    if variant == "early":
        return marks.papules(c, base, strength=1.5)
    size = c.rng.uniform(1.4, 2.9)  # one size: monomorphic
    count = int(c.rng.integers(22, 60) if spread else c.rng.integers(6, 26))
    for x, y in marks.scatter(c, centre, radius, count, apart=size * 0.85):
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
        marks.disc(c, x, y, size_mm / 2),
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
        (_bulla if bulla else _crusted_plaque)(c, marks.beside(c, centre, 18), c.rng.uniform(4, 13))
    for _ in range(int(c.rng.integers(0, 9))):
        _crusted_plaque(c, marks.beside(c, centre, 38), c.rng.uniform(1.2, 3))
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
        _mycosis_area(c, marks.beside(c, centre, 90), variant)
    _mycosis_area(c, centre, variant)
    return str(variant)


def _mycosis_area(c: Canvas, centre: Point, variant: str) -> None:
    radius = c.rng.uniform(25, 75)
    area = c.patch(centre, radius, rough=0.16, soft=0.06)
    if c.rng.random() < 0.45:  # an arc: its middle has healed
        gone = marks.beside(c, centre, 0.5 * radius)
        area *= 1 - 0.92 * c.patch(gone, radius * c.rng.uniform(0.5, 0.75), rough=0.12, soft=0.25)
    c.lesion |= area > 0.4
    c.blood += area * c.rng.uniform(0.3, 0.65) * (1 + 0.15 * c.noise.cloud(6 / c.mm))
    c.melanin += area * c.rng.uniform(0.08, 0.4)
    angle = c.rng.uniform(0, np.pi)
    wrinkles = c.noise.streaks(9 / c.mm, 0.7 / c.mm, angle) + c.noise.streaks(
        6 / c.mm, 0.8 / c.mm, angle + 1.2
    )
    c.relief += 0.05 * area * wrinkles
    marks.dryness(c, area, c.rng.uniform(0.1, 0.35))
    if variant == "plaque":
        c.relief += 0.9 * area
    if variant == "poikiloderma":
        net = np.abs(c.noise.cloud(5 / c.mm))
        c.melanin += 0.5 * area * np.exp(-((net / 0.25) ** 2))
        c.blood += 0.5 * area * edge(0.15 - np.abs(c.noise.cloud(3.5 / c.mm)), 0.2)


def psoriasis(c: Canvas, centre: Point) -> str:
    """Sharp salmon plaques under thick silvery scale."""
    for _ in range(int(c.rng.integers(1, 5))):
        place, radius = marks.beside(c, centre, 45), c.rng.uniform(8, 40)
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
        place, radius = marks.beside(c, centre, 55), c.rng.uniform(4, 24)
        area = c.patch(place, radius, rough=0.25, soft=0.25)
        c.lesion |= area > 0.4
        c.blood += area * (0.75 - 0.45 * edge(area - 0.8, 0.5))
        c.relief += 1.1 * soften(area, max(0.5, 1.2 / c.mm))
    return "urticaria"


def naevi(c: Canvas, centre: Point) -> str:
    """A few brown spots of 2-8 mm."""
    for index in range(int(c.rng.integers(1, 7))):
        place = centre if not index else marks.beside(c, centre, 40)
        area = c.patch(place, c.rng.uniform(1.2, 4.5), rough=0.12, soft=0.3)
        c.lesion |= area > 0.4
        c.melanin += area * c.rng.uniform(1.2, 2.6) * np.clip(1 + 0.2 * c.noise.cloud(1.2 / c.mm), 0.4, 1.6)
        c.relief += c.rng.choice([0, 0.6]) * area
    return "naevi"


def tinea(c: Canvas, centre: Point) -> str:
    """A ring with a raised, scaling edge and a healing middle."""
    for _ in range(int(c.rng.integers(1, 4))):
        place, radius = marks.beside(c, centre, 25), c.rng.uniform(10, 32)
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
    for x, y in marks.scatter(c, centre, 45, int(c.rng.integers(15, 60)), apart=3.5):
        size, kind = c.rng.uniform(1, 5), c.rng.choice(["papule", "pustule", "comedo"], p=[0.55, 0.25, 0.2])
        found = marks.disc(c, x, y, size / 2)
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
        place = centre if not index else marks.beside(c, centre, 45)
        area = c.patch(place, c.rng.uniform(5, 40), rough=0.25, soft=0.05)
        c.lesion |= area > 0.5
        c.melanin -= lost * area * np.clip(1 + 0.1 * c.noise.cloud(4 / c.mm), 0.6, 1.2)
    return "vitiligo"


def actinic_keratosis(c: Canvas, centre: Point) -> str:
    """Rough red-brown spots of 3-12 mm under yellowish scale, on freckled skin."""
    c.melanin += 0.35 * edge(c.noise.cloud(4 / c.mm, 2) - 1.6, 0.5)
    c.blood += 0.12 * np.abs(c.noise.cloud(20 / c.mm, 2))
    for index in range(int(c.rng.integers(1, 10))):
        place = centre if not index else marks.beside(c, centre, 40)
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
        place = centre if not index else marks.beside(c, centre, 45)
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
        area = np.maximum(area, c.patch(marks.beside(c, centre, 40), radius, rough=rough, soft=soft))
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


def normal(c: Canvas, centre: Point) -> str:
    """Healthy skin; some of it flushed or freckled, which is no lesion."""
    if c.rng.random() < 0.3:
        c.blood += c.patch(centre, c.rng.uniform(30, 90), rough=0.3, soft=1.2) * c.rng.uniform(0.1, 0.3)
    return "healthy"


PAINTERS = {"AD": atopic, "HI": herpes, "IM": impetigo, "MF": mycosis, "OTHER": other, "NORMAL": normal}
