"""R19: ordinary load for a long time; no process may keep growing or leave files open."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median

from drills.oracle import Figures, settle
from drills.run import SETTLE_SECONDS, Run, drill
from drills.system import NAMES, System, age

SHARE_OF_CAPACITY = 0.6
GROWTH_PER_HOUR = 0.05
# A minute cannot distinguish slow growth from noise, but it shows a leak with every photo.
GROWTH_IN_A_SHORT_RUN = 0.05
MORE_FILES = 3
LASTING_SECONDS = 5
WARM_UP_SHARE = 1 / 3
MEGABYTE = 1024 * 1024


@drill("R19", "soak at 60 % of capacity: memory and open files stay constant", guard="let-go")
def soak(run: Run) -> Figures:
    clients = run.clients()
    capacity = run.capacity(run.few_or_many(20, 200))
    watch = Watch(run.system, seconds=run.few_or_many(1, 5))
    seconds = 60 * run.minutes if run.minutes else run.few_or_many(60, 1800)
    with watch:
        clients.pace(SHARE_OF_CAPACITY * capacity, seconds)
        settle(clients, SETTLE_SECONDS)
    found = run.finish(clients, bound=60)
    found.notes.append(f"{seconds / 60:.0f} min at {SHARE_OF_CAPACITY * capacity:.2f}/s of {capacity:.2f}/s")
    for name, samples in watch.samples.items():
        found.notes.append(f"{name} {samples.line()}")
        found.broken += samples.faults(name, long=seconds >= 600)
    return found


@dataclass
class Samples:
    """The use of one process and its children over time: (seconds, bytes, open files)."""

    rows: list[tuple[float, int, int]] = field(default_factory=list)

    def warm(self) -> list[tuple[float, int, int]]:
        return self.rows[int(len(self.rows) * WARM_UP_SHARE) :]

    def growth_per_hour(self) -> float:
        """Return the slope of the memory by least squares, as a share of its mean."""
        times, sizes = [row[0] for row in self.warm()], [row[1] for row in self.warm()]
        mean_time, mean_size = fmean(times), fmean(sizes)
        spread = sum((each - mean_time) ** 2 for each in times)
        product = sum((a - mean_time) * (b - mean_size) for a, b in zip(times, sizes, strict=True))
        return 3600 * product / spread / mean_size

    def growth(self) -> float:
        """Return the growth from the first to the last third of the warm part, as a share."""
        third = max(1, len(self.warm()) // 3)
        first, last = self.warm()[:third], self.warm()[-third:]
        return fmean(row[1] for row in last) / fmean(row[1] for row in first) - 1

    def more_files(self) -> int:
        """Return how many more files the last third of the warm part has open, by medians: decoders start and end."""
        third = max(1, len(self.warm()) // 3)
        first, last = ([row[2] for row in rows] for rows in (self.warm()[:third], self.warm()[-third:]))
        return round(median(last) - median(first))

    def line(self) -> str:
        megabytes = fmean(row[1] for row in self.warm()) / MEGABYTE
        return f"{megabytes:.0f} MB {self.growth():+.1%} ({self.growth_per_hour():+.1%}/h), files {self.more_files():+d}"

    def faults(self, name: str, *, long: bool) -> list[str]:
        grows = self.growth_per_hour() > GROWTH_PER_HOUR if long else self.growth() > GROWTH_IN_A_SHORT_RUN
        found = [f"{name} grows"] if grows else []
        return found + ([f"{name} leaves files open"] if self.more_files() > MORE_FILES else [])


class Watch:
    """Samples every process of ours at intervals, as a context manager."""

    def __init__(self, system: System, seconds: float) -> None:
        self.system, self.seconds = system, seconds
        self.samples = {name: Samples() for name in NAMES}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Watch:
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        self.thread.join()

    def _sample(self) -> None:
        began = time.monotonic()
        while not self.over.wait(self.seconds):
            for name, samples in self.samples.items():
                # Without the processes that live for one photo only.
                used = [usage_of(pid) for pid in self.system.pids(name) if age(pid) > LASTING_SECONDS]
                if used:
                    size, files = (sum(column) for column in zip(*used, strict=True))
                    samples.rows.append((time.monotonic() - began, size, files))


def usage_of(pid: int) -> tuple[int, int]:
    """Return the process's own memory (bytes) and its number of open files; (0, 0) once it has ended."""
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        own = next(line for line in status.splitlines() if line.startswith("RssAnon:"))
        return int(own.split()[1]) * 1024, len(os.listdir(f"/proc/{pid}/fd"))
    return 0, 0
