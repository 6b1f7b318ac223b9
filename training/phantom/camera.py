"""Light falls on the relief, and a phone takes the photo."""

from __future__ import annotations

import cv2
import numpy as np

LIGHTS = {  # tint of red, green, blue; share of light from everywhere; how bright
    "daylight": ((1.0, 1.0, 1.0), 0.62, 1.0),
    "warm": ((1.12, 0.98, 0.78), 0.55, 0.95),
    "cool": ((0.93, 1.0, 1.1), 0.6, 0.95),
    "flash": ((1.02, 1.0, 0.98), 0.35, 1.15),
    "dark": ((1.08, 0.98, 0.86), 0.5, 0.42),
}


def shade(rng: np.random.Generator, light: str, height: np.ndarray, gloss: np.ndarray, mm: float) -> tuple:
    """Return diffuse and specular light (H, W) on a surface of this height (mm)."""
    _, ambient, _ = LIGHTS[light]
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0) / (8 * mm)
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1) / (8 * mm)
    steep = 1 / np.sqrt(1 + slope_x**2 + slope_y**2)
    tilt, turn = (0.12 if light == "flash" else rng.uniform(0.35, 0.85)), rng.uniform(0, 2 * np.pi)
    sun = np.array([np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)])
    facing = np.clip((sun[2] - sun[0] * slope_x - sun[1] * slope_y) * steep, 0, None)
    half = sun + np.array([0, 0, 1])
    half /= np.linalg.norm(half)
    shine = np.clip((half[2] - half[0] * slope_x - half[1] * slope_y) * steep, 0, None) ** rng.uniform(18, 45)
    # Skin is lit from below its surface too, so shadows are soft and never black.
    diffuse = ambient + (1 - ambient) * facing / sun[2]
    return diffuse.clip(0, 1.6), gloss * shine * rng.uniform(0.15, 0.45)


def falloff(rng: np.random.Generator, light: str, shape: tuple[int, int]) -> np.ndarray:
    """Return how bright the light is across the view: a flash fades outwards, a window to one side."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j].astype(np.float32)
    if light == "flash":
        return 1.12 - 0.32 * (x**2 + y**2)
    turn, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.25)
    return 1 + strength * (x * np.cos(turn) + y * np.sin(turn))


def develop(rng: np.random.Generator, light: np.ndarray, kind: str) -> np.ndarray:
    """Return the photo (H, W, 3) float 0..1 in sRGB from linear light; the phone exposes half-way to grey."""
    tint, _, level = LIGHTS[kind]
    middle = light[light.shape[0] // 4 : -light.shape[0] // 4, light.shape[1] // 4 : -light.shape[1] // 4]
    exposure = level * np.exp(rng.normal(0, 0.12)) * (0.34 / max(0.02, float(middle.mean()))) ** 0.5
    seen = np.clip(light * (np.asarray(tint, np.float32) * np.float32(exposure)), 0, None)
    seen = seen / (1 + 0.25 * seen**2)  # highlights roll off instead of clipping
    return cv2.pow(seen * 1.15, 1 / 2.2)


def take(rng: np.random.Generator, photo: np.ndarray, blur: float, noise: float, quality: int) -> np.ndarray:
    """Return what the phone stores: blurred, noisy, JPEG of this quality, RGB uint8."""
    if blur > 0.25:
        photo = cv2.GaussianBlur(photo, (0, 0), blur)
    grain = rng.standard_normal(photo.shape[:2], dtype=np.float32)[..., None]
    colour = rng.standard_normal((photo.shape[0] // 2 + 1, photo.shape[1] // 2 + 1, 3), dtype=np.float32)
    colour = cv2.resize(colour, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    pixels = (np.clip(photo + noise * (grain + 0.5 * colour), 0, 1) * 255 + 0.5).astype(np.uint8)
    _, stored = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(stored, cv2.IMREAD_COLOR)[..., ::-1])
