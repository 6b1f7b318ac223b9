"""Seconds of one core to draw a scene at 768 px, by condition, and how many times healthy skin takes that.

OMP_NUM_THREADS=1 python -m benchmarks.scenes [--scenes 12]
"""

from __future__ import annotations

import argparse
import statistics
import time

import cv2

from training import phantom


def seconds(condition: str, seed: int) -> float:
    started = time.process_time()
    phantom.draw(seed, condition=condition)
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=12)
    count = parser.parse_args().scenes
    cv2.setNumThreads(1)
    seconds("NORMAL", 0)
    # Condition after condition within each seed: a machine that slows down does so for all of them.
    taken = {name: [] for name in phantom.CONDITIONS}
    for seed in range(count):
        for name in taken:
            taken[name].append(seconds(name, seed))
    healthy = statistics.median(taken["NORMAL"])
    for name, own in taken.items():
        middle = statistics.median(own)
        print(f"{name:7} {middle:.2f} s (slowest {max(own):.2f})  {middle / healthy:.2f} x healthy skin")


if __name__ == "__main__":
    main()
