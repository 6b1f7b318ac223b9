"""How many photos the crop geometry does per second on one core, and what the integral images win.

OMP_NUM_THREADS=1 python -m benchmarks.cropping [--photos 24] [--side 512]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from unittest import mock

import cv2
import numpy as np

from inference_worker.models import cropping
from training import phantom


def masks(count: int, side: int) -> list[np.ndarray]:
    """Return drawn class maps (H, W) uint8 whose long side is `side` px."""
    drawn = (phantom.draw(seed).mask for seed in range(count))
    return [
        cv2.resize(
            mask, None, fx=side / max(mask.shape), fy=side / max(mask.shape), interpolation=cv2.INTER_NEAREST
        )
        for mask in drawn
    ]


def summed(which: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """The plain way: add up the pixels of each square."""
    (bottom, right), (top, left) = (np.divmod(corners[i], which.shape[1] + 1) for i in (0, 3))
    windows = zip(top, bottom, left, right, strict=True)
    return np.array([which[t:b, x:r].sum() for t, b, x, r in windows], np.int64)


def photos_per_second(maps: Sequence[np.ndarray], repeats: int = 3) -> float:
    best = min(_seconds(lambda: [cropping.boxes_of(each) for each in maps]) for _ in range(repeats))
    return len(maps) / best


def _seconds(work: Callable) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--side", type=int, default=512)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    maps = masks(options.photos, options.side)
    ours = photos_per_second(maps)
    with mock.patch.object(cropping, "_count", summed):
        plain = photos_per_second(maps, repeats=1)
    print(f"{options.photos} class maps of {options.side} px, one core")
    print(f"integral images  {ours:8.0f} photos/s")
    print(f"adding up pixels {plain:8.0f} photos/s   ratio {ours / plain:.1f}")


if __name__ == "__main__":
    main()
