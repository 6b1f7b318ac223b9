"""One log line for each request, and the id under which it and all that follows from it can be found.

The line names the door by its pattern in our own table, never the address: addresses hold ids and tokens.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from contract import logs

log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
ASKED_ALL_THE_TIME = {"healthz", "readyz"}


def request_log(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A caller may name the id of its request, as a UUID; so it ties lines together and proves nothing."""

    def answer(request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        with logs.about(trace=logs.trace_of(request.headers.get(HEADER))):
            response = get_response(request)
            response.headers[HEADER] = logs.current("trace")
            _tell(request, response, round((time.perf_counter() - began) * 1000))
        return response

    return answer


def _tell(request: HttpRequest, response: HttpResponse, milliseconds: int) -> None:
    method = request.method if request.method in METHODS else "another method"
    door = getattr(request.resolver_match, "route", None)
    if response.status_code < 400 and (
        door is None or door in ASKED_ALL_THE_TIME
    ):  # style sheets, health checks
        return
    shown = "(no door of ours)" if door is None else f"/{door}"
    log.info("%s %s %s, %s ms", method, shown, response.status_code, milliseconds)
