"""`python -m benchmarks.refusals --corpus FOLDER`: how soon and at what cost a file that is no photo is refused.

The folder has a `manifest-dev.csv` with `file`, `bucket` and `expected`. Each file of `must_reject` is prepared three
times, `--at-once` at a time, by the real child; each of `either` once. A bomb is what must be refused for its pixels:
its memory is the peak of the child beyond that of one which refuses an empty file. What decodes is imported late: each
child imports this module again, as it does the worker's (light) one.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from decoding import sandbox
from decoding.photo_file import RejectedError

TIMES = 3


def refusal(file: Path) -> tuple[str, float]:
    """Return the reason (nothing for a photo that was taken) and seconds."""
    from inference_worker.preparation import prepare

    data, began = file.read_bytes(), time.perf_counter()
    try:
        reason = prepare(data).outcome.reason or ""
    except sandbox.DecoderLostError:  # the machine was too busy: the job would be sent again
        reason = "lost"
    return reason, time.perf_counter() - began


def peak_mb(data: bytes) -> int:
    ours, theirs = sandbox.fork_server.Pipe()
    child = sandbox.fork_server.Process(target=_refuse_and_tell, args=(data, theirs))
    child.start()
    peak = ours.recv()
    child.join()
    return peak


def _refuse_and_tell(data: bytes, theirs: Connection) -> None:
    from benchmarks.photo_memory import _peak_mb
    from decoding import decoders

    with suppress(RejectedError):
        decoders.decode(data)
    theirs.send(_peak_mb(Path("/proc/self/status").read_text()))


def tell(name: str, found: Iterable[tuple[str, float]]) -> None:
    reasons, seconds = zip(*found, strict=True)
    taken, lost = (reasons.count(kind) for kind in ("", "lost"))
    p95 = statistics.quantiles(seconds, n=20)[-1]
    print(
        f"{name}: {len(seconds)} preparations, {taken} taken, {lost} lost, "
        f"median {statistics.median(seconds):.3f} s, p95 {p95:.3f} s, slowest {max(seconds):.3f} s",
        flush=True,
    )


def main() -> None:
    from inference_worker.preparation import prepare

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--at-once", type=int, default=TIMES)
    options = parser.parse_args()
    rows = list(csv.DictReader((options.corpus / "manifest-dev.csv").open()))
    files = {kind: [row for row in rows if row["bucket"] == kind] for kind in ("must_reject", "either")}
    prepare(b"")  # starts the fork server
    print(f"load {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores")
    with ThreadPoolExecutor(options.at_once) as at_once:
        for kind, times in (("must_reject", TIMES), ("either", 1)):
            paths = [options.corpus / row["file"] for row in files[kind] for _ in range(times)]
            tell(kind, at_once.map(refusal, paths))
    least = peak_mb(b"")
    bombs = [row for row in files["must_reject"] if row["expected"].startswith("422 too_many_pixels before")]
    for row in bombs:
        path = options.corpus / row["file"]
        reason, seconds = min((refusal(path) for _ in range(TIMES)), key=lambda found: found[1])
        print(f"bomb: {reason}, {seconds * 1000:.0f} ms, {peak_mb(path.read_bytes()) - least} MB extra")


if __name__ == "__main__":
    main()
