"""Spot checks: one routine case in so many is due within a working day, to measure what routine cases hide."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, F, Q

from teleder.accounts.models import User
from teleder.cases.counting import recent
from teleder.cases.intervals import Share
from teleder.cases.models import Submission
from teleder.cases.transitions import AWAITING_DERMATOLOGIST
from teleder.cases.triage import Urgency

RESULTS_SECONDS = 600  # a million submissions have 35,000 answered spot checks, which take 2 s to count


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
    answered = Q(
        reviews__isnull=False,
        reviews__amended_by=None,
        reviews__taken_back=None,
        reviews__triage_urgency=Urgency.ROUTINE,
    )
    more_urgent = answered & Q(reviews__urgency__gt=F("reviews__triage_urgency"))
    waits = Q(status__in=AWAITING_DERMATOLOGIST, urgency=Urgency.ROUTINE)
    counted = {"n": answered, "missed": more_urgent, "waiting": waits}
    found = (
        Submission.objects.visible_to(user)
        .filter(spot_check=True)
        .aggregate(**{name: Count("pk", distinct=True, filter=which) for name, which in counted.items()})
    )
    return SpotChecks(waiting=found["waiting"], missed=Share(of=found["missed"], n=found["n"]))
