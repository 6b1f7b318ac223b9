"""Spot checks: one routine case in so many is due within a working day, to measure what routine cases hide."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, F, Q

from teleder.accounts.models import User
from teleder.cases.counting import recent
from teleder.cases.intervals import Share
from teleder.cases.models import Review, Submission
from teleder.cases.transitions import AWAITING_DERMATOLOGIST
from teleder.cases.triage import Urgency

RESULTS_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class SpotChecks:
    """How many wait, and of those answered as routine cases how many a dermatologist found more urgent."""

    waiting: int
    missed: Share


def results(user: User) -> SpotChecks:
    """Return what the spot checks that `user` may see have shown; of many, up to `RESULTS_SECONDS` ago."""
    return recent(
        "spot-checks", user, RESULTS_SECONDS, lambda: _results(user), rows=lambda found: found.missed.n
    )


def _results(user: User) -> SpotChecks:
    drawn = Submission.objects.visible_to(user).filter(spot_check=True)
    answers = Review.objects.filter(submission__in=drawn, amended_by=None, triage_urgency=Urgency.ROUTINE)
    more_urgent = Q(urgency__gt=F("triage_urgency"))
    found = answers.aggregate(
        n=Count("submission", distinct=True),
        missed=Count("submission", distinct=True, filter=more_urgent),
    )
    waiting = drawn.filter(status__in=AWAITING_DERMATOLOGIST, urgency=Urgency.ROUTINE).count()
    return SpotChecks(waiting=waiting, missed=Share(of=found["missed"], n=found["n"]))
