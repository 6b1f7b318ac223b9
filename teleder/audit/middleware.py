"""An entry for every request of a person that shows a case or changes anything, before the answer leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.core.exceptions import ReauthenticationRequired
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch, resolve

from contract import logs
from teleder.audit import seen, trail
from teleder.audit.models import Verb

SAFE = ("GET", "HEAD", "OPTIONS")
ERROR_PAGES = {403, 404}
# An open page says every minute that it is still open: that changes nothing but a time.
HEARTBEATS = {"web:keep_claim", "api:keep-claim"}


class Trail:
    """The last of all middleware, so that what others stop leaves no entry of what never happened.

    If the entry cannot be written, the answer does not leave: an error is sent in its place. A 304 shows
    nothing that was not shown before.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with seen.collected() as found:
            response = self.get_response(request)
        if getattr(request, "is_at_its_view", False) and request.user.is_authenticated:
            _write(request, response, found)
        return response

    def process_view(self, request: HttpRequest, *_view: Any) -> None:
        request.is_at_its_view = True

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        if isinstance(exception, ReauthenticationRequired):  # nothing was done yet
            request.is_at_its_view = False


def _write(request: HttpRequest, response: HttpResponse, found: seen.Seen) -> None:
    # Not `request.resolver_match`: who has to show again who they are does what they wanted inside of that page.
    door = resolve(request.path_info)
    reads = request.method in SAFE or response.status_code >= 400
    if (reads and not _shows(response)) or door.view_name in HEARTBEATS:
        return
    cases = found.cases(request.user)
    if reads and not cases:
        return
    kind, pk = _about(door, found)
    trail.record(
        Verb.READ if reads else getattr(request, "deed", Verb.CHANGE),
        door.view_name,
        by=request.user,
        kind=kind,
        pk=pk,
        cases=cases,
        trace=logs.current("trace"),
        status=response.status_code,
    )


def _shows(response: HttpResponse) -> bool:
    """Whether an answer may show what was loaded for it: a form comes back with its case (409, 422). A problem of the
    API and the pages of 403 and 404 tell of none."""
    if response.status_code < 400:
        return response.status_code < 300
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    return is_page and response.status_code not in ERROR_PAGES


def _about(door: ResolverMatch, found: seen.Seen) -> tuple[str, str]:
    """Return kind and id of what the address names, where it is a row that was loaded."""
    pk = str(door.kwargs.get("pk") or door.kwargs.get("object_id") or "")
    return next(((kind, pk) for kind, loaded in found.rows if loaded == pk), ("", ""))
