"""The clock of the promised time stands still while a patient is asked for photos, and goes on with the time that was left.

It never stands still for a same-day case or an emergency: one that becomes so meanwhile goes back to the worklist.
"""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from teleder.accounts.models import User
from teleder.cases import transitions, triage
from teleder.cases.models import EventKind, Status, Submission
from teleder.cases.transitions import IllegalMoveError
from teleder.cases.triage import Urgency

ALL_DAY = (time.min, time.max)
NO_PHOTOS_WANTED = {"photos_wanted": "", "photos_wanted_place": "", "photos_wanted_words": ""}


def minutes_left(submission: Submission) -> int:
    """Return how many minutes of the promised time are left while the clock stands still, counted as it was promised."""
    start, due = submission.paused_at, submission.due_at
    return triage.staffed_minutes_between(start, due, _hours_of(submission)) if start and due else 0


def _hours_of(submission: Submission) -> tuple[time, time] | None:
    by_days = triage.policy(submission.policy).counts_working_days(submission.level) or submission.spot_check
    return settings.STAFFED_HOURS or (ALL_DAY if by_days else None)


def resumed(submission: Submission, now: datetime) -> tuple[datetime, dict[str, Any]] | None:
    """Return the due time with the time that was left, and what the event says of it; `None` where nothing was paused."""
    if submission.status != Status.NEEDS_PHOTOS or submission.paused_at is None:
        return None
    due = triage.staffed_after(now, minutes_left(submission), _hours_of(submission))
    detail = {"due_before": submission.due_at.isoformat(), "paused_at": submission.paused_at.isoformat()}
    return due, detail


@transaction.atomic
def withdraw_request(submission: Submission, *, by: User) -> None:
    """Do without the photos: the case is in review by `by`, and its clock goes on. Raises `IllegalMoveError`."""
    locked = Submission.objects.select_for_update(of=("self",)).filter(pk=submission.pk).first()
    if locked is None:
        raise IllegalMoveError(transitions.somebody_was_faster())
    changes: dict[str, Any] = {**NO_PHOTOS_WANTED}
    if goes_on := resumed(locked, timezone.now()):
        changes["due_at"], changes["detail"] = goes_on
    transitions.move(submission, EventKind.PHOTOS_NOT_NEEDED, actor=by, **changes)
    transitions.move(submission, EventKind.CLAIMED, actor=by, claimed_by=by, claimed_at=Now())


def end_request_of_urgent(submission: Submission) -> None:
    """Put a case back on the worklist that became urgent while it waited for photos; call it under its lock."""
    if submission.urgency < Urgency.SAME_DAY or submission.status != Status.NEEDS_PHOTOS:
        return
    now = timezone.now()
    due = triage.policy(submission.policy).due(submission.level, now)
    if goes_on := resumed(submission, now):
        due = min(due, goes_on[0])
    transitions.move(submission, EventKind.PHOTOS_NOT_NEEDED, **NO_PHOTOS_WANTED, due_at=due)


def end_snoozes_of(patient_id: Any) -> None:
    """Put back what was put off of a patient who has just sent something."""
    for submission in Submission.objects.filter(case__patient=patient_id, snoozed_until__isnull=False):
        only = {"snoozed_until__isnull": False}
        transitions.move(submission, EventKind.SNOOZE_ENDED, only=only, detail={"why": "patient"})
