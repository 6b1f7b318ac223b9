"""One log line for each request, with the trace id that the request and everything it causes share.

The line names the URL pattern and never the URL, which contains ids and tokens.
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
HEALTH_CHECKS = {"healthz", "readyz", "metrics"}


def request_log(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A caller may choose the trace id of its request, as a UUID; the id is no proof of anything."""

    def answer(request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        with logs.about(trace=logs.trace_of(request.headers.get(HEADER))):
            response = get_response(request)
            response.headers[HEADER] = logs.current("trace")
            method = request.method if request.method in METHODS else "another method"
            route = getattr(request.resolver_match, "route", None)
            is_routine = route is None or route in HEALTH_CHECKS  # style sheets, health checks
            if response.status_code >= 400 or not is_routine:
                shown = "(no URL pattern)" if route is None else f"/{route}"
                milliseconds = round((time.perf_counter() - began) * 1000)
                log.info("%s %s %s, %s ms", method, shown, response.status_code, milliseconds)
        return response

    return answer
