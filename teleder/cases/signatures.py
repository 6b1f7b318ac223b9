"""What a signature needs, held or not: the lock, the reason for a lower urgency, and the row of the answer."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from teleder.accounts.models import User
from teleder.accounts.text import clean_text
from teleder.cases import answer_drafts, diagnoses, replies
from teleder.cases.models import Confidence, Disposition, Impression, Review, Submission
from teleder.cases.plan import Plan
from teleder.cases.transitions import IllegalMoveError, UrgencyRoseError
from teleder.cases.triage import Urgency


def lock_and_refresh(submission: Submission) -> None:
    """Lock its row until the transaction ends, and read it again: its urgency cannot rise meanwhile."""
    try:
        submission.refresh_from_db(from_queryset=Submission.objects.select_for_update(of=("self",)))
    except Submission.DoesNotExist as error:  # its patient was just erased
        raise IllegalMoveError(_("This cannot be done now: the case is no longer there.")) from error


REASON_LETTERS = 4  # from a same-day case on: a mark or a single letter is no reason


def require_reason(submission: Submission, seen: int, disposition: Disposition, reason: str) -> None:
    """Raise if the answer is less urgent than the triage and gives no reason; `seen` is the urgency that was shown."""
    if not is_lower(submission, disposition):
        return
    reason = clean_text(reason).strip()
    if reason and (submission.urgency < Urgency.SAME_DAY or _letters(reason) >= REASON_LETTERS):
        return
    if submission.urgency > seen:
        raise UrgencyRoseError(submission.urgency)
    if reason:
        raise ValidationError({"reason": _("Please say in words why this is less urgent than the triage.")})
    raise ValidationError({"reason": _("Please say why this is less urgent than the triage.")})


def is_lower(submission: Submission, disposition: Disposition | str) -> bool:
    return Disposition(disposition).urgency < submission.urgency


def _letters(text: str) -> int:
    """Count letters; one of Japanese says as much as two."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text if one.isalnum())


def require_text_of_action(
    disposition: Disposition, template: str, plan_template: str, *, keep: bool
) -> dict[str, str]:
    """Raise where text or plan began as the template of a less urgent action, unless its author says to `keep` it.

    Return what the record says of that.
    """
    keys = (template, plan_template)
    less = replies.begun_for_less(disposition, keys)
    if less and not keep:
        words = _(
            "The text or the plan began as the template for “%(action)s”. Insert the template, or keep the text."
        )
        raise ValidationError({"text": words % {"action": less[0].disposition.label}})
    return {"kept": ", ".join(dict.fromkeys(filter(None, keys)))} if less else {}


def columns_of(
    submission: Submission,
    *,
    impression: Impression,
    disposition: Disposition,
    text: str,
    reason: str,
    plan: Plan,
    diagnosis: str = "",
    confidence: str = "",
    template: str = "",
) -> dict[str, Any]:
    """Return what is signed as columns of a review: the codes are those of the diagnosis, or the usual ones of the impression.

    `template` is the `key` of the reply template that the text began as. Raises `ValidationError`.
    """
    text, reason = clean_text(text).strip(), clean_text(reason).strip()
    if not text:
        raise ValidationError({"text": _("Please write an answer.")})
    return {
        "impression": Impression(impression),
        **diagnoses.codes_for(impression, diagnosis),
        "confidence": Confidence(confidence) if confidence else "",
        "disposition": Disposition(disposition),
        "text": text,
        "reason": reason,
        **replies.used(submission.clinic_id, template, text),
        **plan.columns(),
    }


def write_review(
    submission: Submission, by: User, columns: dict[str, Any], amends: Review | None = None
) -> Review:
    """Write the answer; `signed_at` is the time of its sending, by which lists and promised times count."""
    answer_drafts.forget(submission, by=by)
    return Review.objects.create(
        submission=submission,
        author=by,
        triage_urgency=submission.urgency,
        urgency=Disposition(columns["disposition"]).urgency,
        amends=amends,
        **columns,
    )


def taken_back(submission: Submission) -> Review | None:
    """Return the answer that was taken back, if one was: the new one takes its place on the record."""
    rows = submission.reviews.filter(taken_back__isnull=False, amended_by=None)
    return rows.order_by("-signed_at").first()
