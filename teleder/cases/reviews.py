"""What dermatologists and admins do with a submission: claim, release, ask for photos, sign, amend, reassign."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from teleder.accounts.models import User
from teleder.accounts.text import clean_text
from teleder.cases import ai_opinion, transitions, triage
from teleder.cases.models import (
    Case,
    Disposition,
    EventKind,
    Impression,
    PhotosWanted,
    Review,
    Status,
    Submission,
)
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import (
    UNCLAIMED,
    WITH_ANSWER,
    AlreadyAmendedError,
    IllegalMoveError,
    UrgencyRoseError,
)
from teleder.cases.triage import Urgency


def claim(submission: Submission, *, by: User) -> None:
    transitions.move(submission, EventKind.CLAIMED, actor=by, claimed_by=by, claimed_at=Now())


def release(submission: Submission, *, by: User) -> None:
    """Give a claimed submission back to the worklist; an admin may release another's claim."""
    only = {} if by.is_admin else {"claimed_by": by}
    transitions.move(submission, EventKind.RELEASED, actor=by, only=only, **UNCLAIMED)


def keep_claim(submission: Submission, *, by: User) -> bool:
    """Extend the claim of `by`, who is still reading; false when the claim is no longer theirs."""
    mine = Submission.objects.filter(pk=submission.pk, status=Status.IN_REVIEW, claimed_by=by)
    return bool(mine.update(claimed_at=Now()))


def request_photos(submission: Submission, *, by: User, reason: str) -> None:
    """Ask the patient for another photo. The due time starts again when it arrives.

    `reason` is one of `PhotosWanted`. A same-day case does not wait for photos: raises `RefusedError`.
    """
    if reason not in PhotosWanted.values:
        raise ValidationError({"reason": _("Please say what is wrong with the photos.")})
    if submission.urgency >= Urgency.SAME_DAY:
        raise RefusedError(
            "same_day", _("A same-day case cannot wait for photos. Answer it, and ask in the answer.")
        )
    only = {"claimed_by": by, "urgency__lt": Urgency.SAME_DAY}
    transitions.move(
        submission, EventKind.PHOTOS_REQUESTED, actor=by, only=only, photos_wanted=reason, **UNCLAIMED
    )


@transaction.atomic
def sign(
    submission: Submission,
    *,
    by: User,
    impression: Impression,
    disposition: Disposition,
    text: str,
    reason: str = "",
) -> Review:
    """Answer the patient. An answer less urgent than the triage needs a reason; only the claim's holder may sign.

    Raises `UrgencyRoseError` where the triage rose after `submission` was read.
    """
    seen = submission.urgency
    _lock(submission)
    if submission.status == Status.IN_REVIEW and submission.claimed_by_id == by.pk:
        _require_reason(submission, seen, disposition, reason)
        ai_opinion.choose(submission, by=by, impression=impression)
    transitions.move(submission, EventKind.SIGNED, actor=by, only={"claimed_by": by}, **UNCLAIMED)
    return write_review(submission, by, impression, disposition, text, reason)


@transaction.atomic
def amend(
    submission: Submission,
    *,
    by: User,
    impression: Impression,
    disposition: Disposition,
    text: str,
    reason: str = "",
    amends: UUID | None = None,
) -> Review:
    """Correct a signed answer by a new one; the old one stays on the record.

    `amends` names the answer that was read before it was corrected (without it, the one in force at the call).
    Raises `AlreadyAmendedError` where another answer is in force, and `UrgencyRoseError` as `sign` does.
    """
    seen, read = submission.urgency, amends or getattr(submission.answer(), "pk", None)
    _lock(submission)
    if submission.status not in WITH_ANSWER:
        raise IllegalMoveError(_("There is no signed answer to correct."))
    in_force = submission.answer()
    if in_force.pk != read:
        raise AlreadyAmendedError(in_force)
    _require_reason(submission, seen, disposition, reason)
    submission.events.create(kind=EventKind.AMENDED, actor=by)
    return write_review(submission, by, impression, disposition, text, reason, amends=in_force)


def _lock(submission: Submission) -> None:
    """Lock its row until the transaction ends, and read it again: its urgency cannot rise meanwhile."""
    try:
        submission.refresh_from_db(from_queryset=Submission.objects.select_for_update(of=("self",)))
    except Submission.DoesNotExist as error:  # its patient was just erased
        raise IllegalMoveError(_("This cannot be done now: the case is no longer there.")) from error


def _require_reason(submission: Submission, seen: int, disposition: Disposition, reason: str) -> None:
    """Raise if the answer is less urgent than the triage and gives no reason; `seen` is the urgency that was shown."""
    if Disposition(disposition).urgency >= submission.urgency or clean_text(reason).strip():
        return
    if submission.urgency > seen:
        raise UrgencyRoseError(submission.urgency)
    raise ValidationError({"reason": _("Please say why this is less urgent than the triage.")})


def write_review(
    submission: Submission,
    by: User,
    impression: Impression,
    disposition: Disposition,
    text: str,
    reason: str,
    amends: Review | None = None,
) -> Review:
    text, reason = clean_text(text).strip(), clean_text(reason).strip()
    if not text:
        raise ValidationError({"text": _("Please write an answer.")})
    return Review.objects.create(
        submission=submission,
        author=by,
        impression=Impression(impression),
        disposition=Disposition(disposition),
        text=text,
        reason=reason,
        triage_urgency=submission.urgency,
        urgency=Disposition(disposition).urgency,
        amends=amends,
    )


def close(submission: Submission, *, by: User) -> None:
    transitions.move(submission, EventKind.CLOSED, actor=by)


def reopen(submission: Submission, *, by: User) -> None:
    """Put an answered submission back on the worklist, with a new due time."""
    due = triage.policy(submission.policy).due(submission.level, timezone.now())
    transitions.move(submission, EventKind.REOPENED, actor=by, due_at=due)


@transaction.atomic
def reassign(submission: Submission, *, to: User, by: User) -> None:
    """Hand a submission to a dermatologist of its clinic, claimed or not."""
    of_clinic = Case.objects.filter(to.in_own_clinic(), pk=submission.case_id).exists()
    if not to.is_dermatologist or not to.is_active or not of_clinic:
        raise RefusedError("not_a_dermatologist", _("Please choose a dermatologist who may log in."))
    detail = {"to": str(to.pk)}
    try:
        transitions.move(
            submission, EventKind.REASSIGNED, actor=by, detail=detail, claimed_by=to, claimed_at=Now()
        )
    except IllegalMoveError as error:
        raise IllegalMoveError(_("Only a submission that waits for an answer can be handed on.")) from error


def release_idle_claims() -> int:
    """Release claims that are idle, and those of users who may no longer log in."""
    idle_since = Now() - timedelta(minutes=settings.CLAIM_IDLE_MINUTES)
    held = Submission.objects.filter(status=Status.IN_REVIEW)
    idle, locked = held.filter(claimed_at__lt=idle_since), held.filter(claimed_by__is_active=False)
    left = sum(_release(submission, claimed_at__lt=idle_since) for submission in idle[:200])
    return left + sum(
        _release(submission, claimed_by=submission.claimed_by_id) for submission in locked[:200]
    )


def _release(submission: Submission, **still: Any) -> bool:
    try:
        transitions.move(submission, EventKind.RELEASED, only=still, **UNCLAIMED)
    except IllegalMoveError:
        return False
    return True
