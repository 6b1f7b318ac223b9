"""What all benchmarks share: figures with their goals, sides that take turns, CPU time, and where it was measured."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
PACKAGES = ("Django", "psycopg", "granian", "celery", "openvino", "torch")


@dataclass(frozen=True)
class Goal:
    """A figure and what it should be. A `value` of None was not measured, and is not reached."""

    name: str
    value: float | None
    unit: str
    goal: float
    at_least: bool = False  # otherwise at most
    why: str = ""  # it is missed, where it is: what a profile showed

    @property
    def reached(self) -> bool:
        if self.value is None:
            return False
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    @property
    def wanted(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {number(self.goal)}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"reached": self.reached}


@dataclass(frozen=True)
class Table:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Section:
    """What one benchmark found. `plots` are the texts of SVG files by their name below docs/performance/."""

    name: str
    title: str
    text: str
    goals: Sequence[Goal]
    tables: Sequence[Table] = ()
    plots: Mapping[str, str] = field(default_factory=dict)
    unmet: str = ""  # why goals were missed, by what a profile showed

    @property
    def reached(self) -> bool:
        return all(goal.reached for goal in self.goals)


def number(value: Any) -> str:
    """Return a figure with three significant digits, thousands apart."""
    if value is None:
        return "–"
    if not isinstance(value, int | float):
        return str(value)
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


# --- Measuring --------------------------------------------------------------------------------------------
def in_turns(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Call each side once a round, the first one a different one each time, and return what each returned.

    A machine that slows down for a while does so for all sides.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(sides[name]())
    return found


def milliseconds(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def cpu_ms(session: int) -> float:
    """Return user and system time of all processes of a session (see `setsid`) that live."""
    spent = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[3]) == session:
            spent += int(fields[11]) + int(fields[12])
    return spent * 1000 / TICKS


# --- Where ------------------------------------------------------------------------------------------------
def place() -> dict[str, str]:
    """Return machine, time, commit and versions."""
    commit = _output("git", "rev-parse", "--short", "HEAD") + (
        " with changes" if _output("git", "status", "--porcelain", "--untracked-files=no") else ""
    )
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": commit,
        "machine": f"{os.cpu_count()} × {_cpu()}, {_memory_gib():.0f} GiB, {platform.system()} {platform.release()}",
        "load": f"{os.getloadavg()[0]:.1f} at the end",
        "versions": ", ".join(
            filter(None, [f"Python {platform.python_version()}", *map(_version, PACKAGES)])
        ),
    }


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _version(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return ""
