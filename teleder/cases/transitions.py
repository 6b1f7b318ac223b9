"""How a submission's status changes: one table, and the one function that changes it.

    DRAFT ──submitted──▶ SUBMITTED ──claimed──▶ IN_REVIEW ──signed──▶ ANSWERED ──closed──▶ CLOSED
      ▲                   │    ▲  ◀──released──   │    ▲               │                    │
      │                   │    │                  │    └─reassigned─┐  │                    │
      │                   │    └── submitted ── NEEDS_PHOTOS        │  │                    │
    restored              │         (photos_requested: from IN_REVIEW; │                    │
      │                   │          photos_not_needed: as submitted)  │                    │
      │                   │    ◀───────────────reopened───────────────┴────────────────────┘
      └── WITHDRAWN ◀─────┘  withdrawn, also from DRAFT and NEEDS_PHOTOS

`snoozed` leads from SUBMITTED and IN_REVIEW to SUBMITTED, and `snooze_ended` from SUBMITTED to itself. `reassigned` leads from
SUBMITTED and IN_REVIEW to IN_REVIEW, `handed_over` from IN_REVIEW to IN_REVIEW, `taken_back` from ANSWERED to IN_REVIEW. `signed` is the
sending of an answer: from its signature until then it is a `HeldAnswer`, and its submission in review. AI is beside this flow, not on it: see
`teleder.pipeline.transitions`. The sets below are derived from the table: nobody else lists statuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.db.models.functions import Now
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
    HANDED_OVER = "handed_over", gettext_lazy("handed over")
    OPINION_ASKED = "opinion_asked", gettext_lazy("second opinion asked for")
    OPINION_GIVEN = "opinion_given", gettext_lazy("second opinion given")
    SNOOZED = "snoozed", gettext_lazy("snoozed")
    SNOOZE_ENDED = "snooze_ended", gettext_lazy("back on the list")
    PHOTOS_REQUESTED = "photos_requested", gettext_lazy("photos asked for")
    PHOTOS_NOT_NEEDED = "photos_not_needed", gettext_lazy("request for photos withdrawn")
    HELD = "held", gettext_lazy("signed, waiting to be sent")
    SEND_UNDONE = "send_undone", gettext_lazy("sending undone")
    SEND_STOPPED = "send_stopped", gettext_lazy("sending stopped")
    SIGNED = "signed", gettext_lazy("answer sent")  # until 2026-11-30 also the signature itself
    TAKEN_BACK = "taken_back", gettext_lazy("answer taken back")
    AMENDED = "amended", gettext_lazy("amended")
    ASKED_BACK = "asked_back", gettext_lazy("asked back")
    REPLIED = "replied", gettext_lazy("replied to a question")
    PHOTOS_DUE = "photos_due", gettext_lazy("reminded of new photos")
    CLOSED = "closed", gettext_lazy("closed")
    REOPENED = "reopened", gettext_lazy("reopened")
    WITHDRAWN = "withdrawn", gettext_lazy("withdrawn")
    RESTORED = "restored", gettext_lazy("restored")
    MERGED = "merged", gettext_lazy("merged with another case")
    URGENCY_RAISED = "urgency_raised", gettext_lazy("urgency raised")
    MOVED_UP = (
        "moved_up",
        gettext_lazy("moved up"),
    )  # an answer is promised sooner: the patient learns that, not why
    ON_CALL_TOLD = "on_call_told", gettext_lazy("people on call told")
    CALL_ACKNOWLEDGED = "call_acknowledged", gettext_lazy("urgent case acknowledged")
    TIME_RUNNING_OUT = "time_running_out", gettext_lazy("promised time running out: staff told")
    AI_DONE = "ai_done", gettext_lazy("AI finished")
    AI_UNAVAILABLE = "ai_unavailable", gettext_lazy("AI unavailable")
    AI_SEEN_FIRST = "ai_seen_first", gettext_lazy("AI opinion seen first")
    CROP_DRAWN = "crop_drawn", gettext_lazy("crop and lesion corrected")
    JOB_QUARANTINED = "job_quarantined", gettext_lazy("job quarantined")
    JOB_REQUEUED = "job_requeued", gettext_lazy("job requeued")
    JOB_CANCELLED = "job_cancelled", gettext_lazy("job cancelled")


MOVES: dict[EventKind, tuple[set[Status], Status]] = {
    EventKind.SUBMITTED: ({Status.DRAFT, Status.NEEDS_PHOTOS}, Status.SUBMITTED),
    EventKind.CLAIMED: ({Status.SUBMITTED}, Status.IN_REVIEW),
    EventKind.RELEASED: ({Status.IN_REVIEW}, Status.SUBMITTED),
    EventKind.REASSIGNED: ({Status.SUBMITTED, Status.IN_REVIEW}, Status.IN_REVIEW),
    EventKind.HANDED_OVER: ({Status.IN_REVIEW}, Status.IN_REVIEW),
    EventKind.SNOOZED: ({Status.SUBMITTED, Status.IN_REVIEW}, Status.SUBMITTED),
    EventKind.SNOOZE_ENDED: ({Status.SUBMITTED}, Status.SUBMITTED),
    EventKind.PHOTOS_REQUESTED: ({Status.IN_REVIEW}, Status.NEEDS_PHOTOS),
    EventKind.PHOTOS_NOT_NEEDED: ({Status.NEEDS_PHOTOS}, Status.SUBMITTED),
    EventKind.SIGNED: ({Status.IN_REVIEW}, Status.ANSWERED),
    EventKind.TAKEN_BACK: ({Status.ANSWERED}, Status.IN_REVIEW),
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
# Until the answer is sent, which a new photo stops.
TAKES_PHOTOS = _in_order({*EDITABLE, *sources_of(EventKind.REASSIGNED)})
UNSENT = _in_order(set(WITH_PATIENT) - {Status.NEEDS_PHOTOS})
ONCE_SUBMITTED = _in_order(set(Status) - set(UNSENT))
OPEN = _in_order(set(ONCE_SUBMITTED) - set(WITH_ANSWER))
IN_PROGRESS = _in_order({*OPEN, *EDITABLE})  # its patient sees it as not finished
UNCLAIMED = {"claimed_by": None, "claimed_at": None}
AWAKE = {"snoozed_until": None, "snooze_reason": ""}


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


class NewPhotosError(IllegalMoveError):
    """A photo has come that who signs has not seen."""

    def __init__(self) -> None:
        super().__init__(_("A new photo has come. Look at it, then sign."))


class AlreadyAmendedError(IllegalMoveError):
    """The answer that was to be corrected is no longer in force; `newer` is the one that is."""

    def __init__(self, newer: Review) -> None:
        self.newer = newer
        super().__init__(
            _("%(name)s has signed another answer meanwhile. Please read it before you correct it.")
            % {"name": newer.author}
        )


def somebody_was_faster() -> str:
    return _("This cannot be done now: somebody else was faster, or the case has moved on.")


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

    `only` narrows the step to a row that still has these values (the claim is still mine). A step ends a snooze, unless it
    begins one. The clock of the promised time stands still exactly while the patient is asked for photos
    (`teleder.cases.pausing`).
    """
    sources, target = MOVES[kind]
    changes = {"paused_at": Now() if target == Status.NEEDS_PHOTOS else None} | changes
    rows = type(submission).objects.filter(pk=submission.pk, status__in=sources, **(only or {}))
    if not rows.update(status=target, **(AWAKE | changes)):
        raise IllegalMoveError(somebody_was_faster())
    submission.refresh_from_db()
    return submission.events.create(kind=kind, actor=actor, detail=detail or {})
