"""R23: processes stand still (SIGSTOP): the operating system calls them alive, and their connections stay open."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import NamedTuple

from contract import supervise
from drills.client import at_once, wait_until
from drills.damage import alarms
from drills.oracle import Figures
from drills.people import Person, with_token
from drills.run import Run, drill
from drills.system import System

TOLD_SECONDS, MAILED_SECONDS, HEALED_SECONDS, OVER_SECONDS = 15, 60, 150, 30
SILENT_SECONDS = 20  # in this drill, before the supervisor ends what gives no sign of life
LOAD_PER_SECOND = 0.3
ASKED_AT_ONCE, ANSWER_SECONDS = 4, 2  # some questions reach the child of the web that stands still


class Victim(NamedTuple):
    """Which process stops, the parent or the first child; how the board begins to say so, and what its mail says.

    PostgreSQL and Valkey are replaced by nobody: the drill lets them go on when their mail has come.
    """

    name: str
    is_child: bool
    words: str
    mail: str = ""  # "": the drill does not wait for one
    is_replaced: bool = True

    @property
    def title(self) -> str:
        return f"{self.name} {'child' if self.is_child else 'parent'}"


VICTIMS = (
    Victim("sweeper", False, "The sweeper does not respond", "sweeper does not respond"),
    Victim(
        "broker", False, "The message broker does not answer", "broker does not answer", is_replaced=False
    ),
    Victim(
        "database", False, "PostgreSQL accepts no new connections", "no new connections", is_replaced=False
    ),
    Victim("web", True, "A process of the web does not respond", "one of its processes hangs"),
    Victim("watch", False, "The watch does not respond", "watch does not respond"),
    Victim("beat", False, "Beat does not respond", "Beat does not respond"),
    Victim("results", True, "The results worker does not respond", "results worker does not respond"),
    Victim("results", False, "The results worker does not respond"),
    Victim("prepare", True, "The prepare worker does not respond", "prepare worker does not respond"),
    Victim("prepare", False, "The prepare worker does not respond"),
    Victim("inference", True, "The inference workers do not respond", "inference workers do not respond"),
    Victim("inference", False, "The inference workers do not respond"),
)


@drill(
    "R23",
    f"what stands still is told on the board within {TOLD_SECONDS} s, by mail within {MAILED_SECONDS} s, and replaced",
    guard="signs-of-life",
)
def standing_still(run: Run) -> Figures:
    """The oracle asks `/status` and reads mail. Nothing is lost: what a stopped process held goes to others."""
    system, clients = run.system, run.clients()
    admin = with_token("standing-admin@example.com", "admin")
    times: dict[str, list[dict[str, float]]] = {}
    missed, went_on = [], []
    with _load(run, clients), _ended_soon(system):
        if not wait_until(lambda: not _standing(system.url, admin), OVER_SECONDS, every=0.5):
            missed.append(f"before anything stopped: {_standing(system.url, admin)}")
        for victim in VICTIMS * run.few_or_many(1, 5):
            found = _stop(system, admin, victim)
            times.setdefault(victim.title, []).append(found)
            missed += [f"{victim.title} not {what}" for what in _awaited(victim) if what not in found]
            if not wait_until(lambda: not _standing(system.url, admin), OVER_SECONDS, every=0.5):
                went_on.append(f"{victim.title}: {'; '.join(_standing(system.url, admin))}")
    found = run.finish(clients, bound=float("inf"))
    for title, rows in times.items():
        slowest = {what: max(row.get(what, 0) for row in rows) for row in rows for what in row}
        found.notes.append(
            f"{title} " + ", ".join(f"{what} after {each:.0f} s" for what, each in slowest.items())
        )
    found.broken += [f"in time: {each}" for each in missed]
    found.late += [f"still told {OVER_SECONDS} s later: {name}" for name in went_on]
    return found


def _awaited(victim: Victim) -> list[str]:
    return ["told"] + ["mailed"] * bool(victim.mail) + ["replaced"] * victim.is_replaced


def _stop(system: System, admin: Person, victim: Victim) -> dict[str, float]:
    """Let a process stand still; return after how many seconds it was told, mailed and replaced, as far as it was."""
    is_ours = victim.is_replaced
    pid = system.pids(victim.name)[int(victim.is_child)] if is_ours else system.pid_of(victim.name)
    found: dict[str, float] = {}
    began = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    is_seen = {
        "told": (TOLD_SECONDS, lambda: _is_told(system.url, admin, victim.words)),
        "mailed": (MAILED_SECONDS, lambda: _is_mailed(system.mailbox.calls, began, victim.mail)),
        "replaced": (
            HEALED_SECONDS,
            lambda: not supervise.is_alive(pid) and not _standing(system.url, admin),
        ),
    }
    for what in _awaited(victim):
        seconds, is_so = is_seen[what]
        if not wait_until(is_so, began + seconds - time.monotonic(), every=0.3):
            break  # what was not told is not replaced either
        found[what] = time.monotonic() - began
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    return found


@contextmanager
def _ended_soon(system: System) -> Iterator[None]:
    """Let the supervisor wait for signs of life no longer than the drill wants to."""
    usual, system.supervisor.silent_seconds = system.supervisor.silent_seconds, SILENT_SECONDS
    try:
        yield
    finally:
        system.supervisor.silent_seconds = usual


@contextmanager
def _load(run: Run, clients) -> Iterator[None]:
    """Let patients send now and then, until the block ends."""
    over = threading.Event()

    def send() -> None:
        while not over.wait(1 / LOAD_PER_SECOND):
            clients.send(1)

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    try:
        yield
    finally:
        over.set()
        sending.join()


def _standing(url: str, admin: Person) -> list[str]:
    return [words for words in alarms(url, admin) if any(words.startswith(each.words) for each in VICTIMS)]


def _is_told(url: str, admin: Person, words: str) -> bool:
    """Whether an answer says so; not all questions are answered while a child of the web stands still."""
    answers = at_once([partial(alarms, url, admin, ANSWER_SECONDS)] * ASKED_AT_ONCE)
    return any(each.startswith(words) for found in answers for each in found)


def _is_mailed(calls: list[tuple[float, str]], since: float, words: str) -> bool:
    return any(at > since and words in text for at, text in calls)
