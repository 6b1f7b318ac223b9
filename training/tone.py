"""How dark skin is in a photo: the individual typology angle (Chardon et al. 1991), in degrees."""

from __future__ import annotations

import cv2
import numpy as np

LEAST = 500  # px of skin; fewer say nothing
THIRDS = ("darkest third", "middle third", "lightest third")


def typology_angle(photo: np.ndarray, skin: np.ndarray) -> float:
    """Return the angle of the median colour of `skin` (H, W) bool in an RGB photo; nan for too little skin.

    Below about 10 is brown, below -30 dark, above 41 light. Light and camera move it by tens of degrees: it sorts
    photos, it does not measure people.
    """
    if np.count_nonzero(skin) < LEAST:
        return np.nan
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[skin]
    lightness, _, yellow = np.median(lab, axis=0)
    return float(np.degrees(np.arctan2(lightness - 50, max(yellow, 1e-3))))


def thirds(angles: np.ndarray) -> dict[str, np.ndarray]:
    """Return the indices of the photos of each third that has one; photos without an angle are in none."""
    order = np.argsort(angles, kind="stable")[: np.count_nonzero(~np.isnan(angles))]
    split = zip(THIRDS, np.array_split(order, len(THIRDS)), strict=True)
    return {name: own for name, own in split if own.size}
