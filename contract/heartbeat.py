"""A Celery worker's heartbeat: its event loop touches a file, unless a child does not begin what it was given.

Health checks and `contract/supervise.py` read the file's age and need no right in the broker. While the broker is away the loop that
tries to connect touches it: a restart would repair nothing. A child that hangs within a task is ended by the task's time limit;
one that hangs between two tasks is shown by the next one, a photo or a probe, which it does not begin.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep

log = logging.getLogger(__name__)

NAME = "TELEDER_WORKER_HEARTBEAT"  # of the variable with the file's path
SECONDS = 5
BEGIN_SECONDS = 20  # longer than a new child needs to start


class TouchFile(StartStopStep):
    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        _beat_while_connecting()

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        """Start the timer. Celery calls this for each new connection and cancels the timer with the connection."""
        if path := os.environ.get(NAME):
            hub.call_repeatedly(SECONDS, Given(Path(path)).beat)


class Given:
    """What children were given and have not begun, and since when."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.since: dict[str, float] = {}

    def beat(self) -> None:
        from celery.worker import state  # which the web, that only sends, does not load

        now, begun = time.monotonic(), set(state.active_requests)
        waiting = {each.id for each in set(state.reserved_requests) - begun}
        self.since = {each: self.since.get(each, now) for each in waiting}
        if all(now - since < BEGIN_SECONDS for since in self.since.values()):
            _touch(self.path)
        else:
            log.error("a child does not begin what it was given")


def _touch(path: Path) -> None:
    try:
        path.touch()
    except OSError as error:  # Celery would take it for a broken connection
        log.error("the heartbeat cannot be written (%s)", type(error).__name__)


def _beat_while_connecting() -> None:
    """Touch the file each second while Celery tries to connect: it then asks whether it is to stop."""
    from celery.worker import state
    from celery.worker.consumer import consumer

    def beat_and_ask() -> None:
        if path := os.environ.get(NAME):
            _touch(Path(path))
        state.maybe_shutdown()

    consumer.maybe_shutdown = beat_and_ask


def install(app: Celery) -> None:
    app.steps["worker"].add(TouchFile)
