"""Drills of the database: R6 restarts it under load; R16 shows that no clock but its own counts; R21 holds its locks."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial

import psycopg
import requests

from contract.messages import Stage
from drills import clock
from drills.client import App, Clients, at_once
from drills.oracle import Figures
from drills.run import Run, drill

RECOVERY_SECONDS = 10
QUIET_SECONDS = 3  # without a failure: it has recovered
PROBERS = 4
PROBE_SECONDS = 0.4
AUDIT_LOCK = 4182026  # of the trigger that writes the chain
UPLOAD_SECONDS = 2
LOCKED_SECONDS = 8  # the role's lock_timeout, and the answer
JUMPS_SECONDS = (600, -600, 0)
# Difficult moments for the clocks of web and workers (in UTC, for Europe/Berlin): the hour that daylight saving skips,
# the hour that it repeats, the start of a leap day, and its end.
MOMENTS = (
    datetime(2027, 3, 28, 0, 59, 57, tzinfo=UTC),
    datetime(2027, 10, 31, 0, 59, 57, tzinfo=UTC),
    datetime(2028, 2, 28, 22, 59, 57, tzinfo=UTC),
    datetime(2028, 2, 29, 22, 59, 57, tzinfo=UTC),
)


# --- R6 ---------------------------------------------------------------------------------------------------
@drill("R6", "PostgreSQL restarted, fast and immediate, under load", guard="reconnect")
def restarts(run: Run) -> Figures:
    clients = run.clients()
    count, recoveries = run.few_or_many(4, 20), []
    sending = clients.sending(run.few_or_many(20, 200), threads=4)
    with Probes(clients, run) as probes:
        for number in range(count):
            time.sleep(run.rng.uniform(1, 3))
            run.system.stop_server("database", (signal.SIGINT, signal.SIGQUIT)[number % 2])
            run.system.start_server("database")
            recoveries.append(probes.seconds_to_recover())
        sending.join()
    found = run.finish(clients, bound=float("inf"))
    found.notes.append(
        f"{count} restarts; the web recovered within {max(recoveries):.1f} s ({RECOVERY_SECONDS} s allowed)"
    )
    committed, missed = _committed_unanswered(clients)
    found.notes.append(
        f"{sum(clients.refusals.values())} answers 5xx; of {len(clients.unsure)} unanswered requests to open a "
        f"submission {committed} were committed, {missed} of them not found by the repeat"
    )
    if max(recoveries) > RECOVERY_SECONDS:
        found.late.append(f"not recovered {RECOVERY_SECONDS} s after the database was back")
    if missed:
        found.broken.append("a request answered 5xx was committed, and the repeat did not find it")
    if clients.server_errors:
        found.broken.append("a patient got a 500 because of the database")
    return found


def _committed_unanswered(clients: Clients) -> tuple[int, int]:
    """Return how many unanswered requests were committed, and how many of these the repeat did not find."""
    from teleder.cases.models import Submission

    committed = missed = 0
    for key, at in {
        each.key: each.at for each in reversed(clients.unsure)
    }.items():  # the first failure of each
        rows = Submission.objects.filter(idempotency_key=key)
        if rows.filter(created_at__lt=at).exists():
            committed += 1
            given_up = key not in clients.opened
            missed += rows.count() != 1 or not (given_up or str(rows.get().pk) == clients.opened[key])
    return committed, missed


class Probes:
    """Sends requests that need the database all the time, as a context manager."""

    def __init__(self, clients: Clients, run: Run) -> None:
        self.apps = [App(clients, person) for person in run.people[:PROBERS]]
        self.failed_at = 0.0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(app,), daemon=True) for app in self.apps]

    def __enter__(self) -> Probes:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _ask(self, app: App) -> None:
        while not self.over.wait(PROBE_SECONDS):
            with suppress(requests.RequestException):
                if app.ask("GET", "submissions").ok:
                    continue
            self.failed_at = time.monotonic()

    def seconds_to_recover(self) -> float:
        """Return the seconds from now to the last failure."""
        back = time.monotonic()
        limit = back + RECOVERY_SECONDS + QUIET_SECONDS
        while time.monotonic() < limit and time.monotonic() - max(back, self.failed_at) < QUIET_SECONDS:
            time.sleep(0.1)
        return max(0.0, self.failed_at - back)


# --- R21 --------------------------------------------------------------------------------------------------
@drill("R21", "a lock that is held: no upload waits for it, and no request for long", guard="try-lock")
def held_locks(run: Run) -> Figures:
    """A session holds the locks of all dispatchers while patients send, then that of the audit log while they read."""
    clients, count = run.clients(), run.few_or_many(10, 100)
    with _held(run, *(f"hashtext('dispatch.{stage}')" for stage in Stage)):
        clients.send(count, threads=4)
    uploads = max((each.answered_in for each in clients.accepted), default=float("inf"))
    refused = sum(clients.refusals.values())
    readers = [App(clients, person) for person in run.people[:PROBERS]]
    with _held(run, str(AUDIT_LOCK)):
        answers = at_once([partial(_read, reader) for reader in readers])
    after = at_once([partial(_read, reader) for reader in readers])
    found = run.finish(clients, bound=float("inf"))
    waited = max(seconds for _answer, seconds in answers)
    retry_after = [
        answer.headers.get("Retry-After") for answer, _seconds in answers if answer.status_code == 503
    ]
    found.notes.append(
        f"{len(clients.accepted)} sent while dispatch was locked, slowest submit {uploads:.2f} s"
    )
    found.notes.append(
        f"audit log locked: {len(retry_after)} of {len(answers)} answers 503, after {waited:.1f} s at most"
    )
    if refused or uploads > UPLOAD_SECONDS:
        found.broken.append(f"uploads waited for a dispatcher ({refused} refused)")
    if waited > LOCKED_SECONDS or len(retry_after) < len(answers) or None in retry_after:
        found.broken.append(
            "a request waited for the lock of the audit log, or its answer names no time for the next try"
        )
    if not all(answer.ok for answer, _seconds in after):
        found.broken.append("requests failed after the lock was free")
    return found


@contextmanager
def _held(run: Run, *locks: str) -> Iterator[None]:
    """Hold advisory locks as a session of the tables' owner, to whom no time-out applies."""
    with psycopg.connect(run.system.urls["database"], autocommit=True) as session:
        for lock in locks:
            session.execute(f"SELECT pg_advisory_lock({lock})".encode())
        yield


