"""When the AI's opinion opens to a reader: first they look, then they see what the AI saw.

By the rule of the clinic, else by the setting `AI_OPINION`, it opens to a dermatologist once they have chosen an impression of
the submission or have asked to see it first (`after_look`), from the start (`always`), when an answer is signed (`blind`), or
once they have signed their own impression (`study`). A photo that comes later closes it until they look again. While it is closed, pages and API say only what the chip says, and give nothing that
a model computed. A signed case is open to the clinic.
Admins, who answer no case, see it always; patients never.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from contract.alarms import Condition
from teleder.accounts.models import Clinic, User
from teleder.accounts.openings import Opening, opening_of
from teleder.cases.models import (
    Confidence,
    EventKind,
    FirstImpression,
    Impression,
    Photo,
    Submission,
    SubmissionQuerySet,
)
from teleder.cases.transitions import OPEN, WITH_ANSWER, IllegalMoveError
from teleder.cases.triage import Origin
from teleder.cases.verdict import Verdict, verdict_of

AS_IMPRESSION = {
    condition: Impression.OTHER if condition == Condition.OTHER else Impression(condition.value)
    for condition in Condition
}
SOONER = "sooner"  # the code of a flag that hides which condition the AI saw


class NotOpenError(IllegalMoveError):
    """The AI's opinion is not open to this reader yet."""

    def __init__(self, opening: Opening) -> None:
        if opening == Opening.BLIND:
            text = _("This clinic reads blind: the AI's opinion opens when the answer is signed.")
        elif opening == Opening.STUDY:
            text = _(
                "This clinic reads blind: the AI's opinion opens once you have signed your own impression."
            )
        else:
            text = _(
                "The AI's opinion opens once you have chosen your impression of all photos, or asked to see it first."
            )
        super().__init__(text)


def with_impressions(rows: SubmissionQuerySet, reader: User) -> SubmissionQuerySet:
    """Annotate what this module asks of a row and its reader, so that pages take no further query."""
    own = FirstImpression.objects.filter(submission=OuterRef("pk"), reader=reader, has_newer_photos=False)
    rule = Clinic.objects.filter(pk=OuterRef("clinic_id")).values("ai_opinion")
    return rows.annotate(
        **{
            RULE: Subquery(rule),
            _name(reader): Subquery(own.values("latest")[:1]),
            _name(reader, "signed"): Exists(own.filter(signed_at__isnull=False)),
        }
    )


RULE = "rule_of_clinic"


def _name(reader: User, what: str = "impression") -> str:
    # With the reader's id, so that a row never answers for another reader.
    return f"{what}_of_{str(reader.pk).replace('-', '')}"


def rule_of(submission: Submission) -> Opening:
    """Return when the opinion opens in the clinic of this submission."""
    chosen = getattr(submission, RULE) if hasattr(submission, RULE) else submission.clinic.ai_opinion
    return opening_of(chosen)


def is_open(submission: Submission, reader: User) -> bool:
    if reader.is_patient:
        return False
    if reader.is_admin or submission.status in WITH_ANSWER:
        return True
    opening = rule_of(submission)
    if opening in {Opening.ALWAYS, Opening.BLIND}:
        return opening == Opening.ALWAYS
    return impression_of(submission, reader) is not None


def require_open(submission: Submission, reader: User) -> None:
    if not is_open(submission, reader):
        raise NotOpenError(rule_of(submission))


def impression_of(submission: Submission, reader: User) -> str | None:
    """Return the reader's impression of all photos: empty where they saw the AI first, None where they have not looked, or in a
    blind study have not signed."""
    must_be_signed = rule_of(submission) == Opening.STUDY
    if hasattr(submission, name := _name(reader)):
        counts = not must_be_signed or getattr(submission, _name(reader, "signed"))
        return getattr(submission, name) if counts else None
    rows = FirstImpression.objects.filter(submission=submission, reader=reader, has_newer_photos=False)
    if must_be_signed:
        rows = rows.filter(signed_at__isnull=False)
    return rows.values_list("latest", flat=True).first()


def signed_look(submission: Submission, reader: User) -> FirstImpression | None:
    """Return what the reader signed before the opinion opened, where the clinic reads in a blind study."""
    if rule_of(submission) != Opening.STUDY:
        return None
    return submission.first_impressions.filter(reader=reader, signed_at__isnull=False).first()


def shown_verdict(submission: Submission, reader: User, photos: Iterable[Photo] | None = None) -> Verdict:
    """Return the verdict as far as the reader may see it."""
    verdict = verdict_of(submission, photos)
    return verdict if is_open(submission, reader) else verdict.hidden()


