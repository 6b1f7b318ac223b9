"""Hands several submissions on at once, and takes that back while nothing else has happened to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now

from teleder.accounts import licences
from teleder.accounts.models import Role, User
from teleder.accounts.text import clean_line
from teleder.cases import reviews, transitions
from teleder.cases.models import Event, EventKind, Status, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import UNCLAIMED, IllegalMoveError

REASON_LENGTH = 200
UNDO_MINUTES = 10
UNDONE = "undone"  # the reason of the step back


@dataclass
class Outcome:
    """The events that were written, by which it can be undone, and the submissions that were left as they are."""

    events: list[int] = field(default_factory=list)
    refused: list[Submission] = field(default_factory=list)


def colleagues_of(user: User) -> QuerySet[User]:
    """Return the dermatologists of the clinic to whom `user` may give a case, each with the number they hold; who cannot sign is not
    among them."""
    rows = User.objects.filter(user.in_own_clinic(), role=Role.DERMATOLOGIST, is_active=True).exclude(
        pk=user.pk
    )
    rows = rows.filter(licences.may_sign())
    held = Count("claims", filter=Q(claims__status=Status.IN_REVIEW))
    return rows.select_related("dermatologist").annotate(held=held).order_by("name")


def hand_on(submissions: Iterable[Submission], *, to: User | None, by: User, reason: str = "") -> Outcome:
    """Hand each submission to a dermatologist, or without `to` give it back to the worklist.

    Due times stay. Each is a step of its own: one that has moved on meanwhile does not hold the others back.
    """
    outcome, reason = Outcome(), clean_line(reason)[:REASON_LENGTH]
    for submission in submissions:
        if to == submission.claimed_by:
            continue
        try:
            step = (
                reviews.reassign(submission, to=to, by=by, reason=reason)
                if to
                else _release(submission, by, reason)
            )
        except (IllegalMoveError, RefusedError):  # the second: of another clinic than the dermatologist
            outcome.refused.append(submission)
        else:
            outcome.events.append(step.pk)
    return outcome


def _release(submission: Submission, by: User, reason: str) -> Event:
    detail = {"from": str(submission.claimed_by_id), "reason": reason}
    only = {"claimed_by": submission.claimed_by_id}
    return transitions.move(submission, EventKind.RELEASED, actor=by, only=only, detail=detail, **UNCLAIMED)


def undo_reassign(events: Collection[int], *, by: User) -> int:
    """Give submissions back to whom `by` has just taken them from; return how many.

    Those stay as they are to which something happened since, and those of longer ago than `UNDO_MINUTES`.
    """
    since = Now() - timedelta(minutes=UNDO_MINUTES)
    mine = Event.objects.filter(pk__in=events, actor=by, at__gte=since)
    steps = mine.filter(kind__in=(EventKind.REASSIGNED, EventKind.RELEASED)).select_related("submission")
    return sum(map(_undo, steps))


@transaction.atomic
def _undo(step: Event) -> bool:
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=step.submission_id)
    if submission.events.order_by("-pk").values_list("pk", flat=True).first() != step.pk:
        return False
    holder = User.objects.filter(pk=step.detail.get("from") or None).first()
    try:
        if holder is not None:
            reviews.reassign(submission, to=holder, by=step.actor, reason=UNDONE)
        else:
            _release(submission, step.actor, UNDONE)
    except (IllegalMoveError, RefusedError):  # the colleague may no longer log in
        return False
    return True
