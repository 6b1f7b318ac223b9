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

from teleder.accounts import licences
from teleder.accounts.models import User
from teleder.accounts.text import clean_text
from teleder.cases import ai_opinion, colleagues, held, signatures, transitions, triage
from teleder.cases.models import (
    Disposition,
    Event,
    EventKind,
    HeldAnswer,
    Impression,
    PhotosWanted,
    Review,
    Status,
    Submission,
)
from teleder.cases.models.photo_request import WORDS_LENGTH
from teleder.cases.originals import RefusedError
from teleder.cases.plan import NO_PLAN, Plan
from teleder.cases.transitions import (
    UNCLAIMED,
    WITH_ANSWER,
    AlreadyAmendedError,
    IllegalMoveError,
    NewPhotosError,
)
from teleder.cases.triage import Urgency


def claim(submission: Submission, *, by: User) -> None:
    transitions.move(submission, EventKind.CLAIMED, actor=by, claimed_by=by, claimed_at=Now())


@transaction.atomic
def release(submission: Submission, *, by: User) -> None:
    """Give a claimed submission back to the worklist; an admin may release another's claim."""
    signatures.lock_and_refresh(submission)
    held.refuse_if_held(submission)
    only = {} if by.is_admin else {"claimed_by": by}
    transitions.move(submission, EventKind.RELEASED, actor=by, only=only, **UNCLAIMED)


def keep_claim(submission: Submission, *, by: User) -> bool:
    """Extend the claim of `by`, who is still reading; false when the claim is no longer theirs."""
    mine = Submission.objects.filter(pk=submission.pk, status=Status.IN_REVIEW, claimed_by=by)
    return bool(mine.update(claimed_at=Now()))


@transaction.atomic
def request_photos(
    submission: Submission, *, by: User, reason: str, place: str = "", words: str = ""
) -> None:
    """Ask the patient for another photo. The clock stands still until it arrives, and goes on with the time that is left.

    `reason` is one of `PhotosWanted`, `place` one of the case's (empty: whichever); the patient reads the `words`. A same-day case does
    not wait for photos: raises `RefusedError`.
    """
    words = clean_text(words).strip()
    if place not in {"", *map(str, submission.case.body_places)}:
        raise ValidationError({"place": _("Please choose a place of this case.")})
    if len(words) > WORDS_LENGTH:
        raise ValidationError({"words": _("At most %(n)d letters, please.") % {"n": WORDS_LENGTH}})
    if reason not in PhotosWanted.values:
        raise ValidationError({"reason": _("Please say what is wrong with the photos.")})
    if submission.urgency >= Urgency.SAME_DAY:
        raise RefusedError(
            "same_day", _("A same-day case cannot wait for photos. Answer it, and ask in the answer.")
        )
    signatures.lock_and_refresh(submission)
    held.refuse_if_held(submission)
    only = {"claimed_by": by, "urgency__lt": Urgency.SAME_DAY}
    wanted = {"photos_wanted": reason, "photos_wanted_place": place, "photos_wanted_words": words}
    transitions.move(submission, EventKind.PHOTOS_REQUESTED, actor=by, only=only, **wanted, **UNCLAIMED)


@transaction.atomic
def sign(
    submission: Submission,
    *,
    by: User,
    impression: Impression,
    disposition: Disposition,
    text: str,
    reason: str = "",
    plan: Plan = NO_PLAN,
    at_once: bool = False,
    photos: int | None = None,
    plan_template: str = "",
    keep_text: bool = False,
    **more: str,
) -> Review | HeldAnswer:
    """Answer the patient: the answer is held for `HOLD_SECONDS`, then sent as a review; with 0, or `at_once`, at once.

    One less urgent than the triage needs a reason, and no other keeps one; only the claim's holder may sign. A text or a plan
    (`plan_template`) that began as the template of a less urgent action is refused unless `keep_text` is given. `more` is the diagnosis, the confidence and
    the reply template, where they are given (`signatures.columns_of`). Raises `UrgencyRoseError` where the
    triage rose after `submission` was read, `NewPhotosError` where there are more photos than the `photos` it was read with,
    and `ValidationError` where the licence of `by` was not checked or has expired.
    """
    licences.require_in_force(by)
    seen = submission.urgency
    signatures.lock_and_refresh(submission)
    held.refuse_if_held(submission)
    if submission.status != Status.IN_REVIEW or submission.claimed_by_id != by.pk:
        raise IllegalMoveError(transitions.somebody_was_faster())
    if photos is not None and submission.current_photos().count() > photos:
        raise NewPhotosError
    signatures.require_reason(submission, seen, disposition, reason)
    kept = signatures.require_text_of_action(
        disposition, more.get("template", ""), plan_template, keep=keep_text
    )
    if not signatures.is_lower(submission, disposition):
        reason = ""  # of an action that was chosen before
    columns = signatures.columns_of(
        submission,
        impression=impression,
        disposition=disposition,
        text=text,
        reason=reason,
        plan=plan,
        **more,
    )
    ai_opinion.keep_final(submission, by=by, impression=impression)
    if settings.HOLD_SECONDS and not at_once:
        return held.hold(submission, by=by, columns=columns, detail=kept)
    transitions.move(
        submission, EventKind.SIGNED, actor=by, only={"claimed_by": by}, detail=kept, **UNCLAIMED
    )
    return signatures.write_review(submission, by, columns, amends=signatures.taken_back(submission))


