"""One line of the worklist: the text of every cell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache, cached_property
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from teleder.accounts.models import Relation, User
from teleder.cases import verdict
from teleder.cases.models import Kind, Photo, PhotoState, Status, Submission
from teleder.cases.questionnaire import ADULT_YEARS
from teleder.cases.triage import Urgency
from teleder.cases.verdict import Chip, Verdict
from teleder.web import wording
from teleder.web.clinician.due_times import due_text as due_text
from teleder.web.clinician.due_times import time_left

NEWBORN_DAYS, IN_MONTHS_BELOW_YEARS = 28, 2
# Below which age in years a child is called what.
AGE_BANDS = (
    (1, gettext_lazy("baby")),
    (6, gettext_lazy("small child")),
    (12, gettext_lazy("school child")),
    (ADULT_YEARS, gettext_lazy("teenager")),
)
BANDS_FROM_YEARS = 10  # a child has its age, an older person a band
QUESTION_LEVEL = Urgency.DAYS_2  # of a question: its reply is due after two staffed days
NO_ID = str(UUID(int=0))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHOWN_REASONS = 3
# Each word of the AI with its icon and the look of its chip.
CHIPS = {
    Chip.SOONER: ("warn", "chip-alert"),
    Chip.OPINION: ("eye-off", ""),
    Chip.SILENT: ("minus", "chip-none"),
    Chip.WAITING: ("clock", "chip-none"),
    Chip.STOPPED: ("close", "chip-none"),
}


class Row:
    """One submission on the worklist, with the text of every cell."""

    def __init__(self, submission: Submission, reader: User, may_name: Callable[[Any], bool]) -> None:
        self.submission, self.reader, self.may_name = submission, reader, may_name
        self.photos: list[Photo] = submission.shown_photos

    @property
    def thumbnail(self) -> Photo | None:
        return next((photo for photo in self.photos if photo.thumbnail_key), None)

    @property
    def place(self) -> str:
        """Where on the body it is."""
        return self.submission.case.place_names

    @property
    def level(self) -> Urgency:
        """Under which level it stands: a question has that of its reply."""
        return self.submission.level if self.submission.is_open else QUESTION_LEVEL

    @cached_property
    def about(self) -> str:
        """Where on the body it is, and whose: a child's age, an older person's band."""
        return " · ".join(filter(None, [self.place, self.band]))

    @cached_property
    def band(self) -> str:
        return age_band(self.submission.patient)

    @cached_property
    def visit(self) -> str:
        """First or follow-up, and a guardian who writes."""
        kind = str(Kind(self.submission.kind).label)
        return " · ".join(filter(None, [kind, writer_of(self.submission)]))

    @cached_property
    def reasons(self) -> list[str]:
        """Reasons for the urgency, the most urgent first, and before them an open question; the AI has a chip of its own."""
        flags = [f for f in self.submission.flags if f["level"] is not None and f["origin"] != "model"]
        flags.sort(key=lambda flag: -flag["level"])
        asked = [_("the patient asks back")] if self.submission.question_due_at else []
        return asked + list(dict.fromkeys(str(wording.flag_text(flag)) for flag in flags))

    @property
    def why(self) -> str:
        """The first reasons in one line."""
        shown, more = self.reasons[:SHOWN_REASONS], len(self.reasons) - SHOWN_REASONS
        return (_(", ").join(shown) + (f" +{more}" if more > 0 else "")) or _("no reasons")

    @property
    def chip(self) -> tuple[str, str]:
        """Icon and look of the AI's word."""
        return CHIPS.get(self.verdict.chip, ("minus", "chip-none"))

    @cached_property
    def verdict(self) -> Verdict:
        return verdict.verdict_of(self.submission, self.photos, may_name=self.may_name)

    @cached_property
    def quality(self) -> str:
        """The worst known state of the usable photos; of the others if none is usable."""
        photos = [photo for photo in self.photos if photo.state != PhotoState.UNUSABLE] or self.photos
        for state in (PhotoState.UNUSABLE, PhotoState.POOR, PhotoState.STORED):
            for photo in photos:
                if photo.state == state:
                    fault = wording.FAULTS.get(photo.fault) or wording.REASONS.get(photo.reason)
                    return str(fault or state.label)
        return PhotoState.READY.label if photos else _("no photo")

    @property
    def urls(self) -> dict[str, str]:
        """Return the addresses of the pages of the row, and of its thumbnail, also the blurred one."""
        pk, photo = str(self.submission.pk), self.thumbnail
        names = ("review", "claim", "row_preview", "end_snooze")
        found = {name: address(f"web:{name}").replace(NO_ID, pk) for name in names}
        if photo:
            kinds = ("thumbnail", *(["veiled"] if photo.veiled_key else []))
            found |= {kind: address("web:photo", kind).replace(NO_ID, str(photo.pk)) for kind in kinds}
        return found

    @property
    def quality_is_poor(self) -> bool:
        return any(photo.state in (PhotoState.POOR, PhotoState.UNUSABLE) for photo in self.photos)

    @property
    def is_mine(self) -> bool:
        return self.submission.claimed_by_id == self.reader.pk

    @property
    def is_free(self) -> bool:
        return self.submission.status == Status.SUBMITTED

    @property
    def is_snoozed(self) -> bool:
        until = self.submission.snoozed_until
        return (
            until is not None
            and until > timezone.now()
            and self.is_free
            and self.submission.urgency < Urgency.SAME_DAY
        )

    @property
    def left(self) -> str:
        return left_text(self.submission.due_at)

    @property
    def on_hold(self) -> str:
        return time_left(self.submission)

    @property
    def is_soon(self) -> bool:
        return self.submission.due_at - timezone.now() < HOUR

    @property
    def reply_due(self) -> str:
        return due_text(self.submission.question_due_at)


