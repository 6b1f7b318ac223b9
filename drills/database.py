"""Drills of the database: R6 restarted, politely and not, under load; R16 its clock is the one that counts."""

from __future__ import annotations

import signal
import time

from drills import clock
from drills.oracle import Figures
from drills.run import Run, drill

JUMPS_SECONDS = (600, -600, 0)


@drill("R6", "PostgreSQL restarted, fast and immediate, under load", guard="reconnect")
def restarts(run: Run) -> Figures:
    clients = run.clients()
    count = run.few_or_many(4, 20)
    sending = clients.sending(run.few_or_many(20, 200), threads=4)
    for number in range(count):
        time.sleep(run.lot.uniform(1, 3))
        run.system.stop_server("database", (signal.SIGINT, signal.SIGQUIT)[number % 2])
        run.system.start_server("database")
    sending.join()
    found = run.finish(clients, bound=float("inf"))
    found.notes.append(f"{count} restarts")
    return found


@drill("R16", "clocks of web and workers that jump ten minutes ahead and back", guard="database-clock")
def jumping_clocks(run: Run) -> Figures:
    from teleder.cases.models import Event, EventKind

    clients, jumps = run.clients(), run.few_or_many(1, 20) * JUMPS_SECONDS
    sending, file = clients.sending(run.few_or_many(24, 400), threads=2), run.system.armed / clock.FILE
    for seconds in jumps:
        file.write_text(str(seconds))
        time.sleep(run.lot.uniform(4, 8))
    sending.join()
    file.unlink()
    found = run.finish(clients, bound=float("inf"))  # the times of events come from the clocks that jumped
    found.slowest_seconds = 0.0
    found.notes.append(f"{len(jumps)} jumps")
    accepted = [each.submission for each in clients.accepted]
    if given_up := Event.objects.filter(submission__in=accepted, kind=EventKind.AI_UNAVAILABLE).count():
        found.broken.append(f"the AI was given up {given_up} times because of a clock")
    return found
