"""Procedural photos of skin with true masks: for the demo, for tests, and to train on.

    scene = phantom.draw(7, condition="HI", distance_cm=20, tone=30)
    scene.photo  # (H, W, 3) uint8 RGB
    scene.mask   # (H, W) uint8: 0 background, 1 skin, 2 lesion
    scene.parameters

The same seed and arguments give the same bytes. No person was photographed. Lesions follow clinical
descriptions (lesions.py); they are good for exercising the system, and are not evidence about patients.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from training.phantom import backdrop, camera
from training.phantom.body import SITES, Body
from training.phantom.canvas import Canvas, edge, soften
from training.phantom.lesions import PAINTERS
from training.phantom.skin import colour_of, cover_with_skin

VERSION = "3"  # of what is drawn; counts up when the same seed gives another scene
CONDITIONS = tuple(PAINTERS)
LONG_SIDE = 768  # px
VIEW_PER_DISTANCE = 1.1  # a phone's main camera sees 58 degrees: 1.1 cm across for each cm of distance
FIELDS_CM = (4, 120)
SITES_OF = {  # where a condition is usually photographed; normal and other anywhere
    "AD": {"limb": 5, "close_up": 3, "trunk": 1, "face": 1, "hand": 1},
    "HI": {"face": 4, "close_up": 4, "trunk": 2, "limb": 1, "hand": 1},
    "IM": {"face": 5, "close_up": 3, "limb": 3},
    "MF": {"trunk": 6, "close_up": 1, "limb": 3},
    "OTHER": {"limb": 2, "close_up": 3, "trunk": 3, "face": 2, "hand": 1},
    "NORMAL": {"limb": 2, "close_up": 2, "trunk": 2, "face": 2, "hand": 2},
}
FIELD_OF_SITE_CM = {
    "close_up": (4, 16),
    "limb": (8, 60),
    "trunk": (15, 120),
    "face": (6, 32),
    "hand": (10, 45),
}


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How a scene was drawn. `tone` is the individual typology angle in degrees, `blur` is in px."""

    seed: int
    condition: str
    variant: str
    site: str
    backdrop: str
    light: str
    tone: float
    distance_cm: float
    mm_per_px: float
    blur: float
    noise: float
    jpeg: int


@dataclass(frozen=True)
class Scene:
    """A photo, its true mask and how it was drawn."""

    photo: np.ndarray
    mask: np.ndarray
    parameters: Parameters


def draw(
    seed: int,
    *,
    condition: str | None = None,
    distance_cm: float | None = None,
    tone: float | None = None,
    site: str | None = None,
    light: str | None = None,
    blur: float | None = None,
    long_side: int = LONG_SIDE,
) -> Scene:
    """Draw one scene; what is not given is drawn at random from the seed.

    Raises ValueError for an unknown condition, site or light.
    """
    rng = np.random.default_rng([seed, 20231])
    condition = _one_of(rng, condition, dict.fromkeys(CONDITIONS, 1))
    site = _one_of(rng, site, SITES_OF[condition], SITES)
    light = _one_of(rng, light, {"daylight": 4, "warm": 2, "cool": 2, "flash": 2, "dark": 1})
    field = np.exp(rng.uniform(*np.log(FIELD_OF_SITE_CM[site])))
    field = distance_cm * VIEW_PER_DISTANCE if distance_cm else field
    tone = float(rng.uniform(-60, 70)) if tone is None else tone
    blur = float(max(0.0, rng.exponential(0.7) - 0.3)) if blur is None else blur
    behind = str(rng.choice(list(backdrop.BACKDROPS)))
    short = int(long_side * 0.75)
    shape = (long_side, short) if rng.random() < 0.5 else (short, long_side)
    parameters = Parameters(
        seed=seed,
        condition=condition,
        variant="",
        site=site,
        backdrop=behind,
        light=light,
        tone=round(tone, 1),
        distance_cm=round(field / VIEW_PER_DISTANCE, 1),
        mm_per_px=field * 10 / long_side,
        blur=round(blur, 2),
        noise=round(float(rng.uniform(0.002, 0.02)), 4),
        jpeg=int(rng.integers(55, 96)),
    )
    return _photograph(rng, shape, parameters)


