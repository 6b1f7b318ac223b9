"""A photo's steps without web, queue and database: what benchmarks compare the product with.

    python -m benchmarks.steps FOLDER COUNT

A child of `benchmarks.worker`: one process that prepares the next photo while it analyses this one. It prints "ready", waits for
a line, does COUNT photos, prints its seconds and lives until its input ends.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ORIGINALS = "originals"
WARM_UP = 3
BATCH = 4


class Steps:
    """`prepare` and `analyse` of the worker in this process, from files of a folder to files in it; no result is sent."""

    def __init__(self, folder: Path) -> None:
        from contract.storage import FileStorage
        from inference_worker import tasks

        self.tasks, self.reported = tasks, threading.local()
        self.storage = FileStorage(folder)
        tasks.photo_storage = lambda: self.storage
        tasks.send_to_web = self._report
        self.numbers = itertools.count(time.time_ns())

    def once(self, source: str) -> None:
        self.analyse([self.prepare(source)])

    def several(self, sources: Sequence[str]) -> None:
        self.analyse([self.prepare(source) for source in sources])

    def prepare(self, source: str) -> str:
        """Return the key of the analysis copy."""
        from contract.messages import Stage

        return self._do(Stage.PREPARE, [source])[0]["outcome"]["analysis_key"]

    def analyse(self, sources: Sequence[str]) -> None:
        from contract.messages import Stage

        self._do(Stage.ANALYSE, sources)

    def _report(self, name: str, kwargs: dict[str, Any], **_options: Any) -> None:
        self.reported.last = kwargs

    def _do(self, stage: Any, sources: Sequence[str]) -> list[dict[str, Any]]:
        from contract import messages

        rows = [
            messages.Request(
                stage=stage, job=f"job{place}", attempt=1, photo="photo", source=source,
                prefix=f"photos/{next(self.numbers)}/{stage}",
            )
            for place, source in enumerate(sources)
        ]  # fmt: skip
        getattr(self.tasks, stage)(**messages.pack_requests(rows))
        found = self.reported.last["results"]
        for row in found:
            if row["kind"] == "failed" or row["outcome"].get("failure"):
                raise RuntimeError(row["outcome"])
        return found


def sources_in(folder: Path) -> list[str]:
    """Return the keys of the originals in a folder."""
    return [f"{ORIGINALS}/{file.name}" for file in sorted((folder / ORIGINALS).iterdir())]


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    steps, sources = Steps(folder), itertools.cycle(sources_in(folder))
    for _ in range(WARM_UP):
        steps.once(next(sources))
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    with ThreadPoolExecutor(1) as ahead:
        waiting = ahead.submit(steps.prepare, next(sources))
        for turn in range(count):
            prepared = waiting.result()
            if turn + 1 < count:
                waiting = ahead.submit(steps.prepare, next(sources))
            steps.analyse([prepared])
    print(time.monotonic() - began, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
