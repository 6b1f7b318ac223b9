"""The sign of life of a web process: a timer touches its file, unless one of its requests takes longer than a minute.

`contract/supervise.py` ends the process whose file is old, and Granian replaces it. Until then one that still works says so: the
others of the same machine look at the files, too. At this level beside the WSGI application that it wraps.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.utils import Error

from contract import supervise

log = logging.getLogger(__name__)
FOLDER = (
    "TELEDER_WEB_HEARTBEAT"  # of the variable with the folder: one file for each process, named by its id
)
EVERY_SECONDS = 2
SILENT_SECONDS = 6  # then another process says so
REQUEST_SECONDS = 60


class UnderWay:
    """A WSGI application that knows since when each request is under way. What is being downloaded is answered."""

    def __init__(self, application: Callable) -> None:
        self.application = application
        self.began: dict[object, float] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Any:
        request = object()
        self.began[request] = time.monotonic()
        try:
            return self.application(environ, start_response)
        finally:
            del self.began[request]

    def oldest_seconds(self) -> float:
        began = list(self.began.values())  # others come and go meanwhile
        return time.monotonic() - min(began, default=time.monotonic())


def watched(application: Callable) -> Callable:
    """Return the application; where a folder is named, it is watched from now on."""
    if not (folder := os.environ.get(FOLDER)):
        return application
    counted = UnderWay(application)
    threading.Thread(target=_give_signs, args=(counted, Path(folder)), daemon=True).start()
    return counted


def _give_signs(counted: UnderWay, folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    others = supervise.Sign(folder, SILENT_SECONDS, look_seconds=EVERY_SECONDS)
    while True:
        try:
            give_sign(counted, folder, others)
        except (OSError, Error) as error:
            log.error("no sign of life (%s)", type(error).__name__)
        time.sleep(EVERY_SECONDS)


def give_sign(counted: UnderWay, folder: Path, others: supervise.Sign) -> None:
    """Touch the own file unless a request hangs; note where another process of this web does not."""
    if (seconds := counted.oldest_seconds()) < REQUEST_SECONDS:
        (folder / str(os.getpid())).touch()
    else:
        log.error("a request is under way for %d s", seconds)
    if others.look():
        from teleder.pipeline import heartbeats  # its tables can be read once the application is there

        try:
            heartbeats.note_fault(heartbeats.WEB)
        finally:
            connection.close()  # back to the pool
