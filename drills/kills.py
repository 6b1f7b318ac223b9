"""Drills that end processes: R1 at any moment, R2 at every named step."""

from __future__ import annotations

import time
from collections import Counter

from drills.crashes import STEPS
from drills.oracle import Figures
from drills.run import Run, drill

RECOVERY_SECONDS = 60  # "N" of docs/reliability.md
STEP_SECONDS = 60


@drill("R1", "kill -9 of any process at any moment", guard="expire")
def kill_9(run: Run) -> Figures:
    kills = run.few_or_many(8, 200)
    clients = run.clients()
    sending = clients.sending(run.few_or_many(24, 600), threads=2)
    killed: Counter[str] = Counter()
    for _ in range(kills):
        time.sleep(run.lot.uniform(0.5, 3))
        killed[run.system.kill_one(run.lot)] += 1
    sending.join()
    found = run.finish(clients, bound=RECOVERY_SECONDS)
    found.notes.append(f"{kills} kills: " + ", ".join(f"{name} {n}" for name, n in sorted(killed.items())))
    return found


@drill("R2", "a crash at every named step", guard="expire")
def crash_at_each_step(run: Run) -> Figures:
    clients = run.clients()
    reached = 0
    for step in list(STEPS) * run.few_or_many(1, 20):
        armed = run.system.arm(step)
        clients.send(1)
        limit = time.monotonic() + STEP_SECONDS
        while armed.exists() and time.monotonic() < limit:
            time.sleep(0.1)
        reached += not armed.exists()
        armed.unlink(missing_ok=True)
    found = run.finish(clients, bound=RECOVERY_SECONDS)
    found.notes.append(f"{reached} crashes at {len(STEPS)} steps")
    if reached < len(STEPS) * run.few_or_many(1, 20):
        found.broken.append("a step was never reached")
    return found
