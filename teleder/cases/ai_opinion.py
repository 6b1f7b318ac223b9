"""When the AI's opinion opens to a reader: first they look, then they see what the AI saw.

By the setting `AI_OPINION` it opens to a dermatologist once they have chosen an impression of the submission or have
asked to see it first (`after_look`), from the start (`always`), or when an answer is signed (`blind`). A photo that comes
later closes it until they look again. While it is closed, pages and API say only what the chip says, and give nothing that
a model computed. A signed case is open to the clinic.
Admins, who answer no case, see it always; patients never.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _

from teleder.accounts.models import User
from teleder.cases.models import (
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

SOONER = "sooner"  # the code of a flag that hides which condition the AI saw


class Opening(StrEnum):
    """The values of `AI_OPINION`."""

    AFTER_LOOK = "after_look"
    ALWAYS = "always"
    BLIND = "blind"


class NotOpenError(IllegalMoveError):
    """The AI's opinion is not open to this reader yet."""

    def __init__(self) -> None:
        super().__init__(when_it_opens())


def when_it_opens() -> str:
    if settings.AI_OPINION == Opening.BLIND:
        return _("This clinic reads blind: the AI's opinion opens when the answer is signed.")
    return _(
        "The AI's opinion opens once you have chosen your impression of all photos, or asked to see it first."
    )


def with_impressions(rows: SubmissionQuerySet, reader: User) -> SubmissionQuerySet:
    """Annotate what this module asks of a row and its reader, so that pages take no further query."""
    own = FirstImpression.objects.filter(submission=OuterRef("pk"), reader=reader, has_newer_photos=False)
    return rows.annotate(**{_name(reader): Subquery(own.values("latest")[:1])})


def _name(reader: User) -> str:
    # With the reader's id, so that a row never answers for another reader.
    return f"impression_of_{str(reader.pk).replace('-', '')}"


def is_open(submission: Submission, reader: User) -> bool:
    if reader.is_patient:
        return False
    if reader.is_admin or settings.AI_OPINION == Opening.ALWAYS or submission.status in WITH_ANSWER:
        return True
    if settings.AI_OPINION == Opening.BLIND:
        return False
    return impression_of(submission, reader) is not None


def require_open(submission: Submission, reader: User) -> None:
    if not is_open(submission, reader):
        raise NotOpenError


def impression_of(submission: Submission, reader: User) -> str | None:
    """Return the reader's impression of all photos: empty where they saw the AI first, None where they have not looked."""
    if hasattr(submission, name := _name(reader)):
        return getattr(submission, name)
    return (
        FirstImpression.objects.filter(submission=submission, reader=reader, has_newer_photos=False)
        .values_list("latest", flat=True)
        .first()
    )


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
    """Keep the impression that `by` has now, which opens the AI's opinion to them; the first one is kept as well."""
    _require_unanswered(submission)
    saw_ai_first = is_open(submission, by)
    chosen = Impression(impression)
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
def see_first(submission: Submission, *, by: User) -> FirstImpression:
    """Open the AI's opinion to `by` without an impression of all photos; the timeline says so. A repeat changes nothing."""
    _require_unanswered(submission)
    if settings.AI_OPINION == Opening.BLIND:
        raise NotOpenError
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