@transaction.atomic
def amend(
    submission: Submission,
    *,
    by: User,
    impression: Impression,
    disposition: Disposition,
    text: str,
    reason: str = "",
    plan: Plan = NO_PLAN,
    amends: UUID | None = None,
    at_once: bool = False,
    plan_template: str = "",
    keep_text: bool = False,
    **more: str,
) -> Review | HeldAnswer:
    """Correct a signed answer by a new one, which is held like a first one; the old one stays on the record.

    `amends` names the answer that was read before it was corrected (without it, the one in force at the call).
    Raises `AlreadyAmendedError` where another answer is in force, and otherwise as `sign` does.
    """
    licences.require_in_force(by)
    seen, read = submission.urgency, amends or getattr(submission.answer(), "pk", None)
    signatures.lock_and_refresh(submission)
    if submission.status not in WITH_ANSWER:
        raise IllegalMoveError(_("There is no signed answer to correct."))
    held.refuse_if_held(submission, corrector=by)
    in_force = submission.answer()
    if in_force.pk != read:
        raise AlreadyAmendedError(in_force)
    signatures.require_reason(submission, seen, disposition, reason)
    kept = signatures.require_text_of_action(
        disposition, more.get("template", ""), plan_template, keep=keep_text
    )
    columns = signatures.columns_of(
        submission,
        impression=impression,
        disposition=disposition,
        text=text,
        reason=reason,
        plan=plan,
        **more,
    )
    if settings.HOLD_SECONDS and not at_once:
        return held.hold(submission, by=by, columns=columns, amends=in_force, detail=kept)
    submission.events.create(kind=EventKind.AMENDED, actor=by, detail=kept)
    return signatures.write_review(submission, by, columns, amends=in_force)


def close(submission: Submission, *, by: User) -> None:
    transitions.move(submission, EventKind.CLOSED, actor=by)


def reopen(submission: Submission, *, by: User) -> None:
    """Put an answered submission back on the worklist, with a new due time. A correction that is held is stopped then."""
    due = triage.policy(submission.policy).due(submission.level, timezone.now())
    transitions.move(submission, EventKind.REOPENED, actor=by, due_at=due)


@transaction.atomic
def reassign(submission: Submission, *, to: User, by: User, reason: str = "") -> Event:
    """Hand a submission to a dermatologist of its clinic; the event names both and the reason.

    An admin may hand on what anybody has claimed, a dermatologist what is free or their own.
    """
    colleagues.require_signer(submission, to)
    signatures.lock_and_refresh(submission)
    held.refuse_if_held(submission)
    if by.is_dermatologist and submission.claimed_by_id not in {None, by.pk}:
        raise RefusedError(
            "claimed_by_another", _("A colleague has this case. Only an admin can hand it on.")
        )
    detail = {"to": str(to.pk), "from": str(submission.claimed_by_id or ""), "reason": reason}
    try:
        return transitions.move(
            submission, EventKind.REASSIGNED, actor=by, detail=detail, claimed_by=to, claimed_at=Now()
        )
    except IllegalMoveError as error:
        raise IllegalMoveError(_("Only a submission that waits for an answer can be handed on.")) from error


def release_idle_claims() -> int:
    """Release claims that are idle, and those of users who may no longer log in."""
    idle_since = Now() - timedelta(minutes=settings.CLAIM_IDLE_MINUTES)
    # A signed answer that waits to be sent keeps its claim: the sweeper sends it, or returns it to its signer.
    claimed = Submission.objects.filter(status=Status.IN_REVIEW, held_answer=None)
    idle, locked = claimed.filter(claimed_at__lt=idle_since), claimed.filter(claimed_by__is_active=False)
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
