"""A drawn rash on the skin of a real photo: real texture, light and camera, and still a known truth.

Not to scale: how far that camera was nobody wrote down, so the size of a pixel is the caller's guess. These
pictures train networks; they are never shown as a person's skin.
"""

from __future__ import annotations

import cv2
import numpy as np

from training.phantom import camera
from training.phantom.canvas import BLOOD, MELANIN, Canvas, soften
from training.phantom.lesions import PAINTERS
from training.phantom.other_lesions import anything
from training.phantom.skin import draw_hairs

LEAST_SKIN = 0.05  # of the photo; less is no place for a rash
GAMMA = 2.2
ANYTHING = "ANY"  # no condition of `phantom`: only networks that look for lesions learn from it
ON_PEOPLE = PAINTERS | {ANYTHING: anything}


def paint(
    rng: np.random.Generator, photo: np.ndarray, skin: np.ndarray, condition: str, mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the photo (H, W, 3) uint8 RGB with a rash on `skin` (H, W) bool, and where it is (H, W) bool.

    `mm` is the side of a pixel. Some of the skin is flushed or hairy besides, which is no lesion. A photo
    with too little skin comes back as it is.
    """
    if skin.mean() < LEAST_SKIN:
        return photo, np.zeros(skin.shape, bool)
    light = cv2.pow(photo.astype(np.float32) / 255, GAMMA)
    canvas = Canvas(rng, skin.shape, mm, tuple(float(v) for v in np.median(light[skin], axis=0)))
    if rng.random() < 0.25:
        draw_hairs(canvas, int(rng.uniform(20, 200)))
    if rng.random() < 0.25:
        # Warm cheeks, pressure marks, sun: red without an edge.
        radius = rng.uniform(0.15, 0.5) * max(skin.shape) * mm
        flushed = canvas.patch(_somewhere(rng, skin), radius, rough=0.3, soft=1.4)
        canvas.blood += flushed * rng.uniform(0.1, 0.4)
    ON_PEOPLE[condition](canvas, _somewhere(rng, skin))
    share = cv2.GaussianBlur(skin.astype(np.float32), (0, 0), 1.0)[..., None] * skin[..., None]
    seen = light + share * (_seen(canvas, light) - light)
    pixels = cv2.pow(np.clip(seen, 0, 1), 1 / GAMMA) * 255 + 0.5
    return pixels.astype(np.uint8), canvas.lesion & skin


def _somewhere(rng: np.random.Generator, skin: np.ndarray) -> tuple[float, float]:
    y, x = divmod(int(rng.choice(np.flatnonzero(skin))), skin.shape[1])
    return float(x), float(y)


def _seen(canvas: Canvas, light: np.ndarray) -> np.ndarray:
    """Return the light (H, W, 3) that comes back once the canvas lies on the skin.

    What is painted over takes the photo's own light and shadow: how much brighter than its skin it is here.
    """
    local = soften(light.mean(axis=2), 2.0)[..., None] / max(1e-3, float(np.mean(canvas.skin)))
    local = np.clip(local, 0.15, 2.5)
    diffuse, shine = camera.shade(canvas.rng, "daylight", canvas.relief, canvas.gloss - 0.1, canvas.mm)
    through = np.exp(-canvas.melanin[..., None] * MELANIN - canvas.blood[..., None] * BLOOD)
    paint = canvas.paint.transpose(1, 2, 0)
    below = light * through * (1 - canvas.opaque[..., None])
    return ((below + paint * local) * diffuse[..., None] + shine[..., None] * local).astype(np.float32)
