"""Write an audit entry for each request of a user that shows a case or changes something, before it is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.core.exceptions import ReauthenticationRequired
from django.http import HttpRequest, HttpResponse
from django.urls import resolve

from contract import logs
from teleder.audit import entries, seen
from teleder.audit.models import Verb

SAFE = ("GET", "HEAD", "OPTIONS")
ERROR_PAGES = {403, 404}
# An open page reports that it is still open, and keeps its user's own unsigned text: neither changes a case. One that also
# shows something of it sets a verb.
HEARTBEATS = {"web:keep_claim", "web:keep_draft", "api:keep-claim"}


class AuditMiddleware:
    """Must be the last middleware: a request that another one stops leaves no entry.

    If the entry cannot be written, an error is sent in place of the answer. A 304 shows nothing new and leaves no entry.
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
    # Not `request.resolver_match`: after reauthentication, the wanted action runs inside that page's request.
    door = resolve(request.path_info)
    reads = request.method in SAFE or response.status_code >= 400
    if (reads and not _shows(response)) or (
        door.view_name in HEARTBEATS and not hasattr(request, "audit_verb")
    ):
        return
    cases = found.cases(request.user)
    if reads and not cases:
        return
    pk = str(door.kwargs.get("pk") or door.kwargs.get("object_id") or "")
    kind = next((kind for kind, loaded in found.rows if loaded == pk), "")
    # What the URL names counts only if its row was loaded.
    kind, pk = getattr(request, "audit_object", (kind, pk if kind else ""))
    entries.write_entry(
        Verb.READ if reads else getattr(request, "audit_verb", Verb.CHANGE),
        door.view_name,
        by=request.user,
        kind=kind,
        pk=pk,
        cases=cases,
        trace=logs.current("trace"),
        status=response.status_code,
    )


def _shows(response: HttpResponse) -> bool:
    """Whether an answer may show the rows loaded for it. A refused form is shown with its case (409, 422); error answers of
    the API and the pages for 403 and 404 show none."""
    if response.status_code < 400:
        return response.status_code < 300
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    return is_page and response.status_code not in ERROR_PAGES
