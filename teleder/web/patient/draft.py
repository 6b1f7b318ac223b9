"""A submission before sending: the questions with their advice, the history, and the final review."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from teleder.cases import intake, questionnaire, triage
from teleder.cases.models import Case, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import EDITABLE, IllegalMoveError
from teleder.cases.triage import Urgency
from teleder.security import rate_limits
from teleder.web.patient.common import (
    UNPROCESSABLE,
    is_ready_to_ask,
    own_submission,
    reported_signs,
    try_or_explain,
    urgent_advice,
)
from teleder.web.patient.photos import photo_context
from teleder.web.roles import patient_required


@patient_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
    """Step 1: the red-flag questions. The response to this very request says what the answers mean."""
    if not is_ready_to_ask(request.user):
        return redirect("web:welcome")
    case = get_object_or_404(Case.objects.visible_to(request.user), pk=pk) if pk else None
    if request.method != "POST":
        return _questions(request, case, {}, {})
    ids = {question.id for question in questionnaire.red_flag_questions(triage.policy())}
    answers = {key: value for key, value in request.POST.items() if key in ids}
    rate_limits.spend(rate_limits.SUBMISSIONS, request.user)
    try:
        started = intake.start(
            patient=request.user, answers=answers, case=case, key=request.POST.get("key", "")[:100]
        )
    except ValidationError as error:
        return _questions(request, case, answers, error.message_dict)
    except RefusedError as refusal:
        messages.error(request, refusal.message)
        return redirect("web:new")
    if started.level < Urgency.SAME_DAY:
        return redirect("web:about", pk=started.pk)
    return _advice_page(request, started)


def _questions(request: HttpRequest, case: Case | None, answers: dict, errors: dict) -> HttpResponse:
    rows = [
        {"question": question, "answer": answers.get(question.id), "errors": errors.get(question.id, [])}
        for question in questionnaire.red_flag_questions(triage.policy())
    ]
    context = {"rows": rows, "case": case, "errors": errors, "key": request.POST.get("key") or uuid4()}
    return render(request, "web/patient/questions.html", context, status=UNPROCESSABLE if errors else 200)


@patient_required
@require_safe
def advice(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The advice again: after a change of language, or by the link above the next steps."""
    found = own_submission(request, pk)
    return _advice_page(request, found) if urgent_advice(found) else redirect(found)


def _advice_page(request: HttpRequest, found: Submission) -> HttpResponse:
    context = {
        "submission": found,
        "advice": urgent_advice(found),
        "here": reverse("web:advice", args=[found.pk]),
    }
    return render(request, "web/patient/advice.html", context)


@patient_required
@require_http_methods(["GET", "HEAD", "POST"])
def about(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Step 2: the body site and the history."""
    draft = own_submission(request, pk)
    errors: dict[str, Any] = {}
    history = draft.history
    if request.method == "POST":
        single = ["duration", *questionnaire.HISTORY_SCALES, *questionnaire.HISTORY_TEXTS]
        history = {key: request.POST.get(key, "") for key in single}
        history["symptoms"] = request.POST.getlist("symptoms")
        try:
            intake.describe(draft, body_site=request.POST.get("body_site", ""), history=history)
            return redirect("web:photos", pk=pk)
        except ValidationError as error:
            errors = error.message_dict
        except RefusedError as refusal:
            errors = {"body_site": [refusal.message]}
        except IllegalMoveError:
            return redirect(draft)
    settled = intake.settled_body_site(draft)
    context = {
        "submission": draft,
        "urgent": urgent_advice(draft),
        "site": request.POST.get("body_site", draft.case.body_site),
        "sites": [choice for choice in questionnaire.BodySite.choices if choice[0] == (settled or choice[0])],
        "durations": questionnaire.Duration.choices,
        "symptoms": questionnaire.Symptom.choices,
        "scales": [(key, text, history.get(key, "")) for key, text in questionnaire.HISTORY_SCALES.items()],
        "texts": [(key, text, history.get(key, "")) for key, text in questionnaire.HISTORY_TEXTS.items()],
        "history": history,
        "errors": errors,
    }
    return render(request, "web/patient/about.html", context, status=UNPROCESSABLE if errors else 200)


@patient_required
@require_http_methods(["GET", "HEAD", "POST"])
def send(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Step 4: review, then send."""
    submission = own_submission(request, pk)
    if submission.status not in EDITABLE:
        return redirect(submission)
    if request.method == "POST":
        anyway = "anyway" in request.POST
        if try_or_explain(request, intake.submit, submission, by=request.user, send_anyway=anyway):
            return redirect(submission)
        return redirect("web:photos", pk=pk)
    context = photo_context(submission) | {"answers": reported_signs(submission)}
    return render(request, "web/patient/send.html", context)
