"""Helpers that several pages of patients share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy

from teleder.accounts.clinic_texts import TextKind
from teleder.accounts.consent_texts import consent_text
from teleder.accounts.models import Purpose, User
from teleder.cases import questionnaire, triage
from teleder.cases.intimate_places import is_minor
from teleder.cases.models import Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import IllegalMoveError
from teleder.cases.triage import Urgency
from teleder.web.clinic_texts import Version, in_force

# As the page after signing up calls them.
CONSENT_TITLES = {
    Purpose.CARE: gettext_lazy("Care by photo"),
    Purpose.AI: gettext_lazy("Help by a program"),
    Purpose.TRAINING: gettext_lazy("A program that learns"),
}
NAME_ASKED = "name_asked"  # in the session
UNPROCESSABLE = 422  # the form comes back with what is wrong

# The pages of the history, in order, and what each asks.
HISTORY_PARTS = {
    "duration": {"duration"},
    "symptoms": {"symptoms"},
    "itch": {"itch"},
    "sleep": {"sleep"},
    "different": {"different", "contacts"},
    "treatment": {"treatment", "medicines"},
    "allergies": {"allergies"},
}


class SeeOther(HttpResponseRedirect):
    """The answer to a form: the browser fetches the next page, and Back or reload sends nothing again."""

    status_code = 303


def is_ready_to_ask(user: Any) -> bool:
    """Whether the patient has a profile and consents to care."""
    return hasattr(user, "patient") and user.consents.given().filter(purpose=Purpose.CARE).exists()


def choices_of_consent(person: User, *, by: User) -> list[dict[str, Any]]:
    """Return, for each purpose, the words of today, the consent that `by` has given, one to earlier words that is asked for again,
    and which other guardians of a child do not agree."""
    standing = list(person.consents.not_withdrawn())
    others = [row.guardian for row in person.guardians if row.guardian_id != by.pk]
    choices = []
    for purpose in Purpose:
        rows = {row.given_by_id: row for row in standing if row.purpose == purpose}
        mine = rows.get(None if by == person else by.pk)
        given, earlier = (mine, None) if mine and mine.stands else (None, mine)
        missing = [each.name for each in others if not (each.pk in rows and rows[each.pk].stands)]
        text = consent_text(purpose, for_child=by != person)
        choices.append(
            {
                "purpose": purpose,
                "title": CONSENT_TITLES[purpose],
                "text": text,
                "given": given,
                "earlier": earlier,
                "missing": missing,
            }
        )
    return choices


def is_child(user: User) -> bool:
    """Whether the account's owner is, or may be, too young to ask alone."""
    profile = getattr(user, "patient", None)
    return profile is not None and profile.may_be_under(settings.AGE_OF_CONSENT_YEARS)


def own_submission(request: HttpRequest, pk: UUID) -> Submission:
    mine = Submission.objects.visible_to(request.user).select_related("case__patient")
    return get_object_or_404(mine, pk=pk)


def contact_for_minor(submission: Submission) -> Version | None:
    """Return how to reach the clinic for a person under 18: of intimate places that comes before any photo."""
    return in_force(submission.case.clinic, TextKind.CONTACT) if is_minor(submission.patient) else None


def next_step(draft: Submission) -> str:
    """Return the page at which a draft goes on: its first question without an answer, the place, the history, the photos."""
    if missing := draft.unanswered():
        return reverse("web:question", args=[draft.pk, missing[0]])
    if not draft.case.body_site:
        return reverse("web:about", args=[draft.pk])
    parts = list(HISTORY_PARTS)
    reached = max(
        (n for n, part in enumerate(parts, 1) if draft.history.keys() & HISTORY_PARTS[part]), default=0
    )
    # Photos first: the history may wait, unless it was begun, which would leave the pages after it unseen.
    is_urgent = draft.rule_urgency >= Urgency.SAME_DAY
    if reached == len(parts) or (is_urgent and not reached) or draft.current_photos().exists():
        return reverse("web:photos", args=[draft.pk])
    return reverse("web:history", args=[draft.pk, parts[reached]])


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
    return triage.advice_for(submission) if level >= Urgency.SAME_DAY else None


def reported_signs(submission: Submission) -> list[tuple[str, str]]:
    """Return the red-flag questions that were not answered "no", each with its answer, in the active language."""
    questions = questionnaire.red_flag_questions(triage.policy(submission.policy), get_language())
    return [
        (question.text, dict(question.choices)[submission.answers[question.id]])
        for question in questions
        if submission.answers.get(question.id, "no") != "no"
    ]
