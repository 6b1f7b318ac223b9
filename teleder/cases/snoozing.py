"""Puts a case off: it leaves the list for a while, and its due time stays.

It comes back by itself: at its time, before it is due, as soon as the patient sends something, and when it becomes urgent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from teleder.accounts.models import User
from teleder.cases import held, signatures, transitions
from teleder.cases.models import EventKind, SnoozeFor, SnoozeReason, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import UNCLAIMED, IllegalMoveError
from teleder.cases.triage import Urgency

AFTERNOON, MORNING = 15, 9  # o'clock
BEFORE_DUE = timedelta(hours=1)  # what waits for a photo is back by then


@dataclass
class SnoozeOutcome:
    """How many were put off, and those that were left on the list, each with the reason."""

    snoozed: int = 0
    refused: list[tuple[Submission, str]] = field(default_factory=list)


def until_of(length: str, submission: Submission) -> datetime | None:
    """Return when a snooze of this length would end; `None` where it has no time, or would pass the due time."""
    now = timezone.localtime()
    today = now.replace(minute=0, second=0, microsecond=0)
    ends = {
        SnoozeFor.HOUR: now + timedelta(hours=1),
        SnoozeFor.AFTERNOON: today.replace(hour=AFTERNOON),
        SnoozeFor.TOMORROW: (today + timedelta(days=1)).replace(hour=MORNING),
        SnoozeFor.PHOTOS: submission.due_at - BEFORE_DUE,
    }[SnoozeFor(length)]
    return ends if now < ends <= submission.due_at else None


def may_snooze(submission: Submission) -> bool:
    """Whether it is of a level that can wait at all."""
    return submission.urgency < Urgency.SAME_DAY


@transaction.atomic
def snooze(submission: Submission, *, by: User, length: str, reason: str) -> None:
    """Put off a case that is free or `by` has claimed, which ends the claim.

    Raises `RefusedError` for a same-day case or an emergency, and where it would pass the due time, and `IllegalMoveError` where
    somebody else has it.
    """
    signatures.lock_and_refresh(submission)
    held.refuse_if_held(submission)
    if not may_snooze(submission):
        raise RefusedError(
            "same_day", _("An emergency or a same-day case can't be snoozed. Claim or assign it.")
        )
    until = until_of(length, submission)
    if until is None:
        raise RefusedError("too_long", _("It can't be snoozed so long: it is due before. Choose less time."))
    if submission.claimed_by_id not in {None, by.pk}:
        raise IllegalMoveError(transitions.somebody_was_faster())
    changes = {"snoozed_until": until, "snooze_reason": SnoozeReason(reason).value, **UNCLAIMED}
    detail = {
        "until": until.isoformat(),
        "for": SnoozeFor(length).value,
        "reason": SnoozeReason(reason).value,
    }
    only = {"claimed_by": submission.claimed_by_id}
    transitions.move(submission, EventKind.SNOOZED, actor=by, only=only, detail=detail, **changes)


def snooze_each(submissions: Iterable[Submission], **how: Any) -> SnoozeOutcome:
    """Put off each by itself: one that is refused does not hold the others back."""
    outcome = SnoozeOutcome()
    for submission in submissions:
        try:
            snooze(submission, **how)
        except (RefusedError, IllegalMoveError) as error:
            outcome.refused.append((submission, getattr(error, "message", str(error))))
        else:
            outcome.snoozed += 1
    return outcome


def end_snooze(submission: Submission, *, by: User) -> None:
    """Put it back on the list before its time."""
    only = {"snoozed_until__isnull": False}
    transitions.move(submission, EventKind.SNOOZE_ENDED, actor=by, only=only)
