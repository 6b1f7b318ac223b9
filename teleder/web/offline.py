"""The page that a patient's browser shows without a connection, and the service worker that keeps it. It keeps nothing else."""

from __future__ import annotations

import hashlib
from functools import cache
from itertools import product

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.views.decorators.http import require_safe

from teleder.web.furigana import with_furigana


def _page(language: str, *, furigana: bool, is_unsent: bool) -> str:
    with translation.override(language):
        page = render_to_string("web/patient/offline.html", {"is_unsent": is_unsent})
    return with_furigana(page) if furigana and language == "ja" else page


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """The same for everybody in a language, with readings above the kanji or without: nothing about a person is kept.

    In place of the answer to a form it says that what was tapped was not sent (`?unsent=1`).
    """
    asked = request.GET.get("language")
    language = asked if asked in dict(settings.LANGUAGES) else translation.get_language()
    wants_readings, is_unsent = (request.GET.get(name) == "1" for name in ("furigana", "unsent"))
    return HttpResponse(_page(language, furigana=wants_readings, is_unsent=is_unsent))


@cache
def _kept() -> dict[str, str]:
    """Return each offline page by its address."""
    pages = {}
    ways = [(language, False) for language, _name in settings.LANGUAGES] + [("ja", True)]
    for (language, furigana), is_unsent in product(ways, (False, True)):
        query = f"?language={language}{'&furigana=1' * furigana}{'&unsent=1' * is_unsent}"
        pages[reverse("web:offline") + query] = _page(language, furigana=furigana, is_unsent=is_unsent)
    return pages


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """The script, at the root of the site because it serves all pages below its own address.

    It is another script when a page is another, so that browsers keep the pages anew.
    """
    pages = _kept()
    version = hashlib.sha256("".join(pages.values()).encode()).hexdigest()[:16]
    context = {"pages": list(pages), "version": version}
    response = render(request, "web/service_worker.js", context, content_type="text/javascript")
    response["Cache-Control"] = "no-cache"
    return response
