"""A signed answer waits a minute before it is sent: until then its signer can undo it, and news from the patient stops it.

The sweeper sends, whether the signer's browser is open or not. A correction is held as well: until it is sent, the answer
that it corrects stays in force.
"""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from teleder.accounts.models import Role, User
from teleder.cases import answer_drafts, replies, signatures, transitions
from teleder.cases.models import (
    AnswerDraft,
    Disposition,
    EventKind,
    HeldAnswer,
    Review,
    Status,
    Submission,
)
from teleder.cases.transitions import UNCLAIMED, WITH_ANSWER, IllegalMoveError

AT_ONCE = 200


class Stop(StrEnum):
    """Why an answer was not sent; stored in the event, and said to its signer."""

    QUESTION = "question"
    PHOTO = "photo"
    ANSWERS = "answers"  # a new red-flag answer
    SENT_MORE = "sent_more"  # another submission of the patient
    URGENCY = "urgency"
    SIGNER = "signer"  # who signed may no longer log in
    REOPENED = "reopened"  # the answer that was to be corrected is no longer in force


# --- Holding ----------------------------------------------------------------------------------------------
def hold(
    submission: Submission,
    *,
    by: User,
    columns: dict[str, Any],
    amends: Review | None = None,
    detail: dict[str, str] | None = None,
) -> HeldAnswer:
    """Hold a signed answer, or the correction of one; call it under the submission's lock. `by` holds the claim of a first
    answer's submission."""
    refuse_if_held(submission)
    held = HeldAnswer.objects.create(
        submission=submission,
        author=by,
        answer=_as_json(columns),
        amends=amends,
        triage_urgency=submission.urgency,
        send_at=Now() + timedelta(seconds=settings.HOLD_SECONDS),
    )
    held.refresh_from_db(fields=["send_at"])
    _touch(submission)  # which lists notice
    submission.events.create(kind=EventKind.HELD, actor=by, detail=detail or {})
    answer_drafts.forget(submission, by=by)
    return held


def _touch(submission: Submission) -> None:
    Submission.objects.filter(pk=submission.pk, status=Status.IN_REVIEW).update(claimed_at=Now())


def refuse_if_held(submission: Submission, *, corrector: User | None = None) -> None:
    """Raise `IllegalMoveError` where a signed answer waits to be sent; call it under the submission's lock.

    A `corrector` reads whose correction waits, which only its signer can undo.
    """
    waiting = HeldAnswer.objects.filter(submission=submission).select_related("author").first()
    if waiting is None:
        return
    words = _("The answer is signed and is about to be sent. Undo the sending first to change anything.")
    if corrector and waiting.author != corrector:
        words = _(
            "%(name)s has signed a correction that is about to be sent. You can correct the answer once that correction is sent "
            "or undone."
        ) % {"name": waiting.author}
    raise IllegalMoveError(words)


def held_by(signer: User) -> list[HeldAnswer]:
    """Return what `signer` has signed and can still undo, the last signed first."""
    rows = HeldAnswer.objects.filter(author=signer).select_related("submission__case")
    return list(rows.order_by("-send_at"))


def held_stamp(signer: User) -> list[tuple]:
    """Return what changes whenever `held_by` or `answer_drafts.stopped` do, without loading a case."""
    waiting = HeldAnswer.objects.filter(author=signer).order_by("pk").values_list("pk", "send_at")
    stopped = answer_drafts.of_stopped(signer).order_by("pk")
    return [*waiting, *stopped.values_list("pk", "saved_at")]


def _as_json(columns: dict[str, Any]) -> dict[str, Any]:
    day = columns["next_photo_on"]
    return columns | {"next_photo_on": day.isoformat() if day else None}


def _from_json(answer: dict[str, Any]) -> dict[str, Any]:
    day = answer["next_photo_on"]
    return answer | {"next_photo_on": date.fromisoformat(day) if day else None}


# --- Sending ----------------------------------------------------------------------------------------------
def send_due() -> int:
    """Send what has waited long enough; return how many answers."""
    due = HeldAnswer.objects.filter(send_at__lte=Now()).order_by("send_at")
    return sum(bool(send(pk)) for pk in due.values_list("submission", flat=True)[:AT_ONCE])


def send_now(submission: Submission, *, by: User) -> Review:
    """Send before the time. Raises `IllegalMoveError` where nothing of `by` waits."""
    _of_signer(submission, by)
    review = send(submission.pk, early=True)
    if review is None:
        raise IllegalMoveError(_("The answer was not sent: read why, and sign again."))
    return review


