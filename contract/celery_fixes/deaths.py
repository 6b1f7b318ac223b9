"""A worker takes its next message within a second of its child's death.

By default Celery keeps a message whose child died for ten seconds, and looks only every five whether they are over: the
child's result might still lie in its pipe. Ours carries none (both sides answer by messages of their own), and a worker
with one child and late acknowledgement takes nothing else meanwhile: one poison photo would hold up everybody.

A worker that is asked to end does so in time for a deploy, whatever its child is busy with: the record knows what was
begun, and the next worker does it again. A message that had just been handed to the child as the worker was asked, the
parent forgets (celery's `AsynPool.flush`), and the child waited half a minute for it to take note of the result.
"""

from __future__ import annotations

import signal
from typing import Any

from billiard import pool
from celery import Celery
from celery.bootsteps import StartStopStep
from celery.signals import worker_shutting_down

LOST_WAIT_SECONDS = 0.1  # 0 would mean the default
LOOK_SECONDS = 0.5
HEARD_SECONDS = 3  # that a child, before it ends, waits for its parent to read what it said
END_SECONDS = 20  # from SIGTERM on; the compose file kills after 30


class LookForDeaths(StartStopStep):
    requires = ("celery.worker.components:Pool",)

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        hub.call_repeatedly(LOOK_SECONDS, worker.pool.maintain_pool)


def notice_soon(app: Celery) -> None:
    app.conf.worker_lost_wait = LOST_WAIT_SECONDS
    looks = HEARD_SECONDS / pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_INTERVAL
    pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = round(looks)
    app.steps["worker"].add(LookForDeaths)


@worker_shutting_down.connect
def end_in_time(**_signal: Any) -> None:
    """Let the kernel end this process unless it has ended by itself: no lock and no library can be in its way."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(END_SECONDS)
