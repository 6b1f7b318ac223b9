"""Drills of the database: R6 restarts it under load; R16 shows that no clock but its own counts."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

import requests

from drills import clock
from drills.client import App, Clients
from drills.oracle import Figures
from drills.run import Run, drill

RECOVERY_SECONDS = 10
QUIET_SECONDS = 3  # without a failure: it has recovered
PROBERS = 4
PROBE_SECONDS = 0.4
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
