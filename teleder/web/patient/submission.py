"""A submission after sending: status, answer, withdrawal."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from teleder.cases import intake, triage
from teleder.cases.models import PhotoState, Status, Submission
from teleder.cases.remedies import remedy_for_wish
from teleder.cases.transitions import WITH_ANSWER
from teleder.cases.triage import Urgency
from teleder.web.conditional import unless_same
from teleder.web.patient.common import own_submission, reported_signs, try_or_explain
from teleder.web.patient.photos import photo_context
from teleder.web.roles import patient_required


@patient_required
@require_safe
def submission(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Status, answer and what the patient can do next."""
    found = own_submission(request, pk)
    if found.status == Status.DRAFT:
        return redirect("web:photos" if found.case.body_site else "web:about", pk=pk)
    others = found.case.submissions.exclude(pk=pk).exclude(status=Status.DRAFT)
    context = _state_of(found) | {"others": others, "answers": reported_signs(found), **photo_context(found)}
    return render(request, "web/patient/submission.html", context)


@patient_required
@require_safe
def status(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The part of the page that changes, for polling."""
    context = _state_of(own_submission(request, pk))
    return unless_same(request, render(request, "web/patient/_status.html", context))


def _state_of(found: Submission) -> dict[str, Any]:
    policy = triage.policy(found.policy)
    return {
        "submission": found,
        "steps": progress(found),
        "review": found.answer() if found.status in WITH_ANSWER else None,
        "receipt": policy.advice("receipt"),
        "advice": policy.advice_for(Urgency(found.rule_urgency)),
        "wish": remedy_for_wish(found.photos_wanted),
    }


def progress(found: Submission) -> list[tuple[str, str]]:
    """Return the named steps of what people do, each with "done", "now" or "" (to come)."""
    checked = not found.current_photos().filter(state=PhotoState.STORED).exists()
    steps = [
        (_("Received"), found.status != Status.DRAFT),
        (_("Photos checked"), checked),
        (_("Dermatologist"), found.status in WITH_ANSWER),
    ]
    now = next((number for number, (_title, is_done) in enumerate(steps) if not is_done), None)
    return [
        (title, "done" if is_done else "now" if n == now else "") for n, (title, is_done) in enumerate(steps)
    ]


@patient_required
@require_POST
def withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = own_submission(request, pk)
    try_or_explain(request, intake.withdraw, found, by=request.user)
    return redirect(found)


@patient_required
@require_POST
def restore(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = own_submission(request, pk)
    try_or_explain(request, intake.restore, found, by=request.user)
    return redirect(found)
