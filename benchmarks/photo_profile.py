"""Where a photo's time goes: its steps in one process of one thread, one photo at a time, by a profile.

    python -m benchmarks.photo_profile FOLDER COUNT

A child of `benchmarks.worker`. It prints one object: `steps` (milliseconds a photo by step) and `kinds`
(milliseconds of the preparation of 12 MP JPEG, 24 MP JPEG and 24 MP HEIC). The clock runs while the decoder's child works.
"""

from __future__ import annotations

import cProfile
import io
import json
import pstats
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.frame import median
from benchmarks.steps import WARM_UP, Steps, sources_in

# Steps that lie beside each other: the end of the file and the name of the function that does each, and of the file that calls it.
STEPS = {
    "decoder, in its sandbox": ("decoding/sandbox.py", "decode_apart", ""),
    "quality": ("models/quality.py", "assess_quality", ""),
    "files: written and synced": ("contract/storage/files.py", "write", ""),
    "analysis copy: read and decoded": ("inference_worker/tasks.py", "_read", ""),
    "skin and lesion, second look included": (
        "models/segmentation.py",
        "__call__",
        "inference_worker/tasks.py",
    ),
    "signs, measured three times": ("models/signs.py", "signs_of", ""),
    "crops": ("models/cropping.py", "describe", ""),
    "classification": ("models/classification.py", "with_evidence", ""),
    "map of the finding": ("models/attribution.py", "explain", ""),
}
COPIES = "copies: scaled and encoded"  # what is left of all that makes them
PREPARATION = ("inference_worker/preparation.py", "prepare", "")
NETWORKS = ("~", "<built-in method openvino._pyopenvino.infer>", "")
LARGE = (6000, 4000)  # px: 24 MP


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    steps, sources = Steps(folder), sources_in(folder)
    for turn in range(WARM_UP):
        steps.once(sources[turn % len(sources)])
    profiler, began = cProfile.Profile(), time.perf_counter()
    for turn in range(count):
        profiler.runcall(steps.once, sources[turn % len(sources)])
    whole = 1000 * (time.perf_counter() - began) / count
    spent = {name: _spent(profiler, *place) / count for name, place in STEPS.items()}
    apart = spent["decoder, in its sandbox"] + spent["quality"]
    spent[COPIES] = _spent(profiler, *PREPARATION) / count - apart
    rest = whole - sum(spent.values())
    found = {
        **spent,
        "the rest": rest,
        "all": whole,
        "of these, the networks": _spent(profiler, *NETWORKS) / count,
    }
    json.dump({"steps": found, "kinds": _kinds(folder / sources[0])}, sys.stdout)


def _spent(profiler: cProfile.Profile, file: str, name: str, caller: str) -> float:
    """Return the milliseconds in a function and in all that it called; raises LookupError where it never ran."""
    for (path, _line, own_name), (*_counts, cumulative, callers) in pstats.Stats(profiler).stats.items():
        if path.endswith(file) and own_name == name:
            if not caller:
                return 1000 * cumulative
            return 1000 * sum(row[3] for (place, *_), row in callers.items() if place.endswith(caller))
    raise LookupError(f"{name} of {file} was not called")


def _kinds(source: Path) -> dict[str, float]:
    """Return the median milliseconds that the preparation of each kind of photo takes."""
    from inference_worker.preparation import prepare

    small = source.read_bytes()
    large = cv2.resize(cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_COLOR), LARGE)
    files = {
        "12 MP JPEG": small,
        "24 MP JPEG": cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes(),
        "24 MP HEIC": _heic(large[..., ::-1]),
    }
    found: dict[str, list[float]] = {name: [] for name in files}
    for _turn in range(5):
        for name, data in files.items():
            began = time.perf_counter()
            if not prepare(data).copies:
                raise RuntimeError(f"{name} was refused")
            found[name].append(1000 * (time.perf_counter() - began))
    return {name: median(values) for name, values in found.items()}


def _heic(pixels: np.ndarray) -> bytes:
    import pillow_heif
    from PIL import Image

    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(file, quality=80)
    return file.getvalue()


if __name__ == "__main__":
    main()
