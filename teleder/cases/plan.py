"""The plan that a dermatologist signs with an answer, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from teleder.accounts.text import clean_line
from teleder.cases.models import Review, Submission
from teleder.cases.transitions import WITH_ANSWER

LATEST_PHOTO_DAYS = 366
LINES, LINE_LENGTH = 8, 300


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the patient is to do, line by line; `next_photo_on` is a day on the patient's calendar."""

    today: Sequence[str] = ()
    this_week: Sequence[str] = ()
    next_photo_on: date | None = None

    def columns(self) -> dict[str, Any]:
        """Return the columns of a review, without empty lines.

        Raises `ValidationError` for too many or too long lines, and for a day that is not after today, or too far off.
        """
        now, errors = clinic_day(), {}
        lists = {"today": _lines(self.today), "this_week": _lines(self.this_week)}
        for name, lines in lists.items():
            if len(lines) > LINES or any(len(line) > LINE_LENGTH for line in lines):
                errors[name] = _("At most %(lines)d lines of %(letters)d letters, please.") % {
                    "lines": LINES,
                    "letters": LINE_LENGTH,
                }
        if self.next_photo_on and not now < self.next_photo_on <= now + timedelta(days=LATEST_PHOTO_DAYS):
            errors["next_photo_on"] = _("Please choose a day after today, within one year.")
        if errors:
            raise ValidationError(errors)
        return {**lists, "next_photo_on": self.next_photo_on}


def _lines(lines: Sequence[str]) -> list[str]:
    return [line for line in (clean_line(each).strip() for each in lines) if line]


NO_PLAN = Plan()


def clinic_day() -> date:
    return timezone.localdate(timezone=timezone.get_default_timezone())


def waiting_for_photos() -> Any:
    """Return the reviews whose next photos were not sent yet: in force, and without a newer submission in their case."""
    newer = Submission.objects.filter(
        case=OuterRef("submission__case"), submitted_at__gt=OuterRef("signed_at")
    )
    rows = Review.objects.filter(amended_by=None, taken_back=None, submission__status__in=WITH_ANSWER)
    return rows.exclude(next_photo_on=None).exclude(Exists(newer))
