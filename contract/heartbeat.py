"""A Celery worker's heartbeat: its event loop touches a file while it is connected to the broker.

A health check reads the file's age and needs no right in the broker. A fresh file shows that the loop runs and takes
messages; it does not show that the child makes progress: each job has a deadline for that.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep

log = logging.getLogger(__name__)

NAME = "TELEDER_WORKER_HEARTBEAT"  # of the variable with the file's path
SECONDS = 10


class TouchFile(StartStopStep):
    requires = ("celery.worker.components:Pool",)

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        """Start the timer. Celery calls this for each new connection and cancels the timer with the connection."""
        if path := os.environ.get(NAME):
            hub.call_repeatedly(SECONDS, _touch, Path(path))


def _touch(path: Path) -> None:
    try:
        path.touch()
    except OSError as error:  # Celery would take it for a broken connection
        log.error("the heartbeat cannot be written (%s)", type(error).__name__)


def install(app: Celery) -> None:
    app.steps["worker"].add(TouchFile)
