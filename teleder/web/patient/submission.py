"""A submission after sending: status, answer, withdrawal."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST, require_safe

from teleder.cases import answer_pdf as pdf
from teleder.cases import reading, triage, withdrawal
from teleder.cases.models import EventKind, Photo, PhotoState, Status, Submission
from teleder.cases.plan import waiting_for_photos
from teleder.cases.remedies import remedy_for_wish
from teleder.cases.transitions import WITH_ANSWER
from teleder.notifications.models import Message
from teleder.web.conditional import unless_same
from teleder.web.patient.common import next_step, own_submission, reported_signs, try_or_explain
from teleder.web.patient.history import given_lines
from teleder.web.patient.photos import photo_context
from teleder.web.roles import patient_required
from teleder.web.templatetags import dates


@patient_required
@require_safe
def submission(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Status, answer and what the patient can do next."""
    found = own_submission(request, pk)
    if found.status == Status.DRAFT:
        return redirect(next_step(found))
    others = found.case.submissions.exclude(pk=pk).exclude(status=Status.DRAFT)
    context = _state_of(found) | {"others": others, "answers": reported_signs(found), **photo_context(found)}
    context["history"] = [(title, words) for title, words, _page in given_lines(found) if words]
    if found.status in WITH_ANSWER:
        messages = Message.objects.inbox_of(request.user).filter(event__submission=found)
        messages.exclude(event__kind=EventKind.REPLIED).mark_read()  # a reply is read in its thread
    return render(request, "web/patient/submission.html", context)


@patient_required
@require_safe
def answer_pdf(request: HttpRequest, pk: UUID) -> HttpResponse:
    try:
        found = pdf.for_patient(own_submission(request, pk), by=request.user)
    except pdf.NoAnswerError as error:
        raise Http404 from error
    return HttpResponse(found, content_type="application/pdf", headers=pdf.HEADERS)


@patient_required
@require_safe
def status(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The part of the page that changes, for polling."""
    context = _state_of(own_submission(request, pk))
    return unless_same(request, render(request, "web/patient/_status.html", context))


def _state_of(found: Submission) -> dict[str, Any]:
    review = reading.answer_for_patient(found)
    photos = list(found.current_photos())
    steps, moved_up_at = progress(found, photos), found.moved_up_at()
    has_answer = review is not None
    waiting = waiting_for_photos().filter(pk=review.pk) if review else None
    return {
        "submission": found,
        "was_sent": found.status != Status.WITHDRAWN
        or found.events.filter(kind=EventKind.SUBMITTED).exists(),
        "thumbnail": next((photo for photo in photos if photo.thumbnail_key), None),
        "timeline": _timeline(found, steps, moved_up_at),
        "moved_up_at": moved_up_at,
        "review": review,
        "replied": found.questions.exclude(replied_at=None).count() if review else 0,
        "next_photo_on": review.next_photo_on if waiting else None,
        "advice": triage.advice_for(found),
        "warning": triage.warning_signs(answered=has_answer),
        "wish": remedy_for_wish(found.photos_wanted),
        "turned": None if has_answer else _last_turn(found),
    }


def _last_turn(found: Submission) -> str:
    """Return what staff did last that changes what the patient was told before, as a kind of event."""
    turns = (EventKind.TAKEN_BACK, EventKind.PHOTOS_NOT_NEEDED)
    kinds = (*turns, EventKind.SUBMITTED, EventKind.PHOTOS_REQUESTED, EventKind.REOPENED)
    last = found.events.filter(kind__in=kinds).order_by("-id").values_list("kind", flat=True).first()
    return last if last in turns else ""


def progress(found: Submission, photos: Collection[Photo] | None = None) -> list[tuple[str, str]]:
    """Return the named steps of what people do, each with "done", "now" or "" (to come); `photos` are its current ones."""
    photos = found.current_photos() if photos is None else photos
    checked = all(photo.state != PhotoState.STORED for photo in photos)
    is_answered = found.status in WITH_ANSWER
    steps = [
        (_("Received"), found.status != Status.DRAFT),
        (_("Photos checked"), checked),
        (_("With a doctor"), is_answered),
        (pgettext("to a patient", "Answer"), is_answered),
    ]
    now = next((number for number, (_title, is_done) in enumerate(steps) if not is_done), None)
    return [
        (title, "done" if is_done else "now" if n == now else "") for n, (title, is_done) in enumerate(steps)
    ]


def _timeline(
    found: Submission, steps: list[tuple[str, str]], moved_up_at: datetime | None
) -> list[dict[str, str]]:
    """Return the steps with their times: what was done when, and who has it now."""
    received, checked, with_doctor, answer = [{"title": title, "state": state} for title, state in steps]
    if found.submitted_at:
        received["when"] = dates.exact_day(found.submitted_at)
        if not found.is_overdue:
            answer["when"] = _("by %(day)s") % {"day": dates.promise(found.due_at)}
    if found.status == Status.IN_REVIEW:
        with_doctor["title"] = _("A dermatologist is looking at it now.")
        with_doctor["when"] = _("since %(day)s") % {"day": dates.exact_day(found.claimed_at)}
    else:
        with_doctor["when"] = _("From here on, people look at it.")
    moved = (
        {"title": _("Moved up"), "state": "done", "when": dates.exact_day(moved_up_at)}
        if moved_up_at
        else None
    )
    return [step for step in (received, checked, moved, with_doctor, answer) if step]


@patient_required
@require_POST
def withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = own_submission(request, pk)
    try_or_explain(request, withdrawal.withdraw, found, by=request.user)
    return redirect(found)


@patient_required
@require_POST
def restore(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = own_submission(request, pk)
    try_or_explain(request, withdrawal.restore, found, by=request.user)
    return redirect(found)
