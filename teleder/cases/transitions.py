"""How a submission's status changes: one table, and the one function that changes it.

    DRAFT ──submitted──▶ SUBMITTED ──claimed──▶ IN_REVIEW ──signed──▶ ANSWERED ──closed──▶ CLOSED
      ▲                   │    ▲  ◀──released──   │    ▲               │                    │
      │                   │    │                  │    └─reassigned─┐  │                    │
      │                   │    └── submitted ── NEEDS_PHOTOS        │  │                    │
    restored              │         (photos_requested: from IN_REVIEW) │                    │
      │                   │    ◀───────────────reopened───────────────┴────────────────────┘
      └── WITHDRAWN ◀─────┘  withdrawn, also from DRAFT and NEEDS_PHOTOS

`reassigned` leads from SUBMITTED and IN_REVIEW to IN_REVIEW. AI is beside this flow, not on it: see
`teleder.pipeline.transitions`. The sets below are derived from the table: nobody else lists statuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from teleder.cases.triage import Urgency

if TYPE_CHECKING:
    from teleder.accounts.models import User
    from teleder.cases.models import Event, Review, Submission


class Status(models.TextChoices):
    DRAFT = "draft", gettext_lazy("draft")
    SUBMITTED = "submitted", gettext_lazy("submitted")
    IN_REVIEW = "in_review", gettext_lazy("in review")
    NEEDS_PHOTOS = "needs_photos", gettext_lazy("photos asked for")
    ANSWERED = "answered", gettext_lazy("answered")
    CLOSED = "closed", gettext_lazy("closed")
    WITHDRAWN = "withdrawn", gettext_lazy("withdrawn")


class EventKind(models.TextChoices):
    OPENED = "opened", gettext_lazy("opened")
    SUBMITTED = "submitted", gettext_lazy("submitted")
    CLAIMED = "claimed", gettext_lazy("claimed")
    RELEASED = "released", gettext_lazy("released")
    REASSIGNED = "reassigned", gettext_lazy("reassigned")
    PHOTOS_REQUESTED = "photos_requested", gettext_lazy("photos asked for")
    SIGNED = "signed", gettext_lazy("signed")
    AMENDED = "amended", gettext_lazy("amended")
    CLOSED = "closed", gettext_lazy("closed")
    REOPENED = "reopened", gettext_lazy("reopened")
    WITHDRAWN = "withdrawn", gettext_lazy("withdrawn")
    RESTORED = "restored", gettext_lazy("restored")
    URGENCY_RAISED = "urgency_raised", gettext_lazy("urgency raised")
    AI_DONE = "ai_done", gettext_lazy("AI finished")
    AI_UNAVAILABLE = "ai_unavailable", gettext_lazy("AI unavailable")
    AI_SEEN_FIRST = "ai_seen_first", gettext_lazy("AI opinion seen first")
    JOB_QUARANTINED = "job_quarantined", gettext_lazy("job quarantined")
    JOB_REQUEUED = "job_requeued", gettext_lazy("job requeued")
    JOB_CANCELLED = "job_cancelled", gettext_lazy("job cancelled")


MOVES: dict[EventKind, tuple[set[Status], Status]] = {
    EventKind.SUBMITTED: ({Status.DRAFT, Status.NEEDS_PHOTOS}, Status.SUBMITTED),
    EventKind.CLAIMED: ({Status.SUBMITTED}, Status.IN_REVIEW),
    EventKind.RELEASED: ({Status.IN_REVIEW}, Status.SUBMITTED),
    EventKind.REASSIGNED: ({Status.SUBMITTED, Status.IN_REVIEW}, Status.IN_REVIEW),
    EventKind.PHOTOS_REQUESTED: ({Status.IN_REVIEW}, Status.NEEDS_PHOTOS),
    EventKind.SIGNED: ({Status.IN_REVIEW}, Status.ANSWERED),
    EventKind.CLOSED: ({Status.ANSWERED}, Status.CLOSED),
    EventKind.REOPENED: ({Status.ANSWERED, Status.CLOSED}, Status.SUBMITTED),
    EventKind.WITHDRAWN: ({Status.DRAFT, Status.SUBMITTED, Status.NEEDS_PHOTOS}, Status.WITHDRAWN),
    EventKind.RESTORED: ({Status.WITHDRAWN}, Status.DRAFT),
}


def _in_order(statuses: Iterable[Status]) -> tuple[Status, ...]:
    wanted = set(statuses)
    return tuple(status for status in Status if status in wanted)


def sources_of(kind: EventKind) -> tuple[Status, ...]:
    """Return the statuses from which this step is possible."""
    return _in_order(MOVES[kind][0])


# Every status is in exactly one of these three.
AWAITING_DERMATOLOGIST = sources_of(EventKind.REASSIGNED)
WITH_ANSWER = sources_of(EventKind.REOPENED)
WITH_PATIENT = _in_order(set(Status) - {*AWAITING_DERMATOLOGIST, *WITH_ANSWER})

EDITABLE = sources_of(EventKind.SUBMITTED)  # by its patient
TAKES_PHOTOS = _in_order({*EDITABLE, *sources_of(EventKind.CLAIMED)})
UNSENT = _in_order(set(WITH_PATIENT) - {Status.NEEDS_PHOTOS})
ONCE_SUBMITTED = _in_order(set(Status) - set(UNSENT))
OPEN = _in_order(set(ONCE_SUBMITTED) - set(WITH_ANSWER))
IN_PROGRESS = _in_order({*OPEN, *EDITABLE})  # its patient sees it as not finished
UNCLAIMED = {"claimed_by": None, "claimed_at": None}


class IllegalMoveError(Exception):
    """The submission is not in a status from which this step leads on."""


class UrgencyRoseError(IllegalMoveError):
    """The urgency rose while the answer was being written, which is now less urgent and gives no reason."""

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
    """Take one step and write its event. Of two racing callers one wins, the other gets `IllegalMoveError`.

    `only` narrows the step to a row that still has these values (the claim is still mine).
    """
    sources, target = MOVES[kind]
    rows = type(submission).objects.filter(pk=submission.pk, status__in=sources, **(only or {}))
    if not rows.update(status=target, **changes):
        raise IllegalMoveError(
            _("This cannot be done now: somebody else was faster, or the case has moved on.")
        )
    submission.refresh_from_db()
    return submission.events.create(kind=kind, actor=actor, detail=detail or {})
