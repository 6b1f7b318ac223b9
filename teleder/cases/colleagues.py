"""Dermatologists work together on a case: one hands it over with a note, or asks another for a second opinion.

The clock runs on in both, and both names stay on the record: in the event, and with the note.
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from teleder.accounts import licences
from teleder.accounts.models import Role, User
from teleder.accounts.text import clean_text
from teleder.cases import held, signatures, transitions
from teleder.cases.models import (
    Case,
    EventKind,
    HandOverNote,
    Impression,
    Review,
    SecondOpinion,
    Status,
    Submission,
)
from teleder.cases.models.colleague import COLLEAGUE_NOTE_LENGTH
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import OPEN, IllegalMoveError


def whom_to_ask(submission: Submission, asker: User) -> QuerySet[User]:
    """Return whom `asker` can ask or hand to: who answered this patient before, then who is on call, with the claims of each."""
    before = Review.objects.filter(
        author=OuterRef("pk"), submission__case__patient=submission.case.patient_id
    )
    rows = User.objects.filter(clinic=submission.clinic_id, role=Role.DERMATOLOGIST, is_active=True)
    rows = rows.exclude(pk=asker.pk).select_related("dermatologist")
    held_now = Count("claims", filter=Q(claims__status=Status.IN_REVIEW))
    rows = rows.annotate(claimed=held_now, answered_before=Exists(before))
    return rows.order_by("-answered_before", "-dermatologist__on_call", "name", "pk")


def require_colleague(submission: Submission, to: User) -> None:
    """Raise `RefusedError` where `to` is no dermatologist of the submission's clinic who may log in."""
    of_clinic = Case.objects.filter(to.in_own_clinic(), pk=submission.case_id).exists()
    if not to.is_dermatologist or not to.is_active or not of_clinic:
        raise RefusedError("not_a_dermatologist", _("Please choose a dermatologist who may log in."))


def require_signer(submission: Submission, to: User) -> None:
    """Raise `RefusedError` where `to` is no such colleague, or may not sign."""
    require_colleague(submission, to)
    if not User.objects.filter(licences.may_sign(), pk=to.pk).exists():
        words = _("%(name)s cannot sign: no admin has checked the licence, or it has expired.")
        raise RefusedError("cannot_sign", words % {"name": to})


# --- Handing over -----------------------------------------------------------------------------------------
@transaction.atomic
def hand_case_over(submission: Submission, *, to: User, by: User, text: str = "") -> HandOverNote:
    """Give a claimed case to a colleague, with what was written so far. Raises `RefusedError`, `IllegalMoveError`."""
    text = _note(text, "text")
    _require_other(submission, to, by)
    require_signer(submission, to)
    signatures.lock_and_refresh(submission)
    held.refuse_if_held(submission)
    detail = {"to": str(to.pk), "from": str(by.pk)}
    mine = {"claimed_by": by}
    transitions.move(
        submission,
        EventKind.HANDED_OVER,
        actor=by,
        only=mine,
        detail=detail,
        claimed_by=to,
        claimed_at=Now(),
    )
    return submission.hand_over_notes.create(author=by, to=to, text=text)


# --- Second opinions --------------------------------------------------------------------------------------
@transaction.atomic
def ask_opinion(submission: Submission, *, to: User, by: User, question: str) -> SecondOpinion:
    """Ask a colleague, who finds the case on the list; `by` goes on holding it. The same colleague is asked once at a time.

    Raises `ValidationError`, `RefusedError`, `IllegalMoveError`.
    """
    question = _note(question, "question")
    if not question:
        raise ValidationError({"question": _("Please write what you would like to know.")})
    _require_other(submission, to, by)
    signatures.lock_and_refresh(submission)
    held.refuse_if_held(submission)
    if submission.status != Status.IN_REVIEW or submission.claimed_by_id != by.pk:
        raise IllegalMoveError(transitions.somebody_was_faster())
    if submission.second_opinions.open().filter(colleague=to).exists():
        raise RefusedError("already_asked", _("%(name)s was asked already.") % {"name": to})
    submission.events.create(kind=EventKind.OPINION_ASKED, actor=by, detail={"to": str(to.pk)})
    return submission.second_opinions.create(asked_by=by, colleague=to, question=question)


@transaction.atomic
def give_opinion(asked: SecondOpinion, *, by: User, opinion: str, impression: str = "") -> SecondOpinion:
    """Answer a colleague's question, once, while the case is open; with an `Impression` or none. Raises `ValidationError`, `IllegalMoveError`."""
    opinion = _note(opinion, "opinion")
    if not opinion:
        raise ValidationError({"opinion": _("Please write your opinion.")})
    if impression not in {"", *Impression.values}:
        raise ValidationError({"impression": _("Please choose an impression.")})
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=asked.submission_id)
    if submission.status not in OPEN:
        raise IllegalMoveError(_("The case has been answered already."))
    waiting = submission.second_opinions.open().filter(pk=asked.pk, colleague=by)
    if not waiting.update(opinion=opinion, impression=impression, answered_at=timezone.now()):
        raise IllegalMoveError(transitions.somebody_was_faster())
    submission.events.create(kind=EventKind.OPINION_GIVEN, actor=by, detail={"to": str(asked.asked_by_id)})
    asked.refresh_from_db()
    return asked


def opinions_wanted(colleague: User) -> QuerySet[SecondOpinion]:
    """Return the questions of colleagues that wait for this dermatologist, those of the first due case first."""
    rows = SecondOpinion.objects.open().filter(colleague=colleague, submission__status__in=OPEN)
    return rows.select_related("submission__case", "asked_by").order_by("submission__due_at", "pk")


def _require_other(submission: Submission, to: User, by: User) -> None:
    if to == by:
        raise RefusedError("not_a_colleague", _("Please choose a colleague."))
    require_colleague(submission, to)


def _note(text: str, field: str) -> str:
    text = clean_text(text).strip()
    if len(text) > COLLEAGUE_NOTE_LENGTH:
        raise ValidationError({field: _("At most %(n)d letters, please.") % {"n": COLLEAGUE_NOTE_LENGTH}})
    return text
