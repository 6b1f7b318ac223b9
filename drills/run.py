"""What every drill receives, and the registry of drills by name."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from drills.client import Clients
from drills.oracle import Figures, figures, settle
from drills.people import Person
from drills.system import System

MODULES = (
    "backup",
    "broker",
    "crowds",
    "damage",
    "database",
    "disk",
    "kills",
    "memory",
    "messages",
    "missing",
    "slow",
    "soak",
    "standing",
    "uploads",
    "versions",
)
SETTLE_SECONDS = 180
SETTLE_SECONDS_WITHOUT_A_GUARD = 60  # a longer wait would change nothing


@dataclass
class Run:
    """A healthy system, and how many trials to do."""

    system: System
    people: list[Person]
    dermatologists: list[Person]
    short: bool
    rng: random.Random
    minutes: float = 0  # the longest duration, if one was given
    times: int = 20  # crashes at each step of R2
    part: tuple[int, int] = (1, 1)  # of R2's steps, so that several runs can share them

    def clients(self) -> Clients:
        return Clients(self.system.url, self.people)

    def few_or_many(self, few: int, many: int) -> int:
        return few if self.short else many

    def capacity(self, count: int) -> float:
        """Return how many submissions per second the system handles, from the first request to the last result."""
        self.clients().send(4)  # warm-up
        clients, began = self.clients(), time.monotonic()
        clients.send(count, threads=4)
        settle(clients, SETTLE_SECONDS)
        return count / (time.monotonic() - began)

    def trials(self, few: int, many: int) -> Iterator[int]:
        """Yield the number of each trial; stop early when the minutes are over."""
        began = time.monotonic()
        for number in range(self.few_or_many(few, many)):
            if self.minutes and time.monotonic() > began + 60 * self.minutes:
                return
            yield number

    def share(self, rows: list) -> list:
        """Return the rows that belong to this run's part."""
        first, parts = self.part
        return rows[first - 1 :: parts]

    def finish(self, clients: Clients, *, bound: float) -> Figures:
        """Wait until all work is finished and count the results; `bound` is the longest allowed recovery in seconds."""
        settle(clients, SETTLE_SECONDS_WITHOUT_A_GUARD if self.system.without else SETTLE_SECONDS)
        found = figures(clients, self.system.mailbox, bound=bound)
        if clients.server_errors:
            found.notes.append(self.system.first_exception())
        return found


@dataclass(frozen=True)
class Drill:
    """One promise of docs/reliability.md, and the guard without which it must break."""

    name: str
    promise: str
    guard: str
    run: Callable[[Run], Figures]


DRILLS: dict[str, Drill] = {}


def drill(name: str, promise: str, *, guard: str) -> Callable:
    def register(function: Callable[[Run], Figures]) -> Callable[[Run], Figures]:
        DRILLS[name] = Drill(name, promise, guard, function)
        return function

    return register


def all_drills() -> dict[str, Drill]:
    """Return every drill by its name. Their modules need Django's models."""
    for module in MODULES:
        import_module(f"drills.{module}")
    return DRILLS
