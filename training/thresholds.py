"""What colour alone finds: the yardstick that a network has to beat.

Skin by fixed bounds on chroma (Chai and Ngan 1999) and saturation, lesion as the redder part of it by Otsu's split
of a* (Otsu 1979). Nothing is learnt.
"""

from __future__ import annotations

import cv2
import numpy as np

from inference_worker.models.segmentation import LESION, SKIN

CHROMA = (np.array([0, 133, 77]), np.array([255, 173, 127]))  # Y, Cr, Cb of skin, of 255
SATURATION = (30, 200)  # of 255
SMOOTH = 5  # px at long side 512
LONG_SIDE = 512


def class_map(photo: np.ndarray) -> np.ndarray:
    """Return background, skin and lesion (H, W) uint8 of an RGB photo (H, W, 3) uint8, by colour alone."""
    scale = min(1.0, LONG_SIDE / max(photo.shape))
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = cv2.medianBlur(small, SMOOTH)
    chroma = cv2.inRange(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb), *CHROMA)
    saturation = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)[..., 1]
    skin = (chroma > 0) & (saturation >= SATURATION[0]) & (saturation <= SATURATION[1])
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (SMOOTH, SMOOTH))
    skin = cv2.morphologyEx(skin.astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0
    found = np.where(skin, SKIN, 0).astype(np.uint8)
    if skin.any():
        redness = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 1]
        split, _ = cv2.threshold(redness[skin].reshape(-1, 1), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        found[skin & (redness > split)] = LESION
    return cv2.resize(found, photo.shape[1::-1], interpolation=cv2.INTER_NEAREST)
