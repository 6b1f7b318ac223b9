"""Request bodies that arrive slowly hold at most two of the web's threads, so that pages are answered.

The reverse proxy hands bodies over whole. A web without one reads them itself, and a thread that waits for a body serves nobody
else. Granian can't stop to read: who answers while a body is read stops the whole process (2.8.7). So nobody begins to read
while two others do, and a body that takes more than a minute ends with its process (`responding.py`).
At this level beside the WSGI application that it wraps.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from math import inf
from typing import Any

log = logging.getLogger(__name__)
AT_ONCE = 2  # threads of a process's four that read a body
WAIT_SECONDS = 0.5  # for one of these places; bodies that are there are read in milliseconds
RETRY_SECONDS = 10
SENTENCE = (
    "Too much is being sent at the moment. Please try again shortly. / "
    "ただいま混み合っています。しばらくしてからもう一度お試しください。\n"
)


class NoPlaceError(OSError):
    """Django takes it for a client that has gone."""


class CountedBody:
    """A body that is read in one of few places, given back as soon as all of it is there."""

    def __init__(self, environ: dict[str, Any], places: threading.Semaphore) -> None:
        self.source, self.places = environ["wsgi.input"], places
        announced = environ.get("CONTENT_LENGTH") or ""
        self.left = int(announced) if announced.isdigit() else inf
        self.has_place, self.is_refused = False, False

    def read(self, *size: int) -> bytes:
        return self._read(self.source.read, *size)

    def readline(self, *size: int) -> bytes:
        return self._read(self.source.readline, *size)

    def leave(self) -> None:
        if self.has_place:
            self.has_place = False
            self.places.release()

    def _read(self, read: Callable[..., bytes], *size: int) -> bytes:
        if self.left > 0 and not self.has_place:
            self.has_place = self.places.acquire(timeout=WAIT_SECONDS)
            if not self.has_place:
                self.is_refused = True
                raise NoPlaceError
        found = read(*size)
        self.left = self.left - len(found) if found else 0
        if self.left <= 0:
            self.leave()
        return found


def bounded(application: Callable, places: threading.Semaphore | None = None) -> Callable:
    """Return a WSGI application that reads few bodies at a time, and answers 503 where there is no place."""
    places = places or threading.BoundedSemaphore(AT_ONCE)

    def answer(environ: dict[str, Any], start_response: Callable) -> Any:
        body = environ["wsgi.input"] = CountedBody(environ, places)
        try:
            found = application(environ, start_response)
        finally:
            body.leave()
        if not body.is_refused:
            return found
        if hasattr(found, "close"):
            found.close()
        log.warning("no place to read a body")
        content = SENTENCE.encode()
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
            ("Retry-After", str(RETRY_SECONDS)),
        ]
        start_response("503 Service Unavailable", headers, (NoPlaceError, NoPlaceError(), None))
        return [content]

    return answer
