"""A worker takes its next message within a second of its child's death.

By default Celery keeps a message whose child died for ten seconds, and looks only every five whether they are over: the
child's result might still lie in its pipe. Ours carries none (both sides answer by messages of their own), and a worker
with one child and late acknowledgement takes nothing else meanwhile: one poison photo would hold up everybody.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep

LOST_WAIT_SECONDS = 0.1  # 0 would mean the default
LOOK_SECONDS = 0.5


class LookForDeaths(StartStopStep):
    requires = ("celery.worker.components:Pool",)

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        hub.call_repeatedly(LOOK_SECONDS, worker.pool.maintain_pool)


def notice_soon(app: Celery) -> None:
    app.conf.worker_lost_wait = LOST_WAIT_SECONDS
    app.steps["worker"].add(LookForDeaths)
