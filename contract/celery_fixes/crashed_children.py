"""A worker takes its next message within a second of its child's crash, and ends in time for a deploy.

By default Celery keeps a message whose child crashed for ten seconds, and looks only every five whether they are over: the
child's result might still lie in its pipe. Ours carries none (both sides answer by messages of their own), and a worker
with one child and late acknowledgement takes nothing else meanwhile: one photo that crashes workers would delay all others.

A worker that is asked to end does so in time for a deploy, whatever its child is busy with: the web knows what was
begun, and the next worker does it again. The parent forgets a message that it had just handed to the child when it was
asked (celery's `AsynPool.flush`), and the child then waits half a minute for the parent to read its result.

These waits are constants in billiard/pool.py; there is no upstream issue. Not fixed as of Celery 5.7 and billiard 4.3.
"""

from __future__ import annotations

import signal
from typing import Any

from billiard import pool
from celery import Celery
from celery.bootsteps import StartStopStep
from celery.signals import worker_shutting_down

LOST_WAIT_SECONDS = 0.1  # 0 would mean the default
CHECK_SECONDS = 0.5
CHILD_END_SECONDS = 3  # that a child, before it ends, waits for its parent to read its result
END_SECONDS = 20  # from SIGTERM on; the compose file kills after 30


class CheckChildren(StartStopStep):
    requires = ("celery.worker.components:Pool",)

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        hub.call_repeatedly(CHECK_SECONDS, worker.pool.maintain_pool)


def install(app: Celery) -> None:
    app.conf.worker_lost_wait = LOST_WAIT_SECONDS
    checks = CHILD_END_SECONDS / pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_INTERVAL
    pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = round(checks)
    app.steps["worker"].add(CheckChildren)


@worker_shutting_down.connect
def end_in_time(**_signal: Any) -> None:
    """Let the kernel end this process unless it has ended by itself: no lock and no library can prevent that."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(END_SECONDS)
