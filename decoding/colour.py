"""Converts colours that are described by code numbers, not by an ICC profile, to sRGB.

Code points (CICP): ITU-T H.273. PQ and HLG: ITU-R BT.2100. HDR is shown relative to the reference white of
203 cd/m² (ITU-R BT.2408), which becomes the white of sRGB; what is brighter is rolled off by the curve of
ITU-R BT.2390 (5.4.1) with the picture's own peak, on the largest channel, so that hues stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

REFERENCE_WHITE = 203.0  # cd/m²
PQ_PEAK, HLG_PEAK = 10_000.0, 1_000.0  # cd/m²
HLG_GAMMA = 1.2  # of the system at HLG_PEAK
PEAK_PERCENTILE = 99.9  # what is brighter is a reflection or noise
LEVELS = 65_536
D65, DCI_WHITE, C_WHITE, E_WHITE = (0.3127, 0.3290), (0.314, 0.351), (0.310, 0.316), (1 / 3, 1 / 3)
Primaries = tuple[tuple[float, float], ...]  # xy of red, green, blue, white
SRGB_PRIMARIES: Primaries = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65)
PRIMARIES: dict[int, Primaries] = {
    1: SRGB_PRIMARIES,
    2: SRGB_PRIMARIES,  # unspecified
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), C_WHITE),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), C_WHITE),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    10: ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), E_WHITE),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), DCI_WHITE),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def _srgb(signal: np.ndarray) -> np.ndarray:
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def _bt709(signal: np.ndarray) -> np.ndarray:
    return np.where(signal < 0.081242858, signal / 4.5, ((signal + 0.099296827) / 1.099296827) ** (1 / 0.45))


def _smpte240(signal: np.ndarray) -> np.ndarray:
    return np.where(signal < 0.0913, signal / 4, ((signal + 0.1115) / 1.1115) ** (1 / 0.45))


def _pq(signal: np.ndarray) -> np.ndarray:
    """Return light relative to the reference white."""
    root = signal ** (1 / PQ_M2)
    return (np.maximum(root - PQ_C1, 0) / (PQ_C2 - PQ_C3 * root)) ** (1 / PQ_M1) * PQ_PEAK / REFERENCE_WHITE


PQ_M1, PQ_M2 = 2610 / 16384, 2523 / 4096 * 128
PQ_C1, PQ_C2, PQ_C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def _to_pq(light: np.ndarray) -> np.ndarray:
    power = (light * REFERENCE_WHITE / PQ_PEAK) ** PQ_M1
    return ((PQ_C1 + PQ_C2 * power) / (1 + PQ_C3 * power)) ** PQ_M2


def _hlg(signal: np.ndarray) -> np.ndarray:
    """Return light of the scene, 0 to 1; the display's follows from all three channels (`to_srgb`)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def _power(exponent: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda signal: signal**exponent


PQ, HLG = 16, 18
TRANSFERS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: _bt709,
    2: _srgb,  # unspecified
    4: _power(2.2),
    5: _power(2.8),
    6: _bt709,
    7: _smpte240,
    8: _power(1.0),
    13: _srgb,
    14: _bt709,
    15: _bt709,
    PQ: _pq,
    17: lambda signal: signal**2.6 * 52.37 / 48,
    HLG: _hlg,
}


@dataclass(frozen=True)
class Coding:
    """What the levels of a picture mean: xy of its primaries and white, and light for a signal of 0 to 1."""

    primaries: Primaries
    to_light: Callable[[np.ndarray], np.ndarray]

    @property
    def is_hdr(self) -> bool:
        return self.to_light in (_pq, _hlg)

    @property
    def is_srgb(self) -> bool:
        return self.to_light is _srgb and np.allclose(self.primaries, SRGB_PRIMARIES, atol=2e-3)


ADOBE_RGB = Coding(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65), _power(563 / 256))


def of_cicp(primaries: int, transfer: int) -> Coding | None:
    """Return the coding of two code points of H.273; None where one of them is not known."""
    if primaries not in PRIMARIES or transfer not in TRANSFERS:
        return None
    return Coding(PRIMARIES[primaries], TRANSFERS[transfer])


