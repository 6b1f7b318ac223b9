"""The review of a submission before sending."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from teleder.accounts.clinic_texts import TextKind
from teleder.cases import intake, triage
from teleder.cases.missing_photos import said_of_missing
from teleder.cases.models import PhotoState
from teleder.cases.transitions import EDITABLE
from teleder.cases.triage import Urgency
from teleder.web.clinic_texts import in_force
from teleder.web.patient.common import (
    SeeOther,
    next_step,
    own_submission,
    reported_signs,
    try_or_explain,
)
from teleder.web.patient.history import given_lines
from teleder.web.patient.photos import photo_context
from teleder.web.patient.questions import answered_questions
from teleder.web.roles import patient_required


@patient_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def send(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Step 4: review, then send."""
    submission = own_submission(request, pk)
    if submission.status not in EDITABLE:
        return redirect(submission)
    if submission.unanswered():
        messages.error(request, _("Please answer all the questions first."))
        return SeeOther(next_step(submission))
    if request.method == "POST":
        anyway = "anyway" in request.POST
        if try_or_explain(request, intake.submit, submission, by=request.user, send_anyway=anyway):
            return SeeOther(submission.get_absolute_url())
        return SeeOther(reverse("web:photos", args=[pk]))
    context = photo_context(submission)
    context |= {
        "advice": triage.advice_for(submission),
        "answers": reported_signs(submission),
        "rows": answered_questions(submission),
        "lines": given_lines(submission),
        # The latest that the promise can be: a photo can only bring it forward.
        "due_at": triage.policy(submission.policy).due(Urgency(submission.rule_urgency), timezone.now()),
        "cost": in_force(request.user.clinic, TextKind.COST),
        "poor": any(
            each["photo"].state == PhotoState.POOR and not each["photo"].sent_anyway
            for each in context["tiles"]
        ),
        "said_of_missing": said_of_missing(submission, [each["photo"] for each in context["tiles"]]),
        "back": reverse("web:photos", args=[pk]),
        "stage": 4,
        "part": 50,
    }
    return render(request, "web/patient/send.html", context)
