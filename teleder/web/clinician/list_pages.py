"""The worklist with its views, its search and the preview of a row. Without scripts it is a page of links and forms."""

from __future__ import annotations

from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from teleder.cases import ai_opinion, snoozing, verdict
from teleder.cases.models import Photo, Place, Status, Submission
from teleder.cases.triage import Urgency
from teleder.web import wording
from teleder.web.clinician import list_views, readings, rows, worklist
from teleder.web.clinician.views import visible
from teleder.web.conditional import unless_unchanged
from teleder.web.roles import dermatologist_required

LONGEST_WORDS = 60


@require_safe
@dermatologist_required
@vary_on_headers("HX-Request")
def show_worklist(request: HttpRequest) -> HttpResponse:
    """The whole page, or for htmx its list alone: 304 while nothing on it has changed."""
    if not request.htmx:
        return render(request, "web/clinician/worklist.html", shown_list(request, request.GET))
    return unless_unchanged(
        request,
        worklist.stamp_of(request.user, **_wanted(request.GET)),
        lambda: render(request, "web/clinician/_worklist.html", shown_list(request, request.GET)),
    )


def _wanted(query: QueryDict) -> dict[str, Any]:
    """Return the view, the words that are searched for and the row behind which the page begins, as far as they are valid."""
    show = query.get("show", "all")
    show = show if show in list_views.VIEWS else "all"
    words = query.get("q", "").replace("\0", "").strip()[:LONGEST_WORDS]
    return {"show": show, "words": words, "after": Place.parse(query.get("after", ""))}


def shown_list(request: HttpRequest, query: QueryDict) -> dict[str, Any]:
    wanted = _wanted(query)
    show, words = wanted["show"], wanted["words"]
    page, counted = worklist.page_of(request.user, **wanted), worklist.counts(request.user)
    is_by_level = show == "all" and not words
    groups = (
        [
            (level, counted[level.code], list(found))
            for level, found in groupby(page.rows, lambda row: row.level)
        ]
        if is_by_level
        else [(None, 0, page.rows)]
    )
    return {
        "page": page,
        "groups": groups if page.rows else [],
        "show": show,
        "q": words,
        "title": list_views.VIEWS[show].title,
        "number": counted.get(show, 0),
        "after": query.get("after", ""),
        "menu": list_views.menu_of_views("" if words else show, counted),
        "counts": counted,
    }


# --- The preview of a row ---------------------------------------------------------------------------------
@require_safe
@dermatologist_required
def row_preview(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What the list shows beside a row: the photo, why it is urgent, and what the patient says; of the AI its word alone."""
    submission = visible(request, pk)
    photos = Photo.objects.current().prefetch_related("analyses__findings")
    prefetch_related_objects([submission], Prefetch("photos", photos, to_attr="shown_photos"))
    seen = [photo for photo in submission.shown_photos if photo.was_prepared]
    answers = readings.red_flag_answers(submission)
    context = {
        "submission": submission,
        "row": rows.Row(submission, request.user, verdict.clinic_may_name),
        "photo": next((photo for photo in seen if str(photo.pk) == request.GET.get("photo")), None)
        or next(iter(seen), None),
        "photos": seen,
        "reasons": _reasons(request, submission),
        "flags": [answer for answer in answers if answer.value != "no"],
        "others": sum(answer.value == "no" for answer in answers),
        "history": readings.history_of(submission, submission.shown_photos),
        "may_snooze": submission.status == Status.SUBMITTED and snoozing.may_snooze(submission),
        "is_snoozed": bool(submission.snoozed_until and submission.snoozed_until > timezone.now()),
    }
    return render(request, "web/clinician/_preview.html", context)


def _reasons(request: HttpRequest, submission: Submission) -> list[tuple[Urgency, str]]:
    """Return the reasons to look sooner with the level that each asks for, the most urgent first."""
    flags = [flag for flag in ai_opinion.shown_flags(submission, request.user) if flag["level"] is not None]
    flags.sort(key=lambda flag: -flag["level"])
    return [(Urgency(flag["level"]), str(wording.flag_text(flag))) for flag in flags]
