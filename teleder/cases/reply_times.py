"""How long patients have waited for an answer, measured."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import NamedTuple

from teleder.accounts.models import Clinic
from teleder.cases.models import Review
from teleder.cases.triage import Urgency

LAST_ANSWERS = 50
ENOUGH_ANSWERS = 20
SHARE_IN_TEN = 8


class ReplyTime(NamedTuple):
    """Of the clinic's last `answers` answers, `SHARE_IN_TEN` of ten came within `time`."""

    answers: int
    time: timedelta


def usual_reply_time(clinic: Clinic) -> ReplyTime | None:
    """Measure from sending to the first signature, by the calendar; of cases that were not urgent, which have one promise.

    Returns `None` for fewer than `ENOUGH_ANSWERS`.
    """
    answers = Review.objects.filter(
        submission__clinic=clinic, amends=None, triage_urgency__lte=Urgency.WEEKS_2
    ).order_by("-signed_at")[:LAST_ANSWERS]
    waits = sorted(
        signed - sent for signed, sent in answers.values_list("signed_at", "submission__submitted_at")
    )
    if len(waits) < ENOUGH_ANSWERS:
        return None
    return ReplyTime(len(waits), waits[ceil(len(waits) * SHARE_IN_TEN / 10) - 1])
