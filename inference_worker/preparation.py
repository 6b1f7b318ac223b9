"""Makes an upright sRGB photo without metadata of an untrusted file, or says why it is refused."""

from __future__ import annotations

import time
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg

from contract.messages import Prepared
from contract.photos import DISPLAY_SIDE, FULL_SIDE, SHORT_SIDE_WANTED, QualityFault, Reason
from decoding.photo_file import RejectedError
from decoding.sandbox import decode_apart
from inference_worker.models import quality

# name: (long side in px at most, JPEG quality, chroma); what the models see keeps its colours whole
COPIES = {
    "display": (DISPLAY_SIDE, 88, "420"),
    "analysis": (1536, 95, "444"),
    "thumbnail": (320, 82, "420"),
    "veiled": (12, 82, "420"),  # of an intimate place: shows that there is a photo, not what is on it
}


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """The outcome, its keys still empty; the JPEG of each copy by name; the EXIF orientation that was applied.

    There are no copies where the reason is another than poor quality: such a photo may still be sent.
    """

    outcome: Prepared
    copies: dict[str, bytes]
    orientation: int = 1


def prepare(data: bytes) -> Preparation:
    """Decode, assess and copy a photo; a file that cannot be used is an outcome like any other."""
    started = time.perf_counter()
    try:
        pixels, facts = decode_apart(data)
    except RejectedError as rejected:
        seconds = round(time.perf_counter() - started, 4)
        outcome = Prepared(quality={}, reason=rejected.reason, seconds=seconds)
        return Preparation(outcome=outcome, copies={})
    photos, larger = {}, pixels
    for name, (side, _quality, _chroma) in COPIES.items():  # each from the next larger one
        photos[name] = larger = resize_to(larger, side)
    copies = {
        name: _as_jpeg(photos[name], percent, chroma) for name, (_side, percent, chroma) in COPIES.items()
    }
    measured, fault = quality.assess_quality(photos["analysis"])
    fault = QualityFault.TOO_SMALL if min(facts.width, facts.height) < SHORT_SIDE_WANTED else fault
    outcome = Prepared(
        width=facts.width,
        height=facts.height,
        analysis_width=photos["analysis"].shape[1],
        analysis_height=photos["analysis"].shape[0],
        format=facts.format,
        stripped=facts.stripped,
        quality=measured,
        reason=Reason.POOR_QUALITY if fault else None,
        fault=fault,
        seconds=round(time.perf_counter() - started, 4),
    )
    return Preparation(outcome=outcome, copies=copies, orientation=facts.orientation)


def copy_in_full(data: bytes) -> bytes:
    """Return a JPEG of all pixels, long side at most FULL_SIDE; raises RejectedError."""
    pixels, _facts = decode_apart(data, side=FULL_SIDE)
    return _as_jpeg(pixels, 92, "444")


def _as_jpeg(photo: np.ndarray, percent: int, chroma: str) -> bytes:
    whole = np.ascontiguousarray(photo)
    return simplejpeg.encode_jpeg(whole, quality=percent, colorspace="RGB", colorsubsampling=chroma)


def resize_to(photo: np.ndarray, long_side: int) -> np.ndarray:
    """Scale a photo (H, W, 3) uint8 down to this long side; a smaller one is left as it is."""
    scale = long_side / max(photo.shape[:2])
    if scale >= 1:
        return photo
    height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 4)
