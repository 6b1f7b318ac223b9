"""Drills of the database: R6 restarted, politely and not, under load."""

from __future__ import annotations

import signal
import time

from drills.oracle import Figures
from drills.run import Run, drill


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