def of_png(chunks: dict[bytes, bytes]) -> Coding | None:
    """Return what sRGB, else gAMA and cHRM say (PNG third edition, 4.3); None without them or with impossible ones."""
    if b"sRGB" in chunks or not chunks.keys() & {b"gAMA", b"cHRM"}:
        return None
    to_light, primaries = _srgb, SRGB_PRIMARIES
    if len(gamma := chunks.get(b"gAMA", b"")) == 4:
        exponent = int.from_bytes(gamma, "big") / 100_000
        if not 0.1 <= exponent <= 2:
            return None
        # 1/2.2 is what writers of sRGB put there for old readers (11.3.2.5).
        to_light = _srgb if abs(exponent - 1 / 2.2) < 0.001 else _power(1 / exponent)
    if len(corners := chunks.get(b"cHRM", b"")) == 32:
        white, *rgb = ((float(x), float(y)) for x, y in np.frombuffer(corners, ">u4").reshape(4, 2) / 100_000)
        primaries = (*rgb, white)
        if min(y for _x, y in primaries) <= 0 or abs(np.linalg.det(_to_xyz(primaries, scaled=False))) < 1e-3:
            return None
    return Coding(primaries, to_light)


def to_srgb(levels: np.ndarray, coding: Coding, white: int) -> np.ndarray:
    """Return (H, W, 3) uint8 in sRGB of levels (H, W, 3), integer or not, whose largest is `white`."""
    table = coding.to_light(np.linspace(0, 1, LEVELS)).astype(np.float32)
    scaled = np.rint(levels.astype(np.float32) * np.float32((LEVELS - 1) / white))
    light = table[scaled.clip(0, LEVELS - 1).astype(np.uint16)]
    if coding.to_light is _hlg:
        luminance = np.maximum(light @ _to_xyz(coding.primaries)[1].astype(np.float32), 1e-6)
        light *= (HLG_PEAK / REFERENCE_WHITE * luminance ** (HLG_GAMMA - 1))[..., None].astype(np.float32)
    to_xyz, srgb_to_xyz = _to_xyz(coding.primaries), _to_xyz(SRGB_PRIMARIES)
    ours, theirs = (BRADFORD @ matrix.sum(axis=1) for matrix in (srgb_to_xyz, to_xyz))
    adapted = np.linalg.inv(BRADFORD) @ np.diag(ours / theirs) @ BRADFORD  # white to white
    to_linear_srgb = np.linalg.inv(srgb_to_xyz) @ adapted @ to_xyz
    light = np.maximum(light @ to_linear_srgb.T.astype(np.float32), 0)
    if coding.is_hdr:
        light = _rolled_off(light)
    return SRGB_LEVELS[np.rint(light.clip(0, 1) * (LEVELS - 1)).astype(np.uint16)]


_LIGHT = np.linspace(0, 1, LEVELS)
_SIGNAL = np.where(_LIGHT <= 0.0031308, _LIGHT * 12.92, 1.055 * _LIGHT ** (1 / 2.4) - 0.055)
SRGB_LEVELS = np.rint(255 * _SIGNAL).astype(np.uint8)


def _to_xyz(primaries: Primaries, scaled: bool = True) -> np.ndarray:
    """Return linear RGB to XYZ; unscaled, white is the sum of three equal parts."""
    xyz = np.array([[x / y, 1, (1 - x - y) / y] if y else [x, y, 1 - x - y] for x, y in primaries]).T
    return xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3]) if scaled else xyz[:, :3]


def _rolled_off(light: np.ndarray) -> np.ndarray:
    """Return light of 1 at most; below the knee of the curve nothing changes, nor where nothing is above white."""
    largest = light.max(axis=2)
    # Not np.percentile: it imports a module at its first call, and the decoder can open no file.
    place = round((largest.size - 1) * PEAK_PERCENTILE / 100)
    peak = float(np.partition(largest, place, axis=None)[place])
    if peak <= 1:
        return light
    samples = np.linspace(0, peak, LEVELS)
    # The EETF of BT.2390 for black at 0, all in PQ.
    signal, source_peak, target_peak = _to_pq(samples), _to_pq(np.array(peak)), _to_pq(np.array(1.0))
    level, most = signal / source_peak, target_peak / source_peak
    knee = 1.5 * most - 0.5
    t = ((level - knee) / (1 - knee)).clip(0, 1)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * most
    )
    curve = _pq(np.where(level < knee, level, spline) * source_peak)
    factor = np.divide(curve, samples, out=np.ones_like(samples), where=samples > 0).astype(np.float32)
    index = np.rint(largest.clip(0, peak) * np.float32((LEVELS - 1) / peak)).astype(np.uint16)
    return light * factor[index][..., None]