@cache
def address(name: str, *more: str) -> str:
    """Return the address of a row's page with `NO_ID` in the place of the id: finding it takes long, for fifty rows."""
    return reverse(name, args=[NO_ID, *more])


def age_band(patient: User) -> str:
    """Return the decade of an adult's age, "teens", or a child's age."""
    profile = getattr(patient, "patient", None)
    if profile is None or profile.age < BANDS_FROM_YEARS:
        return age_of(patient)
    decade = profile.age // 10 * 10
    return _("teens") if decade == BANDS_FROM_YEARS else _("%(n)ds") % {"n": decade}


def age_of(patient: User) -> str:
    """Return the age; of a child whose date of birth is known with its band, and months before the second birthday."""
    profile = getattr(patient, "patient", None)
    if profile is None:
        return ""
    years, born = profile.age, profile.birth_date
    text = ngettext("%(n)d year old", "%(n)d years old", years) % {"n": years}
    if born is None or years >= ADULT_YEARS:
        return text
    today = timezone.localdate()
    if years < IN_MONTHS_BELOW_YEARS:
        months = 12 * (today.year - born.year) + today.month - born.month - (today.day < born.day)
        text = ngettext("%(n)d month old", "%(n)d months old", months) % {"n": months}
    is_newborn = (today - born).days < NEWBORN_DAYS
    band = _("newborn") if is_newborn else next(name for below, name in AGE_BANDS if years < below)
    return _("%(age)s (%(band)s)") % {"age": text, "band": band}


def writer_of(submission: Submission) -> str:
    if not submission.written_by:
        return ""
    return _("written by: %(relation)s") % {"relation": Relation(submission.written_by).label}


def left_text(due: datetime) -> str:
    """Return how much time is left until an answer is due, as exact as it matters."""
    left = due - timezone.now()
    if left < timedelta():
        return due_text(due)
    if left < HOUR:
        return _("%(n)d min left") % {"n": left.seconds // 60}
    if left < DAY:
        return _("%(time)s left") % {"time": f"{left.seconds // 3600}:{left.seconds // 60 % 60:02}"}
    return ngettext("%(n)d day left", "%(n)d days left", left.days) % {"n": left.days}
