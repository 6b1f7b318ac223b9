"""The figures of the operations board that are drawn over 24 hours, and the samples that are kept for that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Aggregate, Count, F, FloatField, Min, Q
from django.db.models.functions import Extract
from django.utils import timezone

from contract.messages import Stage
from teleder.accounts.models import Clinic, Role, User
from teleder.cases.alarm_rate import alarm_rate
from teleder.cases.intervals import Share
from teleder.cases.models import BoardSample, Job, JobState, Review, Submission
from teleder.cases.transitions import AWAITING_DERMATOLOGIST
from teleder.pipeline.transitions import UNFINISHED

EVERY = timedelta(minutes=5)
KEPT = timedelta(hours=48)
DAY, HOUR = timedelta(hours=24), timedelta(hours=1)


class Percentile95(Aggregate):
    function, template = "percentile_cont", "%(function)s(0.95) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True)
class Moment:
    """The samples of all clinics that a person sees, at one moment."""

    at: datetime
    waiting: int
    overdue: int
    oldest_seconds: int
    answered: Share
    photo_seconds: float | None
    abstained: Share


def answered_on_time(user: User, now: datetime) -> Share:
    """Of the submissions that were answered in the last 24 hours: those within their due time."""
    rows = Review.objects.filter(
        user.in_own_clinic("submission__clinic"),
        amends=None,
        signed_at__gte=now - DAY,
        submission__last_signed_at__gte=now - DAY,
    ).order_by()
    on_time = Count("pk", filter=Q(signed_at__lte=F("submission__due_at")))
    return Share(**rows.aggregate(of=on_time, n=Count("pk")))


def photo_seconds(user: User, now: datetime) -> float | None:
    """Within how many seconds 95% of the photos of the last hour could be seen, or how long one has waited already."""
    jobs = Job.objects.filter(user.in_own_clinic("photo__submission__clinic"), stage=Stage.PREPARE).order_by()
    took = Percentile95(Extract(F("finished_at") - F("created_at"), "epoch"))
    done = jobs.filter(finished_at__gte=now - HOUR, state=JobState.DONE).aggregate(took=took)["took"]
    first = jobs.filter(state__in=UNFINISHED).aggregate(first=Min("created_at"))["first"]
    waited = (now - first).total_seconds() if first else None
    return max((seconds for seconds in (done, waited) if seconds is not None), default=None)


def take() -> int:
    """Keep one sample of each clinic for every five minutes; return how many were written."""
    now = timezone.now()
    at = datetime.fromtimestamp(
        now.timestamp() // EVERY.total_seconds() * EVERY.total_seconds(), tz=now.tzinfo
    )
    there = set(BoardSample.objects.filter(at=at).values_list("clinic", flat=True))
    rows = [_sample(pk, at, now) for pk in Clinic.objects.values_list("pk", flat=True) if pk not in there]
    if not rows:
        return 0
    BoardSample.objects.filter(at__lt=now - KEPT).delete()
    return len(BoardSample.objects.bulk_create(rows, ignore_conflicts=True))  # two sweepers may be running


def _sample(clinic: object, at: datetime, now: datetime) -> BoardSample:
    user = User(role=Role.ADMIN, clinic_id=clinic)  # who sees this clinic; never stored
    waiting = Submission.objects.filter(clinic=clinic, status__in=AWAITING_DERMATOLOGIST).aggregate(
        waiting=Count("pk"), overdue=Count("pk", filter=Q(due_at__lt=now)), oldest=Min("submitted_at")
    )
    oldest = waiting.pop("oldest")
    answered, silent = answered_on_time(user, now), alarm_rate(user).abstained
    return BoardSample(
        clinic_id=clinic,
        at=at,
        **waiting,
        oldest_seconds=max(0, int((now - oldest).total_seconds())) if oldest else 0,
        answered=answered.n,
        on_time=answered.of,
        photo_seconds=photo_seconds(user, now),
        photos=silent.n,
        abstained=silent.of,
    )


def of_the_day(user: User, now: datetime) -> list[Moment]:
    """The last 24 hours, the oldest first; clinics that are seen together are counted together."""
    found: dict[datetime, list[BoardSample]] = {}
    for row in BoardSample.objects.visible_to(user).filter(at__gte=now - DAY).order_by("at"):
        found.setdefault(row.at, []).append(row)
    return [_together(at, rows) for at, rows in found.items()]


def _together(at: datetime, rows: list[BoardSample]) -> Moment:
    seconds = [row.photo_seconds for row in rows if row.photo_seconds is not None]
    return Moment(
        at=at,
        waiting=sum(row.waiting for row in rows),
        overdue=sum(row.overdue for row in rows),
        oldest_seconds=max(row.oldest_seconds for row in rows),
        answered=Share(of=sum(row.on_time for row in rows), n=sum(row.answered for row in rows)),
        photo_seconds=max(seconds, default=None),
        abstained=Share(of=sum(row.abstained for row in rows), n=sum(row.photos for row in rows)),
    )
