"""The unsigned text of an answer, kept on the server: its author finds it on any device, and who holds the case next reads it.

A text is stored although its author no longer holds the case: nothing that was typed is lost. A signature deletes the
drafts of its author; the drafts of others stay beside the case until it is answered.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from teleder.accounts.models import User
from teleder.accounts.text import clean_text
from teleder.cases.models import AnswerDraft, HeldAnswer, Submission, SubmissionQuerySet
from teleder.cases.transitions import WITH_ANSWER

FIRST_ANSWER = "nothing"  # `amends` of a first answer's draft
FIELDS = (
    *("impression", "disposition", "text", "reason"),
    *("diagnosis", "confidence", "template", "plan_template", "template_language"),
    *("today", "this_week", "next_photo", "next_photo_date", "amends"),
)
FIELD_LENGTH = (
    20_000  # more than may be signed: a text that is too long is shortened by its author, not by us
)
TYPED = ("text", "reason", "today", "this_week")


@transaction.atomic
def keep(submission: Submission, *, by: User, typed: Mapping[str, str]) -> AnswerDraft | None:
    """Store what `by` has typed; nothing where the form is empty, or where its author has signed meanwhile.

    Raises `ValidationError` for a field that is far too long.
    """
    kept = {name: clean_text(str(typed[name])) for name in FIELDS if name in typed}
    if any(len(text) > FIELD_LENGTH for text in kept.values()):
        raise ValidationError({"text": _("At most %(n)d letters, please.") % {"n": FIELD_LENGTH}})
    # Under the lock of a signature: a draft that is sent late does not come back after it.
    locked = Submission.objects.select_for_update(of=("self",), no_key=True).filter(pk=submission.pk).first()
    if locked is None or _is_signed(locked, by, kept):
        return None
    if not any(kept.get(name, "").strip() for name in TYPED):
        forget(submission, by=by)
        return None
    row, _is_new = AnswerDraft.objects.update_or_create(
        submission=locked,
        author=by,
        defaults={"typed": kept, "saved_at": timezone.now(), "stopped_because": ""},
    )
    return row


def _is_signed(submission: Submission, by: User, typed: Mapping[str, str]) -> bool:
    if HeldAnswer.objects.filter(submission=submission, author=by).exists():
        return True
    if (amends := typed.get("amends", FIRST_ANSWER)) != FIRST_ANSWER:
        mine = submission.reviews.filter(author=by).exclude(amends=None)
        return amends in map(str, mine.values_list("amends", flat=True))
    return submission.status in WITH_ANSWER and submission.reviews.filter(author=by).exists()


def forget(submission: Submission, *, by: User) -> None:
    AnswerDraft.objects.filter(submission=submission, author=by).delete()


def stopped(signer: User) -> list[AnswerDraft]:
    """Return the signed answers and corrections of `signer` whose sending was stopped, while they can still sign them."""
    return list(of_stopped(signer).select_related("submission__case"))


def of_stopped(signer: User) -> QuerySet[AnswerDraft]:
    theirs = Q(submission__claimed_by=signer) | Q(submission__status__in=WITH_ANSWER)
    return AnswerDraft.objects.filter(theirs, author=signer).exclude(stopped_because="")


def with_drafts(rows: SubmissionQuerySet) -> SubmissionQuerySet:
    """Annotate whether there is a draft, so that a page without one takes no further query."""
    return rows.annotate(has_drafts=Exists(AnswerDraft.objects.filter(submission=OuterRef("pk"))))


def own_and_other_drafts(
    submission: Submission, reader: User, *, amends: str
) -> tuple[AnswerDraft | None, list[AnswerDraft]]:
    """Return the reader's own draft of this answer, if there is one, and the other texts, the newest first.

    A correction of the reader's whose answer was corrected by a colleague meanwhile is one of the others.
    """
    if not getattr(submission, "has_drafts", True):
        return None, []
    rows = list(submission.answer_drafts.select_related("author"))
    own = next((row for row in rows if row.author_id == reader.pk and row.amends == amends), None)
    return own, [row for row in rows if row != own]
