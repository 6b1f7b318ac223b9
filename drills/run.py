"""What every drill is given, and the register of drills by name."""

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
    "database",
    "disk",
    "kills",
    "memory",
    "messages",
    "soak",
    "uploads",
    "versions",
)
SETTLE_SECONDS = 180
SETTLE_SECONDS_WITHOUT_A_GUARD = 60  # nothing more will come


@dataclass
class Run:
    """A system in good health, and how much of it to do."""

    system: System
    people: list[Person]
    dermatologists: list[Person]
    short: bool
    rng: random.Random
    minutes: float = 0  # how long at the most, where that is said
    times: int = 20  # each step of R2
    part: tuple[int, int] = (1, 1)  # of R2's steps: for several runs beside one another

    def clients(self) -> Clients:
        return Clients(self.system.url, self.people)

    def few_or_many(self, few: int, many: int) -> int:
        return few if self.short else many

    def capacity(self, count: int) -> float:
        """Return how many submissions a second the whole flow takes, from the first request to the last result."""
        self.clients().send(4)  # until all is warm
        clients, began = self.clients(), time.monotonic()
        clients.send(count, threads=4)
        settle(clients, SETTLE_SECONDS)
        return count / (time.monotonic() - began)

    def trials(self, few: int, many: int) -> Iterator[int]:
        """Count the trials of a drill, and end early where its minutes are over: it says how many there were."""
        began = time.monotonic()
        for number in range(self.few_or_many(few, many)):
            if self.minutes and time.monotonic() > began + 60 * self.minutes:
                return
            yield number

    def share(self, rows: list) -> list:
        """Return what of the rows this run is to do."""
        first, parts = self.part
        return rows[first - 1 :: parts]

    def finish(self, clients: Clients, *, bound: float) -> Figures:
        """Wait until nothing moves, and count; `bound` is the longest a submission may wait for its end."""
        settle(clients, SETTLE_SECONDS_WITHOUT_A_GUARD if self.system.without else SETTLE_SECONDS)
        return figures(clients, self.system.mailbox, bound=bound)


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
    """Return every drill by its name; their modules need Django's models."""
    for module in MODULES:
        import_module(f"drills.{module}")
    return DRILLS