def shown_flags(submission: Submission, reader: User) -> list[dict[str, Any]]:
    """Return the flags; where the AI's opinion is not open, one flag says that it asks to look sooner, if it does."""
    if is_open(submission, reader):
        return submission.flags
    flags = [flag for flag in submission.flags if flag["origin"] != Origin.MODEL]
    levels = [flag["level"] for flag in submission.flags if flag["origin"] == Origin.MODEL]
    if raising := [level for level in levels if level is not None]:
        flags.append({"origin": Origin.MODEL.value, "code": SOONER, "level": max(raising)})
    return flags


@transaction.atomic
def choose(submission: Submission, *, by: User, impression: str) -> FirstImpression:
    """Keep the impression that `by` has now, which opens the AI's opinion to them; the first one is kept as well.

    In a blind study nothing is kept before it is signed (`sign_look`).
    """
    _require_unanswered(submission)
    saw_ai_first = is_open(submission, by)
    chosen = Impression(impression)
    if rule_of(submission) == Opening.STUDY and not saw_ai_first:
        return FirstImpression(submission=submission, reader=by, latest=chosen)
    row, is_new = FirstImpression.objects.get_or_create(
        submission=submission,
        reader=by,
        defaults={
            "latest": chosen,
            "independent": "" if saw_ai_first else chosen,
            "saw_ai_first": saw_ai_first,
        },
    )
    if not is_new and (row.latest != chosen or row.has_newer_photos):
        row.latest, row.has_newer_photos = chosen, False
        row.save(update_fields=["latest", "has_newer_photos"])
    setattr(submission, _name(by), row.latest)
    return row


@transaction.atomic
def sign_look(submission: Submission, *, by: User, impression: str, confidence: str = "") -> FirstImpression:
    """Sign the impression of `by` in a blind study, which opens the AI's opinion to them. It cannot be changed afterwards.

    A repeat changes nothing. After a newer photo it is signed again, and the first one stays as it was; such a read is left
    out of the study's figures, and so is one whose reader may have seen the AI's opinion before.
    """
    _require_unanswered(submission)
    if rule_of(submission) != Opening.STUDY:
        raise IllegalMoveError(_("This clinic does not read in a blind study."))
    chosen, sure = Impression(impression), Confidence(confidence) if confidence else ""
    was_answered = submission.reviews.exists()
    row, is_new = FirstImpression.objects.get_or_create(
        submission=submission,
        reader=by,
        defaults={
            "latest": chosen,
            "independent": chosen,
            "confidence": sure,
            "signed_at": timezone.now(),
            "looked_before": was_answered,
        },
    )
    if not is_new and row.signed_at and not row.has_newer_photos:
        if row.independent != chosen:
            raise IllegalMoveError(_("You have signed your impression. It cannot be changed any more."))
    elif not is_new:
        row.latest, row.has_newer_photos, row.looked_before = chosen, False, True
        row.signed_at = row.signed_at or timezone.now()
        row.save(update_fields=["latest", "has_newer_photos", "looked_before", "signed_at"])
    setattr(submission, _name(by), row.latest)
    setattr(submission, _name(by, "signed"), True)
    return row


def keep_final(submission: Submission, *, by: User, impression: str) -> None:
    """Keep the impression of the answer that `by` signs, and beside a signed first one also what the AI said meanwhile."""
    row = choose(submission, by=by, impression=impression)
    if row.signed_at is None:
        return
    row.final = Impression(impression)
    row.ai_said = sorted(AS_IMPRESSION[condition] for condition in verdict_of(submission).conditions)
    row.save(update_fields=["final", "ai_said"])


@transaction.atomic
def see_first(submission: Submission, *, by: User) -> FirstImpression:
    """Open the AI's opinion to `by` without an impression of all photos; the timeline says so. A repeat changes nothing."""
    _require_unanswered(submission)
    if (opening := rule_of(submission)) in {Opening.BLIND, Opening.STUDY}:
        raise NotOpenError(opening)
    row, is_new = FirstImpression.objects.get_or_create(
        submission=submission, reader=by, defaults={"saw_ai_first": True}
    )
    if is_new or row.has_newer_photos:
        row.has_newer_photos = False
        row.save(update_fields=["has_newer_photos"])
        submission.events.create(kind=EventKind.AI_SEEN_FIRST, actor=by)
    setattr(submission, _name(by), row.latest)
    return row


def close_for_new_photo(submission: Submission) -> None:
    """Close the opinion until each reader has looked again; call it under the submission's lock, which looking takes too."""
    submission.first_impressions.update(has_newer_photos=True)


def _require_unanswered(submission: Submission) -> None:
    # Locked, so that it is neither signed nor erased meanwhile.
    rows = Submission.objects.select_for_update(of=("self",)).filter(pk=submission.pk, status__in=OPEN)
    if not rows.exists():
        raise IllegalMoveError(_("This case does not wait for an answer."))
