"""Suggests to the patient how to take a photo better, from a segmentation of the draft's photo.

It holds nothing back and says nothing of a disease. The limits were set on 133 `train` photos, 96 rooms and 120
phantoms, and measured on others: docs/models/photo_check.md.
"""

from __future__ import annotations

import cv2
import numpy as np

from contract.messages import Checked, ModelRef
from contract.photos import PhotoAdvice

LESION = 2
NO_SKIN_SHARE = 0.003  # of the photo: the largest area of skin is smaller, and could be anything
FAR_SHARE = 0.12  # of the photo: all skin is less
NEAR_SHARE = 0.8  # of the photo: lesion, so that no healthy skin is left to compare with


def describe(mask: np.ndarray, *, model: ModelRef, seconds: float) -> Checked:
    """Say what the class map (H, W) of a photo suggests; skin counts lesion too."""
    is_skin = (mask > 0).astype(np.uint8)
    _count, _labels, stats, _centres = cv2.connectedComponentsWithStats(is_skin)
    skin, lesion = float(is_skin.mean()), float((mask == LESION).mean())
    largest = float(stats[1:, cv2.CC_STAT_AREA].max(initial=0) / mask.size)
    return Checked(
        advice=advice_for(skin=skin, largest=largest, lesion=lesion),
        skin=skin,
        largest=largest,
        lesion=lesion,
        model=model,
        seconds=round(seconds, 4),
    )


def advice_for(*, skin: float, largest: float, lesion: float) -> PhotoAdvice | None:
    """Return what to suggest, by shares of the photo."""
    if largest < NO_SKIN_SHARE:
        return PhotoAdvice.NO_SKIN
    if skin < FAR_SHARE:
        return PhotoAdvice.TOO_FAR
    if lesion > NEAR_SHARE:
        return PhotoAdvice.TOO_NEAR
    return None if lesion else PhotoAdvice.LESION_NOT_FOUND
