"""Conditional responses for polling: 304 while nothing changes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified

from teleder.web.display import display_of

CSRF_VALUE = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"')  # masked differently in each response


def unless_same(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return the response with an ETag of its content, or 304 where the client has that version.

    Readings above kanji are added later (furigana.py), so the ETag says whether they are.
    """
    etag = f'W/"{_digest_of(response)}{display_of(request).furigana:d}"'
    if request.headers.get("If-None-Match") == etag:
        response = HttpResponseNotModified()
    return _with(etag, response)


def unless_unchanged(request: HttpRequest, stamp: str, render: Callable[[], HttpResponse]) -> HttpResponse:
    """As `unless_same`, but without rendering where the client has a version of this `stamp`.

    The content depends on nothing that the stamp does not tell; another stamp may still mean the same content.
    """
    known, stamped = request.headers.get("If-None-Match", ""), hashlib.sha256(stamp.encode()).hexdigest()[:32]
    if re.fullmatch(rf'W/"{stamped}\.[0-9a-f]{{32}}"', known):
        return _with(known, HttpResponseNotModified())
    response = render()
    etag = f'W/"{stamped}.{_digest_of(response)}"'
    if known.partition(".")[2] == etag.partition(".")[2]:
        response = HttpResponseNotModified()
    return _with(etag, response)


def _digest_of(response: HttpResponse) -> str:
    return hashlib.sha256(CSRF_VALUE.sub(b"", response.content)).hexdigest()[:32]


def _with(etag: str, response: HttpResponse) -> HttpResponse:
    response["ETag"], response["Cache-Control"] = etag, "private, no-cache"
    return response
