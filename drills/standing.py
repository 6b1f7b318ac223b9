"""R23: processes stand still (SIGSTOP): the operating system calls them alive, and their connections stay open."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from drills.client import wait_until
from drills.damage import alarms
from drills.oracle import Figures
from drills.people import with_token
from drills.run import Run, drill

TOLD_SECONDS, MAILED_SECONDS, OVER_SECONDS = 15, 60, 30
LOAD_PER_SECOND = 0.3


class Victim(NamedTuple):
    """Which process stops, the parent or the first child, and how the board begins to say so."""

    name: str
    is_child: bool
    words: str
    is_mailed: bool = False  # stopped for as long as it takes to mail who is on call


VICTIMS = (
    Victim("sweeper", False, "The sweeper does not respond", is_mailed=True),
    Victim("broker", False, "The message broker does not answer"),
    Victim("web", True, "", is_mailed=True),  # the board is a page of the web itself
    Victim("watch", False, "The watch does not respond", is_mailed=True),
    Victim("beat", False, "Beat does not respond"),
    Victim("results", True, "The results worker does not respond"),
    Victim("results", False, "The results worker does not respond"),
    Victim("prepare", True, "The prepare worker does not respond"),
    Victim("prepare", False, "The prepare worker does not respond"),
    Victim("inference", True, "The inference workers do not respond"),
    Victim("inference", False, "The inference workers do not respond"),
)


@drill(
    "R23", f"a process that stands still is told on the board within {TOLD_SECONDS} s", guard="signs-of-life"
)
def standing_still(run: Run) -> Figures:
    """The oracle asks `/status`. Nothing is lost: what a stopped process held goes to others, or waits for it."""
    system, clients = run.system, run.clients()
    admin = with_token("standing-admin@example.com", "admin")
    told: dict[str, list[float]] = {}
    missed, went_on, ends, mailed = [], [], [], []
    with _load(run, clients):
        if not wait_until(lambda: not _standing(system.url, admin), OVER_SECONDS, every=0.5):
            missed.append(f"before anything stopped: {_standing(system.url, admin)}")
        for victim in VICTIMS * run.few_or_many(1, 5):
            is_ours = victim.name != "broker"
            pid = system.pids(victim.name)[int(victim.is_child)] if is_ours else system.pid_of("broker")
            began = time.monotonic()
            os.kill(pid, signal.SIGSTOP)
            found = not victim.words or wait_until(
                lambda v=victim: _is_told(system.url, admin, v.words), TOLD_SECONDS, every=0.5
            )
            seconds = time.monotonic() - began
            if victim.is_mailed and not wait_until(
                lambda b=began: max(system.mailbox.calls, default=0) > b,
                began + MAILED_SECONDS - time.monotonic(),
            ):
                missed.append(f"by mail: {victim.name}")
            elif victim.is_mailed:
                mailed.append(f"{victim.name} mailed after {max(system.mailbox.calls) - began:.0f} s")
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
            began, name = time.monotonic(), f"{victim.name} {'child' if victim.is_child else 'parent'}"
            if found and victim.words:
                told.setdefault(name, []).append(seconds)
            elif not found:
                missed.append(name)
            if not wait_until(lambda: not _standing(system.url, admin), OVER_SECONDS, every=0.5):
                went_on.append(f"{name}: {'; '.join(_standing(system.url, admin))}")
            ends.append(time.monotonic() - began)
    found = run.finish(clients, bound=float("inf"))
    found.notes += [f"{name} told after {max(seconds):.0f} s" for name, seconds in told.items()]
    found.notes += mailed
    found.notes.append(f"no longer told after at most {max(ends):.0f} s")
    found.broken += [f"not told in time: {name}" for name in missed]
    found.late += [f"still told {OVER_SECONDS} s later: {name}" for name in went_on]
    return found


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


def _standing(url: str, admin) -> list[str]:
    return [words for words in alarms(url, admin) if "not respond" in words]


def _is_told(url: str, admin, words: str) -> bool:
    return any(each.startswith(words) for each in alarms(url, admin))
