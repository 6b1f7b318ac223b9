"""A patient asks back about a signed answer; a dermatologist replies. The answer itself stays as it was signed."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext as _

from teleder.accounts import licences
from teleder.accounts.models import User
from teleder.accounts.text import clean_text
from teleder.cases import held, triage
from teleder.cases.models import EventKind, Submission
from teleder.cases.models.question import QUESTION_LENGTH, PatientQuestion
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import WITH_ANSWER, IllegalMoveError

OPEN_AT_ONCE = 3


@transaction.atomic
def keep_draft(submission: Submission, *, text: str) -> None:
    """Store what a patient is writing. Raises `ValidationError`, `IllegalMoveError`."""
    submission = _lock(submission)
    text = _typed(text)
    # A script may still be storing while the form is sent: what was just sent is no draft of the next question.
    if any(question.text.startswith(text) for question in submission.questions.open()):
        text = ""
    PatientQuestion.objects.update_or_create(submission=submission, asked_at=None, defaults={"text": text})


@transaction.atomic
def ask_back(submission: Submission, *, by: User, text: str) -> PatientQuestion:
    """Send the question; its reply is due after two staffed days. A second call with the same text sends nothing more.

    Raises `ValidationError`, `RefusedError`, `IllegalMoveError`.
    """
    submission = _lock(submission)
    text = _typed(text)
    if not text:
        raise ValidationError({"text": _("Please write a question.")})
    waiting = list(submission.questions.open())
    if same := next((question for question in waiting if question.text == text), None):
        return same
    if len(waiting) >= OPEN_AT_ONCE:
        raise RefusedError("too_many_questions", _("Please wait for the replies to your questions first."))
    now = timezone.now()
    submission.questions.filter(asked_at=None).delete()
    question = submission.questions.create(text=text, asked_at=now, due_at=due_after(now))
    submission.events.create(kind=EventKind.ASKED_BACK, actor=by)
    held.stop_for(submission.case.patient_id, held.Stop.QUESTION)
    _note_due(submission)
    return question


@transaction.atomic
def reply(question: PatientQuestion, *, by: User, text: str) -> PatientQuestion:
    """Reply to a question, once. Raises `ValidationError`, and `IllegalMoveError` where somebody was faster."""
    licences.require_in_force(by, field="text")
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=question.submission_id)
    text = _typed(text)
    if not text:
        raise ValidationError({"text": _("Please write a reply.")})
    row = {"reply": text, "replied_by": by, "replied_at": timezone.now()}
    if not submission.questions.open().filter(pk=question.pk).update(**row):
        raise IllegalMoveError(_("Somebody else has replied to this question already."))
    submission.events.create(kind=EventKind.REPLIED, actor=by)
    _note_due(submission)
    question.refresh_from_db()
    return question


def due_after(moment: datetime) -> datetime:
    return triage.staffed_after(moment, settings.QUESTION_REPLY_MINUTES, settings.STAFFED_HOURS)


def _lock(submission: Submission) -> Submission:
    rows = Submission.objects.select_for_update(of=("self",)).filter(status__in=WITH_ANSWER)
    if (found := rows.filter(pk=submission.pk).first()) is None:
        raise IllegalMoveError(_("You can ask back once there is a signed answer."))
    return found


def _typed(text: str) -> str:
    text = clean_text(text).strip()
    if len(text) > QUESTION_LENGTH:
        raise ValidationError({"text": _("At most %(n)d letters, please.") % {"n": QUESTION_LENGTH}})
    return text


def _note_due(submission: Submission) -> None:
    """Note when the first open question is due, for the worklist."""
    due = submission.questions.open().aggregate(first=Min("due_at"))["first"]
    Submission.objects.filter(pk=submission.pk).update(question_due_at=due)
