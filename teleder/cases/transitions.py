"""The table by which a submission's status changes, and the one function that changes it.

    DRAFT ──submitted──▶ SUBMITTED ──claimed──▶ IN_REVIEW ──signed──▶ ANSWERED ──closed──▶ CLOSED
      ▲                   │   ▲   ◀──released──   │
      └── WITHDRAWN ◀─────┘   └── submitted ── NEEDS_PHOTOS ◀── photos_requested

AI is beside this flow, not on it (`teleder.pipeline`).
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from teleder.accounts.models import User
from teleder.cases.models import (
    Event,
    EventKind,
    Review,
    Status,
    Submission,
)
from teleder.cases.triage import Urgency


class IllegalMoveError(Exception):
    """The submission is not in a status from which this step leads on."""


class UrgencyRoseError(IllegalMoveError):
    """The urgency rose while the answer was on its way, which is now less urgent and gives no reason."""

    def __init__(self, urgency: int) -> None:
        self.urgency = Urgency(urgency)
        super().__init__(
            _(
                "The urgency has just risen to: %(urgency)s. Please say why the answer is less urgent, or change it."
            )
            % {"urgency": self.urgency.label}
        )


class AlreadyAmendedError(IllegalMoveError):
    """The answer that was to be corrected is no longer in force; `newer` is the one that is."""

    def __init__(self, newer: Review) -> None:
        self.newer = newer
        super().__init__(
            _("%(name)s has signed another answer meanwhile. Please read it before you correct it.")
            % {"name": newer.author}
        )


MOVES: dict[EventKind, tuple[set[Status], Status]] = {
    EventKind.SUBMITTED: ({Status.DRAFT, Status.NEEDS_PHOTOS}, Status.SUBMITTED),
    EventKind.CLAIMED: ({Status.SUBMITTED}, Status.IN_REVIEW),
    EventKind.RELEASED: ({Status.IN_REVIEW}, Status.SUBMITTED),
    EventKind.PHOTOS_REQUESTED: ({Status.IN_REVIEW}, Status.NEEDS_PHOTOS),
    EventKind.SIGNED: ({Status.IN_REVIEW}, Status.ANSWERED),
    EventKind.CLOSED: ({Status.ANSWERED}, Status.CLOSED),
    EventKind.REOPENED: ({Status.ANSWERED, Status.CLOSED}, Status.SUBMITTED),
    EventKind.WITHDRAWN: ({Status.DRAFT, Status.SUBMITTED, Status.NEEDS_PHOTOS}, Status.WITHDRAWN),
    EventKind.RESTORED: ({Status.WITHDRAWN}, Status.DRAFT),
}
UNSENT = {Status.DRAFT, Status.WITHDRAWN}
UNCLAIMED = {"claimed_by": None, "claimed_at": None}


@transaction.atomic
def move(
    submission: Submission,
    kind: EventKind,
    *,
    actor: User | None = None,
    only: dict[str, Any] | None = None,
    detail: dict[str, Any] | None = None,
    **changes: Any,
) -> Event:
    """Take one step and write the event that tells of it. Of two racing callers one wins.

    `only` narrows the step to a row that still has these values (the claim is still mine).
    """
    sources, target = MOVES[kind]
    rows = Submission.objects.filter(pk=submission.pk, status__in=sources, **(only or {}))
    if not rows.update(status=target, **changes):
        raise IllegalMoveError(
            _("This cannot be done now: somebody else was faster, or the case has moved on.")
        )
    submission.refresh_from_db()
    return submission.events.create(kind=kind, actor=actor, detail=detail or {})