@transaction.atomic
def send(submission_id: Any, *, early: bool = False) -> Review | None:
    """Turn a held answer into a review, once: of two sweepers one finds it under the lock."""
    submission = Submission.objects.select_for_update(of=("self",)).filter(pk=submission_id).first()
    waiting = HeldAnswer.objects.filter(submission_id=submission_id).select_related("author")
    held = (waiting if early else waiting.filter(send_at__lte=Now())).first()
    if submission is None or held is None:
        return None
    if why := _why_not(submission, held):
        _hand_back(held, EventKind.SEND_STOPPED, why=why)
        return None
    columns, author, amends = _from_json(held.answer), held.author, held.amends
    held.delete()
    if amends is not None:
        submission.events.create(kind=EventKind.AMENDED, actor=author)
        return signatures.write_review(submission, author, columns, amends=amends)
    transitions.move(submission, EventKind.SIGNED, actor=author, only={"claimed_by": author}, **UNCLAIMED)
    return signatures.write_review(submission, author, columns, amends=signatures.taken_back(submission))


def _why_not(submission: Submission, held: HeldAnswer) -> Stop | None:
    if not (held.author.is_active and held.author.role == Role.DERMATOLOGIST):
        return Stop.SIGNER
    if held.amends_id and (submission.status not in WITH_ANSWER or submission.answer() != held.amends):
        return Stop.REOPENED
    is_lower = Disposition(held.answer["disposition"]).urgency < submission.urgency
    return Stop.URGENCY if is_lower and submission.urgency > held.triage_urgency else None


# --- Not sending ------------------------------------------------------------------------------------------
@transaction.atomic
def undo(submission: Submission, *, by: User) -> None:
    """Return the answer to its signer as a draft. Raises `IllegalMoveError` once it was sent."""
    signatures.lock_and_refresh(submission)
    _hand_back(_of_signer(submission, by), EventKind.SEND_UNDONE, by=by)


def _of_signer(submission: Submission, signer: User) -> HeldAnswer:
    held = HeldAnswer.objects.filter(submission=submission, author=signer).first()
    if held is None:
        raise IllegalMoveError(_("The answer was already sent, or its sending was stopped."))
    return held


def stop_for(patient_id: Any, why: Stop) -> int:
    """Stop the sending of every answer to this patient, who has just said or sent something; return how many.

    In the transaction of what came from the patient: either both are stored, or neither.
    """
    rows = HeldAnswer.objects.filter(submission__case__patient=patient_id)
    found = list(rows.order_by("submission").values_list("submission", flat=True))
    return sum(_stop(submission_id, why) for submission_id in found)


@transaction.atomic
def _stop(submission_id: Any, why: Stop) -> bool:
    Submission.objects.select_for_update(of=("self",)).get(pk=submission_id)
    held = HeldAnswer.objects.filter(submission=submission_id).first()  # unless it was just sent
    if held is not None:
        _hand_back(held, EventKind.SEND_STOPPED, why=why)
    return held is not None


def _hand_back(held: HeldAnswer, kind: EventKind, *, by: User | None = None, why: Stop | None = None) -> None:
    """Make it a draft of its signer, who goes on holding the case; call it under the submission's lock."""
    submission = held.submission
    AnswerDraft.objects.update_or_create(
        submission=submission,
        author=held.author,
        defaults={
            "typed": typed_of(held.answer, amends=str(held.amends_id or answer_drafts.FIRST_ANSWER)),
            "saved_at": timezone.now(),
            "stopped_because": why or "",
        },
    )
    signer = {"signer": str(held.author_id)} if held.amends_id else {}  # who holds no claim then
    held.delete()
    _touch(submission)
    detail = {"why": why.value} | signer if why else {}
    submission.events.create(kind=kind, actor=by, detail=detail)


def typed_of(answer: dict[str, Any], *, amends: str = answer_drafts.FIRST_ANSWER) -> dict[str, str]:
    """Return a signed answer as it stood in the form; `amends` names the answer that it corrects."""
    names = ("impression", "disposition", "text", "reason")
    later = (
        "diagnosis",
        "confidence",
        "template",
    )  # not in an answer that was held before these were known
    day = answer["next_photo_on"]
    plan = {name: "\n".join(answer[name]) for name in ("today", "this_week")}
    template = str(answer.get("template", ""))
    return {
        **{name: str(answer[name]) for name in names},
        **{name: str(answer.get(name, "")) for name in later},
        **plan,
        "plan_template": replies.plan_began_as(answer["disposition"], answer["impression"], plan, template),
        "next_photo": "date" if day else "none",
        "next_photo_date": str(day) if day else "",
        "amends": amends,
    }
