"""Helpers that several pages of patients share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.translation import get_language

from teleder.accounts.models import Purpose
from teleder.cases import questionnaire, triage
from teleder.cases.models import Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import IllegalMoveError
from teleder.cases.triage import Urgency

UNPROCESSABLE = 422  # the form comes back with what is wrong


def is_ready_to_ask(user: Any) -> bool:
    """Whether the patient has a profile and consents to care."""
    return hasattr(user, "patient") and user.consents.given().filter(purpose=Purpose.CARE).exists()


def own_submission(request: HttpRequest, pk: UUID) -> Submission:
    mine = Submission.objects.visible_to(request.user).select_related("case__patient")
    return get_object_or_404(mine, pk=pk)


def try_or_explain(request: HttpRequest, act: Callable[..., Any], *args: Any, **options: Any) -> bool:
    """Call `act`; where it is refused, the next page says why."""
    try:
        act(*args, **options)
    except (IllegalMoveError, RefusedError) as refusal:
        messages.error(request, getattr(refusal, "message", None) or str(refusal))
        return False
    return True


def urgent_advice(submission: Submission) -> dict[str, str] | None:
    """Return the approved text for answers that mean "today". Rules alone decide, never the AI."""
    level = Urgency(submission.rule_urgency)
    return triage.policy(submission.policy).advice_for(level) if level >= Urgency.SAME_DAY else None


def reported_signs(submission: Submission) -> list[tuple[str, str]]:
    """Return the red-flag questions that were not answered "no", each with its answer, in the active language."""
    questions = questionnaire.red_flag_questions(triage.policy(submission.policy), get_language())
    return [
        (question.text, dict(question.choices)[submission.answers[question.id]])
        for question in questions
        if submission.answers.get(question.id, "no") != "no"
    ]
