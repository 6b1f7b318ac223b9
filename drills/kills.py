"""Drills that end processes: R1 and R2 by a crash, R8 by a photo, R10 by a deploy; R11 one comes back."""

from __future__ import annotations

import time
from collections import Counter

from drills.client import Clients, photo
from drills.crashes import HOLD, STEPS
from drills.oracle import Figures, settle
from drills.run import SETTLE_SECONDS, Run, drill, wait_until

RECOVERY_SECONDS = 60  # "N" of docs/reliability.md
STEP_SECONDS = 60
STEPS_TOGETHER = 8
QUARANTINE_SECONDS = 120
GRACE_SECONDS = 25
HELD_SECONDS = 120


@drill("R1", "kill -9 of any process at any moment", guard="expire")
def kill_9(run: Run) -> Figures:
    """One kill a trial, somewhere in the time that the trial's submissions usually take; then all may recover."""
    clients, size = run.clients(), run.few_or_many(6, 20)
    killed: Counter[str] = Counter()
    for _ in range(2):  # the first time all is cold
        usual = _seconds_undisturbed(run, clients, size)
    for _ in range(run.few_or_many(8, 200)):
        sending = clients.sending(size)
        time.sleep(run.lot.uniform(0, usual))
        killed[run.system.kill_one(run.lot)] += 1
        sending.join()
        settle(clients, SETTLE_SECONDS)
    found = run.finish(clients, bound=RECOVERY_SECONDS)
    found.notes.append(", ".join(f"{name} {n}" for name, n in sorted(killed.items())))
    found.notes.append(f"{killed.total()} kills, each within {usual:.0f} s of {size} submissions")
    return found


def _seconds_undisturbed(run: Run, clients: Clients, size: int) -> float:
    began = time.monotonic()
    clients.send(size)
    settle(clients, SETTLE_SECONDS)
    return time.monotonic() - began


@drill("R2", "a crash at every named step", guard="expire")
def crash_at_each_step(run: Run) -> Figures:
    """The short form lets crashes of several steps fall together: a submission may meet two or three."""
    clients, rounds = run.clients(), run.few_or_many(1, 20)
    together = run.few_or_many(STEPS_TOGETHER, 1)
    reached = 0
    for _ in range(rounds):
        for first in range(-(-len(STEPS) // together)):
            reached += _crash_at(run, clients, list(STEPS)[first :: -(-len(STEPS) // together)])
    found = run.finish(clients, bound=RECOVERY_SECONDS * together)
    found.notes.append(f"{reached} crashes at {len(STEPS)} steps")
    if reached < len(STEPS) * rounds:
        found.broken.append("a step was never reached")
    return found


def _crash_at(run: Run, clients: Clients, steps: list[str]) -> int:
    """Send until each step was reached, and wait for the recovery unless crashes are to fall together."""
    armed = [run.system.arm(step) for step in steps]
    if any(step.startswith("expire.") for step in steps):  # only a death leads there
        run.system.arm("worker.after_started")
    clients.send(len(steps), threads=2)
    wait_until(lambda: not any(file.exists() for file in armed), STEP_SECONDS)
    missed = [file for file in armed if file.exists()]
    for file in missed:
        file.unlink(missing_ok=True)
    if not run.short:
        settle(clients, RECOVERY_SECONDS)
    return len(steps) - len(missed)


@drill("R8", "photos that kill or hang the worker that decodes them", guard="quarantine")
def poison(run: Run) -> Figures:
    from teleder.cases.models import Job, JobState

    poisoned, others = run.clients(), run.clients()
    for word in (b"drill:segv", b"drill:kill", b"drill:spin"):
        poisoned.send_one(run.people[0], (photo() + word,))
    others.send(run.few_or_many(6, 60), threads=2)
    beside = run.finish(others, bound=float("inf"))
    found = run.finish(poisoned, bound=QUARANTINE_SECONDS)
    quarantined = Job.objects.filter(
        state=JobState.QUARANTINED, photo__submission__in=[each.submission for each in poisoned.accepted]
    ).count()
    found.notes.append(f"{quarantined} of 3 quarantined; the others' slowest {beside.slowest_seconds:.0f} s")
    if quarantined != 3 or found.unavailable != 3:
        found.broken.append("a poison photo was not given to people")
    return found


@drill("R10", "SIGTERM of each process in turn, as a deploy does, under load", guard="sigterm")
def deploys(run: Run) -> Figures:
    clients = run.clients()
    sending = clients.sending(run.few_or_many(20, 400), threads=2)
    slowest = 0.0
    for _ in range(run.few_or_many(1, 25)):
        for name in ("web", "results", "inference", "sweeper"):
            slowest = max(slowest, run.system.terminate(name))
            time.sleep(1)
    sending.join()
    found = run.finish(clients, bound=RECOVERY_SECONDS)
    found.notes.append(f"the slowest process ended {slowest:.1f} s after SIGTERM")
    if slowest > GRACE_SECONDS:
        found.broken.append(f"a process took longer than {GRACE_SECONDS} s to end")
    return found


@drill("R11", "a stalled worker whose result comes after its lease", guard="fence")
def late_results(run: Run) -> Figures:
    """The worker holds its results back; others do the work; then the old results arrive."""
    from teleder.cases.models import Photo

    clients, count = run.clients(), run.few_or_many(3, 100)
    hold = run.system.arm(HOLD)
    clients.send(count)
    wait_until(lambda: len(list(run.system.armed.glob("held-*"))) >= count, HELD_SECONDS)
    hold.unlink()
    run.finish(clients, bound=float("inf"))
    rows = Photo.objects.filter(submission__in=[each.submission for each in clients.accepted])
    before = list(rows.order_by("pk").values("display_key", "state", "reason"))
    held = run.system.release_held()
    time.sleep(5)
    found = run.finish(clients, bound=float("inf"))
    changed = sum(
        a != b
        for a, b in zip(before, rows.order_by("pk").values("display_key", "state", "reason"), strict=True)
    )
    found.notes.append(f"{held - changed} of {held} late results refused")
    if changed or held < count:
        found.broken.append(f"{changed} late results changed the record, {held} of {count} came")
    return found