def _read(app: App) -> tuple[requests.Response, float]:
    """Read the list of submissions, which writes an audit entry; return the answer and its seconds."""
    began = time.monotonic()
    return app.ask("GET", "submissions"), time.monotonic() - began


# --- R16 --------------------------------------------------------------------------------------------------
@drill("R16", "clocks of web and workers that jump; daylight saving and leap day", guard="database-clock")
def jumping_clocks(run: Run) -> Figures:
    from teleder.cases.models import Event, EventKind

    clients, jumps = run.clients(), [*JUMPS_SECONDS] * run.few_or_many(1, 20)
    jumps += MOMENTS
    sending, file = clients.sending(run.few_or_many(24, 400), threads=2), run.system.armed / clock.FILE
    for jump in jumps:
        wrong_by = (jump - datetime.now(UTC)).total_seconds() if isinstance(jump, datetime) else jump
        file.write_text(str(wrong_by))
        time.sleep(run.rng.uniform(4, 6))
    sending.join()
    file.unlink()
    found = run.finish(clients, bound=float("inf"))  # event times come from the clocks that jumped
    found.slowest_seconds = 0.0
    found.notes.append(f"{len(jumps)} jumps, {len(MOMENTS)} of them over a change of the hour or a leap day")
    accepted = [each.submission for each in clients.accepted]
    if given_up := Event.objects.filter(submission__in=accepted, kind=EventKind.AI_UNAVAILABLE).count():
        found.broken.append(f"the AI was declared unavailable {given_up} times because of a clock")
    return found
