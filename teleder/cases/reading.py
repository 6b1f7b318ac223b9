"""Whether a patient has opened an answer; until then it can be taken back."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from teleder.accounts.models import User
from teleder.accounts.text import clean_text
from teleder.cases import held, signatures, transitions
from teleder.cases.models import (
    AnswerDraft,
    AnswerReading,
    EventKind,
    Review,
    ShareLink,
    Submission,
    TakenBackAnswer,
)
from teleder.cases.transitions import WITH_ANSWER, IllegalMoveError


def answer_for_patient(submission: Submission) -> Review | None:
    """Return the answer in force for its patient to read, and note that they do; `None` where there is none.

    What was noted cannot be taken back; what is taken back at this moment is not returned.
    """
    answer = submission.answer() if submission.status in WITH_ANSWER else None
    if answer is None or AnswerReading.objects.filter(review=answer).exists():
        return answer
    with transaction.atomic():
        locked = (
            Submission.objects.select_for_update(of=("self",), no_key=True).filter(pk=submission.pk).first()
        )
        if locked is None or locked.status not in WITH_ANSWER:
            submission.refresh_from_db()
            return None
        answer = locked.answer()
        AnswerReading.objects.get_or_create(review=answer)
    return answer


def may_take_back(submission: Submission) -> bool:
    """Whether the answer in force is a first answer that nobody outside the clinic has opened."""
    answer = submission.answer()
    if answer is None or not is_unread_first_answer(submission, answer):
        return False
    return not ShareLink.objects.filter(submission=submission).exists()


def is_unread_first_answer(submission: Submission, answer: Review) -> bool:
    return (
        submission.status == transitions.Status.ANSWERED
        and not answer.corrects
        and not any(hasattr(answer, name) for name in ("reading", "taken_back", "amended_by"))
    )


@transaction.atomic
def take_back_answer(submission: Submission, *, by: User, reason: str) -> None:
    """Take an unread answer back: the case is in review by `by` again, its text a draft, and the due time stays.

    Raises `ValidationError` without a reason, and `IllegalMoveError` for an answer that was opened.
    """
    reason = clean_text(reason).strip()
    if not reason:
        raise ValidationError({"reason": _("Please say why the answer is taken back.")})
    signatures.lock_and_refresh(submission)
    held.refuse_if_held(submission)
    if not may_take_back(submission):
        raise IllegalMoveError(_("The patient has opened the answer: it can only be corrected."))
    answer = submission.answer()
    TakenBackAnswer.objects.create(review=answer, by=by, reason=reason)
    transitions.move(submission, EventKind.TAKEN_BACK, actor=by, claimed_by=by, claimed_at=Now())
    names = ("impression", "disposition", "text", "reason", "today", "this_week", "next_photo_on")
    names += ("diagnosis", "confidence", "template")
    typed = held.typed_of({name: getattr(answer, name) for name in names})
    AnswerDraft.objects.update_or_create(
        submission=submission, author=by, defaults={"typed": typed, "saved_at": timezone.now()}
    )
