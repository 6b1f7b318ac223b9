"""Drills of the broker: R3 emptied, R4 away, R5 restarted, stalled, cut off."""

from __future__ import annotations

import time

from drills.oracle import Figures
from drills.run import Run, drill

FLUSH_SECONDS = 5


@drill("R3", "the broker emptied (FLUSHALL) under load", guard="expire")
def flushall(run: Run) -> Figures:
    clients = run.clients()
    sending = clients.sending(run.few_or_many(20, 300), threads=2)
    broker, flushes = run.system.broker(), 0
    limit = time.monotonic() + run.few_or_many(15, 60)
    while time.monotonic() < limit or sending.is_alive():
        broker.flushall()
        flushes += 1
        time.sleep(FLUSH_SECONDS)
    sending.join()
    found = run.finish(clients, bound=float("inf"))
    found.notes.append(f"{flushes} times emptied")
    return found