def _one_of(
    rng: np.random.Generator, wish: str | None, odds: dict[str, int], known: dict | None = None
) -> str:
    names = known or odds
    drawn = str(rng.choice(list(odds), p=np.array(list(odds.values())) / sum(odds.values())))
    if wish is not None and wish not in names:
        raise ValueError(f"{wish!r} cannot be drawn; known: {', '.join(names)}")
    return wish or drawn


def _photograph(rng: np.random.Generator, shape: tuple[int, int], parameters: Parameters) -> Scene:
    # Each part has random numbers of its own, so that the same rash is drawn from any distance.
    pose, skin, rash, lamp, phone = rng.spawn(5)
    canvas = Canvas(pose, shape, parameters.mm_per_px, colour_of(parameters.tone))
    body = _pose(canvas, parameters.site)
    canvas.rng = skin
    cover_with_skin(canvas, body, hairy=0.1 if parameters.site == "face" else skin.uniform(0, 1))
    canvas.rng = rash
    variant = PAINTERS[parameters.condition](canvas, _focus(canvas, body, parameters))
    canvas.rng = lamp
    light = _lit(canvas, body, parameters)
    photo = camera.develop(phone, light, parameters.light)
    photo = camera.take(phone, photo, parameters.blur, parameters.noise, parameters.jpeg)
    is_skin = body.inside > 0
    if body.openings is not None:
        is_skin &= body.openings < 0.5
    mask = np.where(is_skin, np.where(canvas.lesion, 2, 1), 0).astype(np.uint8)
    return Scene(photo, mask, dataclasses.replace(parameters, variant=variant))


def _pose(canvas: Canvas, site: str) -> Body:
    """Lay the body part under the camera, turned as people turn it."""
    turn = canvas.rng.normal(0, 0.25) if site == "face" else canvas.rng.uniform(0, 2 * np.pi)
    x = (canvas.x - canvas.shape[1] / 2) * canvas.mm
    y = (canvas.y - canvas.shape[0] / 2) * canvas.mm
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    return SITES[site](canvas.rng, along.astype(np.float32), across.astype(np.float32))


def _focus(canvas: Canvas, body: Body, parameters: Parameters) -> tuple[float, float]:
    """Return the (x, y) px on skin that the photo is about: near its middle, by the lips for a cold sore."""
    weight = np.exp(
        -(((canvas.x / canvas.shape[1] - 0.5) / 0.22) ** 2) - ((canvas.y / canvas.shape[0] - 0.5) / 0.22) ** 2
    )
    weight = weight * (body.inside > 4)
    if body.lips is not None and parameters.condition in ("HI", "IM"):
        weight = weight * (0.01 + soften(body.lips.astype(np.float32), max(1.0, 5 / canvas.mm)))
    heap = np.cumsum(weight.ravel())
    index = int(np.searchsorted(heap, canvas.rng.random() * heap[-1]))
    y, x = divmod(min(index, heap.size - 1), canvas.shape[1])
    return float(x), float(y)


def _lit(canvas: Canvas, body: Body, parameters: Parameters) -> np.ndarray:
    """Return the light (H, W, 3) that comes from the scene."""
    rng, mm = canvas.rng, canvas.mm
    height = (body.bulge + canvas.relief).astype(np.float32)
    diffuse, shine = camera.shade(rng, parameters.light, height, canvas.gloss, mm)
    skin = canvas.albedo() * diffuse[..., None] + shine[..., None]
    share = edge(body.inside / mm, 2.0)[..., None].astype(np.float32)
    shadow = soften(share[..., 0], float(np.clip(12 / mm, 1, 40)))[..., None]
    picture = skin * share
    if share.min() < 1:
        picture = picture + backdrop.behind(canvas, parameters.backdrop) * (1 - 0.4 * shadow) * (1 - share)
    return (picture * camera.falloff(rng, parameters.light, canvas.shape)[..., None]).astype(np.float32)
