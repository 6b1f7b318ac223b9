"""Makes an upright sRGB photo without metadata of an untrusted file, or says why it is refused.

`python -m inference_worker.preparation FILE... --json` prints for each file what would become of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from contract.messages import Prepared
from contract.photos import FILE_LIMIT_BYTES, Reason
from inference_worker.decode.photo_file import RejectedError
from inference_worker.decode.sandbox import decode_apart
from inference_worker.models import quality

# name: (long side in px at most, JPEG quality, chroma); what the models see keeps its colours whole
COPIES = {"display": (2048, 88, "420"), "analysis": (1536, 95, "444"), "thumbnail": (320, 82, "420")}


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
        outcome = Prepared(quality={}, reason=rejected.reason, seconds=_since(started))
        return Preparation(outcome=outcome, copies={})
    photos, larger = {}, pixels
    for name, (side, _quality, _chroma) in COPIES.items():  # each from the next larger one
        photos[name] = larger = resize_to(larger, side)
    copies = {
        name: simplejpeg.encode_jpeg(
            np.ascontiguousarray(photos[name]),
            quality=jpeg_quality,
            colorspace="RGB",
            colorsubsampling=chroma,
        )
        for name, (_side, jpeg_quality, chroma) in COPIES.items()
    }
    measured, fault = quality.assess_quality(photos["analysis"])
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
        seconds=_since(started),
    )
    return Preparation(outcome=outcome, copies=copies, orientation=facts.orientation)


def resize_to(photo: np.ndarray, long_side: int) -> np.ndarray:
    """Scale a photo (H, W, 3) uint8 down to this long side; a smaller one is left as it is."""
    scale = long_side / max(photo.shape[:2])
    if scale >= 1:
        return photo
    height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 4)


# --- The command ------------------------------------------------------------------------------------------
def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per file; 0 also where files are rejected."""
    parser = argparse.ArgumentParser(prog="python -m inference_worker.preparation", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    options = parser.parse_args(arguments)
    for path in options.files:
        row = _row(path)
        print(json.dumps(row, ensure_ascii=False) if options.json else _line(row), flush=True)
    return 0


def _row(path: Path) -> dict:
    with path.open("rb") as file:
        preparation = prepare(file.read(FILE_LIMIT_BYTES + 1))
    outcome = preparation.outcome
    row = {"file": str(path), "accepted": bool(preparation.copies)}
    row |= {"reason": outcome.reason, "fault": outcome.fault, "seconds": outcome.seconds}
    if preparation.copies:
        shown = ("format", "width", "height", "stripped", "quality")
        row |= {name: getattr(outcome, name) for name in shown} | {"orientation": preparation.orientation}
    return row


def _line(row: dict) -> str:
    if not row["accepted"]:
        return f"{row['file']}: rejected, {row['reason']}"
    stripped = ", ".join(row["stripped"]) or "nothing"
    quality_note = f", {row['reason']}: {row['fault']}" if row["fault"] else ""
    return (
        f"{row['file']}: accepted, {row['format']} {row['width']}x{row['height']}, "
        f"orientation {row['orientation']}, stripped {stripped}{quality_note}"
    )


if __name__ == "__main__":
    sys.exit(main())
