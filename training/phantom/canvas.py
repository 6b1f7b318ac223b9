"""The skin that lesions are painted on: absorption, relief, gloss and truth, all in millimetres.

Blood and melanin absorb (Beer-Lambert), so that the same rash is bright red on light skin and dusky on
dark skin, as it is in life.
"""

from __future__ import annotations

import cv2
import numpy as np

COARSE = 4
BLOOD = np.array([0.10, 0.80, 0.62], np.float32)  # absorption of red, green, blue light
MELANIN = np.array([0.36, 0.58, 0.86], np.float32)


class Noise:
    """Smooth random fields of zero mean and about unit deviation, (H, W) float32."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int]) -> None:
        self.rng, self.shape = rng, shape

    def cloud(self, cell: float, octaves: int = 3) -> np.ndarray:
        """Return fractal noise whose largest features are `cell` px wide."""
        total = np.zeros(self.shape, np.float32)
        for octave in range(octaves):
            total += 0.5**octave * self.streaks(cell / 2**octave, cell / 2**octave, 0)
        return total / np.sqrt(sum(0.25**octave for octave in range(octaves)))

    def streaks(self, length: float, width: float, angle: float) -> np.ndarray:
        """Return noise drawn out to `length` x `width` px along an angle in radians."""
        seen = min(1.0, (width / 2.2) ** 1.5)  # finer than a pixel: averaged away
        length, width = max(1.2, length), max(1.2, width)
        if min(length, width) > 4 * COARSE:  # smooth enough to be made small: eight times as fast
            small = (self.shape[0] // COARSE + 1, self.shape[1] // COARSE + 1)
            field = Noise(self.rng, small).streaks(length / COARSE, width / COARSE, angle)
            return cv2.resize(field, self.shape[::-1], interpolation=cv2.INTER_LINEAR)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        inverse = turn / np.array([[length], [width]])
        height, wide = self.shape
        corners = inverse @ np.array([[0, wide, 0, wide], [0, 0, height, height]])
        low, high = corners.min(axis=1), corners.max(axis=1)
        grid = self.rng.standard_normal(np.ceil(high - low + 5).astype(int)[::-1], dtype=np.float32)
        matrix = np.hstack([inverse, (2 + self.rng.random(2) - low)[:, None]])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        return (
            1.3
            * seen
            * cv2.warpAffine(grid, matrix, (wide, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
        )


class Canvas:
    """One view of skin. Maps are (H, W) float32; `mm` is the side of a pixel, `skin` its linear RGB."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int], mm: float, skin: tuple) -> None:
        self.rng, self.shape, self.mm, self.skin = rng, shape, mm, skin
        # Textures take more random numbers from nearby than from afar; sizes and places must not notice.
        self.noise = Noise(rng.spawn(1)[0], shape)
        self.blood = np.zeros(shape, np.float32)
        self.melanin = np.zeros(shape, np.float32)
        self.relief = np.zeros(shape, np.float32)  # mm above the skin
        self.gloss = np.full(shape, 0.10, np.float32)
        self.paint = np.zeros((3, *shape), np.float32)  # opaque matter, already weighed by how opaque
        self.opaque = np.zeros(shape, np.float32)
        self.lesion = np.zeros(shape, bool)
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        self.x, self.y = x, y

    def cover(self, share: np.ndarray, colour: tuple[float, float, float], here: tuple = np.s_[:, :]) -> None:
        """Lay an opaque colour (linear RGB) on a share 0..1 of each pixel of the window `here`."""
        share = np.clip(share, 0, 1).astype(np.float32)
        for plane, value in zip([*self.paint, self.opaque], [*colour, 1.0], strict=True):
            plane[here] += share * (np.float32(value) - plane[here])

    def tinted(self, colour: tuple[float, float, float], own: float = 0.5) -> tuple[float, ...]:
        """Return a colour as it looks on this skin: scale, fluid and crust let some of what is below through."""
        return tuple(own * a + (1 - own) * min(1.0, 1.5 * b) for a, b in zip(colour, self.skin, strict=True))

    def patch(
        self, centre: tuple[float, float], radius_mm: float, *, rough: float, soft: float
    ) -> np.ndarray:
        """Return an irregular patch, 1 inside and 0 outside.

        `centre` is (x, y) px; `rough` is how far its outline wanders, `soft` how wide its edge is, as shares
        of the radius.
        """
        radius = radius_mm / self.mm
        turn, stretch = self.rng.uniform(0, np.pi), np.exp(self.rng.uniform(-0.4, 0.4))
        dx, dy = self.x - centre[0], self.y - centre[1]
        along = (dx * np.cos(turn) + dy * np.sin(turn)) * stretch
        across = (dy * np.cos(turn) - dx * np.sin(turn)) / stretch
        distance = np.sqrt(along**2 + across**2) / radius
        distance += rough * self.noise.cloud(max(6.0, 0.7 * radius), 4)
        return edge(1 - distance, max(soft, 1.0 / radius))

    def near(
        self, x: float, y: float, reach: float
    ) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray] | None:
        """Return a window of `reach` px about (x, y) with the offsets from it, or None outside the view."""
        height, width = self.shape
        rows = slice(max(0, int(y - reach)), min(height, int(y + reach) + 2))
        columns = slice(max(0, int(x - reach)), min(width, int(x + reach) + 2))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
        return (rows, columns), self.x[rows, columns] - x, self.y[rows, columns] - y

    def albedo(self) -> np.ndarray:
        """Return the share of light sent back, (H, W, 3) linear RGB."""
        planes = [
            np.minimum(value * np.exp(-m * self.melanin - b * self.blood), 0.9) * (1 - self.opaque) + paint
            for value, m, b, paint in zip(self.skin, MELANIN, BLOOD, self.paint, strict=True)
        ]
        return cv2.merge([plane.astype(np.float32) for plane in planes])


def soften(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Blur by `sigma` px; a wide blur is done on a small copy, which shows no difference."""
    if sigma < 2 * COARSE:
        return cv2.GaussianBlur(pixels, (0, 0), sigma)
    size = pixels.shape[1::-1]
    small = cv2.resize(pixels, (size[0] // COARSE + 1, size[1] // COARSE + 1), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / COARSE), size, interpolation=cv2.INTER_LINEAR)


def edge(inside: np.ndarray, width: float) -> np.ndarray:
    """Return a smooth step from 0 to 1 where `inside` crosses zero, `width` wide."""
    t = np.clip(inside / width + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def linear(red: int, green: int, blue: int) -> tuple[float, float, float]:
    """Return an sRGB colour 0..255 as linear light 0..1."""
    return tuple(float((c / 255) ** 2.2) for c in (red, green, blue))
