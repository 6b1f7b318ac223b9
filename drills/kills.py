"""Drills that end processes: R1 and R2 by a crash, R8 by a photo, R10 by a deploy, R20 one child of the web; in R11 one
resumes."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import requests

from contract import messages
from drills.client import TRY_SECONDS, App, Clients, at_once, photo, wait_until
from drills.crashes import HOLD, STEPS
from drills.oracle import Figures, settle, slowest_of, waits_for_ai
from drills.people import Person
from drills.run import SETTLE_SECONDS, Run, drill
from drills.system import NAMES
from local.processes import WORKERS

RECOVERY_SECONDS = 60  # "N" of docs/reliability.md
STEP_SECONDS = 60
STEPS_TOGETHER = 11
QUARANTINE_SECONDS = 120
GRACE_SECONDS = 25
START_SECONDS = 60
STOP_SECONDS = 1  # after SIGTERM; no job may start later
BEGUN, LENGTH_OF_TIME = " inference_worker.tasks begun: ", len("2026-11-26 06:30:00.000+00:00")
HELD_SECONDS = 120
DELAY_TIMES = 2
SHARE_OF_CAPACITY = 0.3  # of two workers' capacity: one alone can handle it
# On a busy machine ten submissions of the short form wait up to 4.7 times as long. The faults that this drill found made
# others wait 5.1 to 50 s, where a quiet machine takes 0.3 s.
SHORT_DELAY_TIMES = 6
DELAY_SECONDS = 2.0  # people do not notice a shorter delay
LEAST_SENT = 10
READERS = 4
BETWEEN_KILLS_SECONDS = 7
NOTICE_SECONDS = 0.2  # a request that the dying child has just accepted
# Faults of the worker, and of the child that decodes.
CRASHES = ((b"drill:segv", b"drill:kill", b"drill:eat"), (b"decoder:segv", b"decoder:eat"))
HANGS = ((b"drill:spin",), (b"decoder:spin",))


@drill("R1", "kill -9 of any process at any moment", guard="expire")
def kill_9(run: Run) -> Figures:
    """Each trial kills one process at a random moment while submissions are processed, then waits for recovery."""
    clients, size = run.clients(), run.few_or_many(6, 20)
    killed: Counter[str] = Counter()
    for _ in range(2):  # the first round warms up
        began = time.monotonic()
        clients.send(size)
        settle(clients, SETTLE_SECONDS)
        usual = time.monotonic() - began
    for _ in run.trials(8, 200):
        sending = clients.sending(size)
        time.sleep(run.rng.uniform(0, usual))
        killed[run.system.kill_one(run.rng)] += 1
        sending.join()
        settle(clients, SETTLE_SECONDS)
    found = run.finish(clients, bound=RECOVERY_SECONDS)
    found.notes.append(", ".join(f"{name} {n}" for name, n in sorted(killed.items())))
    found.notes.append(f"{killed.total()} kills, each within {usual:.0f} s of {size} submissions")
    return found


@drill("R2", "a crash at every named step", guard="expire")
def crash_at_each_step(run: Run) -> Figures:
    """The short form combines crashes at several steps: a submission may meet two or three."""
    clients, together = run.clients(), run.few_or_many(STEPS_TOGETHER, 1)
    groups = run.share(
        [list(STEPS)[first :: -(-len(STEPS) // together)] for first in range(-(-len(STEPS) // together))]
    )
    wanted, reached, slowest = 0, 0, {}
    for number in run.trials(len(groups), run.times * len(groups)):
        steps = groups[number % len(groups)]
        crashed, seconds = _crash_at(run, clients, steps)
        wanted, reached = wanted + len(steps), reached + crashed
        slowest[steps[0]] = max(seconds, slowest.get(steps[0], 0.0))
    found = run.finish(clients, bound=RECOVERY_SECONDS * together)
    found.notes.append(f"{reached} crashes at {min(wanted, sum(map(len, groups)))} of {len(STEPS)} steps")
    if together == 1:
        found.notes += [f"{step} {seconds:.0f} s" for step, seconds in slowest.items()]
    if reached < wanted:
        found.late.append(f"a step was not reached within {STEP_SECONDS} s")
    return found


def _crash_at(run: Run, clients: Clients, steps: list[str]) -> tuple[int, float]:
    """Send until each step was reached; in the long form, wait for the recovery.

    Return how many steps were reached and, in the long form, the slowest recovery in seconds.
    """
    from teleder.cases.models import HeldAnswer

    before = len(clients.accepted)
    armed = [run.system.arm(step) for step in steps]
    # Only a crashed worker leads to these steps.
    if any(step.startswith(("expire.", "ended.")) for step in steps):
        run.system.arm("worker.after_started")
    clients.send(len(steps), threads=2)
    if any(step.startswith(("claim.", "sign.")) for step in steps):
        for each in clients.accepted[before:]:
            App(clients, run.dermatologists[0]).answer(each.submission)
    wait_until(lambda: not any(file.exists() for file in armed), STEP_SECONDS)
    missed = [file for file in armed if file.exists()]
    # An answer that waits to be sent is no answer yet.
    wait_until(lambda: not HeldAnswer.objects.exists(), STEP_SECONDS)
    for file in missed:
        file.unlink(missing_ok=True)
    if not run.short:
        settle(clients, SETTLE_SECONDS)
    return len(steps) - len(missed), 0.0 if run.short else slowest_of(clients.accepted[before:])


@drill(
    "R8", "photos that crash native code, hang or use up memory, in worker and decoder", guard="quarantine"
)
def crashing_photos(run: Run) -> Figures:
    """Measure the delay of ordinary submissions on two workers, without such photos and beside crashing ones.

    A photo that hangs occupies a worker until its time limit, three times: beside two of those there is a third worker.
    """
    worker, decoder, quiet, killed, hung = (run.clients() for _ in range(5))
    with run.system.beside(WORKERS, "second"):
        rate = SHARE_OF_CAPACITY * run.capacity(run.few_or_many(16, 100))
        _load_beside(run, rate, quiet)
        _load_beside(run, rate, killed, (worker, CRASHES[0]), (decoder, CRASHES[1]))
        with run.system.beside(WORKERS, "third"):
            _load_beside(run, rate, hung, (worker, HANGS[0]), (decoder, HANGS[1]))
        found, refused = (run.finish(clients, bound=QUARANTINE_SECONDS) for clients in (worker, decoder))
        usual, *others = (run.finish(load, bound=float("inf")) for load in (quiet, killed, hung))
    found.notes.append(
        f"{_quarantined(worker)} of {found.accepted} quarantined, {QUARANTINE_SECONDS} s allowed"
    )
    found.notes.append(f"{refused.unavailable} of {refused.accepted} that crash the decoder left to people")
    found.notes.append(f"others' p95 {usual.p95_seconds:.1f} s at {rate:.2f}/s")
    if _quarantined(worker) != found.accepted or refused.unavailable != refused.accepted:
        found.broken.append("a photo that crashes workers was not left to people")
    allowed = run.few_or_many(SHORT_DELAY_TIMES, DELAY_TIMES)
    for name, beside in zip(("crashing photos", "hanging photos"), others, strict=True):
        times = beside.p95_seconds / usual.p95_seconds
        found.notes.append(f"beside {name} {beside.p95_seconds:.1f} s ({times:.1f} times, {allowed} allowed)")
        if beside.p95_seconds > max(allowed * usual.p95_seconds, DELAY_SECONDS):
            found.late.append(f"others waited for {name}")
    for other in (usual, *others, refused):
        found.broken += other.broken
        found.late += other.late
    return found


def _load_beside(run: Run, rate: float, load: Clients, *crashing: tuple[Clients, tuple[bytes, ...]]) -> None:
    """Send ordinary submissions at a constant rate and beside them a photo for each fault, in rounds."""
    seconds = max(run.few_or_many(30, 270), LEAST_SENT / rate)
    sending = threading.Thread(target=load.pace, args=(rate, seconds), daemon=True)
    sending.start()
    for number in range(run.few_or_many(1, 3)):
        for clients, words in crashing:
            for word in words:
                clients.send_one(run.people[0], (photo() + word + b" " * number + word,))
        if not run.short:
            wait_until(lambda: not any(waits_for_ai(clients) for clients, _ in crashing), SETTLE_SECONDS)
    sending.join()
    settle(load, SETTLE_SECONDS)


def _quarantined(clients: Clients) -> int:
    from teleder.cases.models import Job, JobState

    accepted = [each.submission for each in clients.accepted]
    return Job.objects.filter(state=JobState.QUARANTINED, photo__submission__in=accepted).count()


@drill("R10", "SIGTERM of every process at once, as a deploy does, under load", guard="sigterm")
def deploys(run: Run) -> Figures:
    clients, rounds, slowest, begun = run.clients(), 0, 0.0, 0
    for _ in run.trials(3, 100):
        rounds += 1
        sending = clients.sending(run.few_or_many(6, 4), threads=2)
        time.sleep(run.rng.uniform(0, 2))
        # A process may have just restarted and not be ready yet: at that moment Granian once did not end.
        wait_until(lambda: all(map(run.system.pids, NAMES)), START_SECONDS)
        asked = datetime.now(UTC)
        seconds = at_once([partial(run.system.terminate, name) for name in NAMES])
        slowest = max(slowest, *seconds)
        for name in WORKERS:  # from its log: the jobs that it started after SIGTERM
            lines = (run.system.supervisor.logs / f"{name}.log").read_text().splitlines()
            times = [datetime.fromisoformat(line[:LENGTH_OF_TIME]) for line in lines if BEGUN in line]
            ended = seconds[NAMES.index(name)]
            begun += sum(STOP_SECONDS < (at - asked).total_seconds() <= ended for at in times)
        sending.join()
        settle(clients, SETTLE_SECONDS)  # each deploy is measured separately
    found = run.finish(clients, bound=RECOVERY_SECONDS)
    found.notes.append(f"{rounds} deploys; the slowest process ended {slowest:.1f} s after SIGTERM")
    found.notes.append(f"{begun} jobs started more than {STOP_SECONDS} s after it")
    if begun:
        found.late.append("new jobs were started")
    if slowest > GRACE_SECONDS:
        found.late.append(f"a process took longer than {GRACE_SECONDS} s to end")
    return found


@drill("R20", "one of the web's two children killed: only its requests under way fail", guard="respawn")
def one_child_of_the_web(run: Run) -> Figures:
    """Readers ask all the time; a kill may cost the requests that were under way, and no later one."""
    clients, over = run.clients(), threading.Event()
    asked: list[tuple[float, bool]] = []  # when each request began, and whether it was answered

    def read(person: Person) -> None:
        app = App(clients, person)
        while not over.is_set():
            began, is_ok = time.monotonic(), False
            with suppress(requests.RequestException):
                is_ok = app.ask("GET", "submissions").ok
            asked.append((began, is_ok))

    readers = [threading.Thread(target=read, args=(person,), daemon=True) for person in run.people[:READERS]]
    for reader in readers:
        reader.start()
    clients.send(4)
    kills = []
    for _ in run.trials(3, 20):
        time.sleep(BETWEEN_KILLS_SECONDS)  # Granian ends itself where the same child dies twice within 5.5 s
        os.kill(run.rng.choice(run.system.pids("web")[1:]), signal.SIGKILL)
        kills.append(time.monotonic())
    time.sleep(BETWEEN_KILLS_SECONDS)
    over.set()
    for reader in readers:
        reader.join()
    found = run.finish(clients, bound=RECOVERY_SECONDS)
    failed = [began for began, is_ok in asked if not is_ok]
    later = sum(
        not any(kill - TRY_SECONDS < began < kill + NOTICE_SECONDS for kill in kills) for began in failed
    )
    found.notes.append(
        f"{len(kills)} kills; {len(failed)} of {len(asked)} requests failed, {later} begun later"
    )
    if later or len(failed) > READERS * len(kills):
        found.broken.append("the other child did not answer alone")
    return found


@drill("R11", "a stalled worker whose result arrives after its lease", guard="fence")
def late_results(run: Run) -> Figures:
    """The worker holds back its results, the jobs are done again, then the old results arrive.

    The leases are shortened in the database: a hundred would otherwise take a quarter of an hour.
    """
    from teleder.cases.models import Photo

    clients, count = run.clients(), run.few_or_many(10, 100)
    hold = run.system.arm(HOLD)
    sending = clients.sending(count)
    wait_until(lambda: _let_leases_end(run) >= count, HELD_SECONDS)
    hold.unlink()
    sending.join()
    _let_leases_end(run)
    run.finish(clients, bound=float("inf"))
    rows = Photo.objects.filter(submission__in=[each.submission for each in clients.accepted])
    before = _stored_results(rows)
    held = run.system.release_held()
    wait_until(lambda: not run.system.broker().llen(messages.RESULTS_QUEUE), HELD_SECONDS)
    time.sleep(2)
    found = run.finish(clients, bound=float("inf"))
    changed = sum(before[photo] != after for photo, after in _stored_results(rows.all()).items())
    found.notes.append(f"{held - changed} of {held} late results refused")
    if changed or held < count:
        found.broken.append(f"{changed} late results changed the record, {held} of {count} arrived")
    return found


def _let_leases_end(run: Run) -> int:
    """End the leases of jobs whose results are held back; return the number of these results."""
    from django.db.models.functions import Now

    from teleder.cases.models import Job, JobState

    held = [json.loads(file.read_text() or "null") for file in run.system.armed.glob("held-*")]
    for (row,) in (message["results"] for message in held if message):
        same = Job.objects.filter(pk=row["job"], attempt=row["attempt"], state=JobState.STARTED)
        same.update(deadline=Now())
    return len(held)


def _stored_results(photos) -> dict:
    """Return the stored results of each photo's workers."""
    from teleder.cases.models import Finding

    return {
        photo.pk: (
            (photo.display_key, photo.analysis_key, photo.state, photo.reason),
            list(photo.analyses.order_by("pk").values()),
            list(Finding.objects.filter(analysis__photo=photo).order_by("pk").values()),
        )
        for photo in photos
    }
