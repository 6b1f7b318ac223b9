"""The state of the work, for an admin: counts by stage, active workers, and alarms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import redis
from django.db.models import Count, Max, Min, Q
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from contract.messages import Stage
from teleder.accounts.models import User
from teleder.cases import spot_checks
from teleder.cases.alarm_rate import AlarmRate, alarm_rate
from teleder.cases.models import AIStatus, Job, JobState, Submission
from teleder.cases.spot_checks import SpotChecks
from teleder.cases.transitions import AWAITING_DERMATOLOGIST
from teleder.notifications.models import UNSENT, Message, MessageState
from teleder.pipeline import broker, refusals
from teleder.pipeline.transitions import NEEDS_ADMIN, UNDER_WAY, UNFINISHED

SILENCE_SECONDS = 60  # without a result while work waits, the workers count as silent
LATE_SECONDS = 30  # after a missed deadline, the sweeper counts as stopped
RESULTS_WAITING = 50
DAY = timedelta(hours=24)
STAGES = {
    Stage.PREPARE: gettext_lazy("prepare photos"),
    Stage.ANALYSE: gettext_lazy("analyse photos"),
    Stage.CHECK: gettext_lazy("check the photos of drafts"),
    Stage.DISTANCE: gettext_lazy("check other distances"),
}


@dataclass(frozen=True)
class Alarm:
    """What is wrong, the effect on patients, and the remedy."""

    words: str
    patients: str
    remedy: str


@dataclass(frozen=True)
class Board:
    stages: list[dict[str, Any]]
    results_waiting: int | None  # None: the broker does not answer
    submissions: dict[str, Any]
    workers: list[dict[str, Any]]
    messages: dict[str, int]
    refused: int  # messages of workers, since yesterday
    alarm_rate: AlarmRate
    spot_checks: SpotChecks
    alarms: list[Alarm]

    @property
    def sentence(self) -> str:
        if self.alarms:
            return self.alarms[0].words
        oldest = min((stage["oldest"] for stage in self.stages if stage["oldest"]), default=None)
        if oldest is None:
            return _("Everything works. No photo is waiting for the AI.")
        return _("Everything works. The oldest photo has been waiting for %(time)s.") % {
            "time": timesince(oldest)
        }


def board(user: User) -> Board:
    """Count what `user` may see; broker and processes serve all clinics together."""
    now = timezone.now()
    seen = {
        "stages": stages(user, now),
        "results_waiting": results_waiting(),
        "submissions": submissions(user, now),
        "workers": workers(user, now),
        "messages": messages(user),
        "refused": refusals.lately(),
        "alarm_rate": alarm_rate(user),
        "spot_checks": spot_checks.results(user),
    }
    return Board(**seen, alarms=alarms(now, **seen))


def stages(user: User, now: datetime) -> list[dict[str, Any]]:
    """Return for each stage the number of jobs by state and the start of the oldest unfinished one."""
    by_state = {state.value: Count("id", filter=Q(state=state)) for state in (*UNFINISHED, *NEEDS_ADMIN)}
    done = Count("id", filter=Q(state=JobState.DONE, finished_at__gte=now - DAY))
    oldest = Min("created_at", filter=Q(state__in=UNFINISHED))
    rows = {
        row["stage"]: row
        for row in Job.objects.visible_to(user)
        .values("stage")
        .annotate(**by_state, done=done, oldest=oldest)
        .order_by()
    }
    empty = dict.fromkeys((*by_state, "done"), 0) | {"oldest": None}
    return [rows.get(stage, empty) | {"name": name} for stage, name in STAGES.items()]


def results_waiting() -> int | None:
    """Return the number of results waiting to be recorded; `None` when the broker does not answer."""
    try:
        return sum(map(broker.connect().llen, broker.RESULTS_QUEUES))
    except redis.RedisError:
        return None


def submissions(user: User, now: datetime) -> dict[str, Any]:
    return (
        Submission.objects.visible_to(user)
        .filter(status__in=AWAITING_DERMATOLOGIST)
        .aggregate(
            waiting=Count("id"),
            for_ai=Count("id", filter=Q(ai_status=AIStatus.WAITING)),
            without_ai=Count("id", filter=Q(ai_status=AIStatus.UNAVAILABLE)),
            overdue=Count("id", filter=Q(due_at__lt=now)),
            oldest=Min("submitted_at"),
        )
    )


def workers(user: User, now: datetime) -> list[dict[str, Any]]:
    """Return the workers that finished or hold a job in the last 24 hours, with their last result."""
    recent = Job.objects.visible_to(user).exclude(worker="")
    recent = recent.filter(Q(finished_at__gte=now - DAY) | Q(state=JobState.STARTED))
    rows = recent.values("worker").annotate(
        last=Max("finished_at"),
        done=Count("id", filter=Q(state=JobState.DONE)),
        busy=Count("id", filter=Q(state=JobState.STARTED)),
    )
    return list(rows.order_by("worker"))


def messages(user: User) -> dict[str, int]:
    return Message.objects.visible_to(user).aggregate(
        queued=Count("id", filter=Q(state__in=UNSENT)),
        failed=Count("id", filter=Q(state=MessageState.FAILED)),
    )


def alarms(now: datetime, **seen: Any) -> list[Alarm]:
    """Return the current alarms, the most serious first."""
    found = [
        _broker_away(seen["results_waiting"]),
        _sweeper_silent(now),
        _workers_silent(now, seen["submissions"]),
        _results_pile_up(seen["results_waiting"]),
        _submissions_overdue(seen["submissions"]),
        _jobs_stopped(seen["stages"]),
        _messages_failed(seen["messages"]),
        _messages_refused(seen["refused"]),
        _alarm_rate_outside(seen["alarm_rate"]),
    ]
    return [alarm for alarm in found if alarm is not None]


def _broker_away(results: int | None) -> Alarm | None:
    if results is not None:
        return None
    return Alarm(
        _("The message broker does not answer."),
        _("Nothing is lost. AI results are delayed; dermatologists answer by the same due time."),
        _("Start Valkey again. The sweeper then sends the waiting jobs."),
    )


def _sweeper_silent(now: datetime) -> Alarm | None:
    late = Job.objects.filter(state__in=UNDER_WAY, deadline__lt=now - timedelta(seconds=LATE_SECONDS))
    if not late.exists():
        return None
    return Alarm(
        _("The sweeper does not respond."),
        _("Messages to patients and lost jobs are waiting. Answers are not delayed."),
        _("Start `manage.py sweep` again."),
    )


def _workers_silent(now: datetime, waiting: dict[str, Any]) -> Alarm | None:
    since = now - timedelta(seconds=SILENCE_SECONDS)
    late = Job.objects.filter(state__in=UNFINISHED, created_at__lt=since)
    is_waiting = late.exclude(stage=Stage.DISTANCE).exists()  # a report takes long
    last = Job.objects.aggregate(last=Max("finished_at"))["last"]
    if not is_waiting or (last and last >= since):
        return None
    n = waiting["for_ai"] + waiting["without_ai"]
    text = ngettext(
        "The inference workers do not respond: %(n)d submission has no AI results.",
        "The inference workers do not respond: %(n)d submissions have no AI results.",
        n,
    )
    return Alarm(
        text % {"n": n}
        if n
        else _("The inference workers do not respond: photos of unsent drafts are waiting."),
        _("Nothing changes for patients: a dermatologist answers by the same due time."),
        _("Start the inference workers again. Waiting photos are then sent automatically."),
    )


def _results_pile_up(results: int | None) -> Alarm | None:
    if results is None or results < RESULTS_WAITING:
        return None
    return Alarm(
        _("%(n)d results are waiting to be recorded.") % {"n": results},
        _("AI findings are delayed. Dermatologists answer by the same due time."),
        _("Start the results worker again."),
    )


def _submissions_overdue(waiting: dict[str, Any]) -> Alarm | None:
    if not (n := waiting["overdue"]):
        return None
    text = ngettext("%(n)d submission is overdue.", "%(n)d submissions are overdue.", n) % {"n": n}
    return Alarm(text, _("The promised answer is late."), _("Assign them to a dermatologist under Cases."))


def _jobs_stopped(stages: list[dict[str, Any]]) -> Alarm | None:
    # A report that failed is asked for again by who wants to read it.
    awaited = [row for stage, row in zip(STAGES, stages, strict=True) if stage != Stage.DISTANCE]
    if not (n := sum(row[state] for row in awaited for state in NEEDS_ADMIN)):
        return None
    text = ngettext("%(n)d job has stopped.", "%(n)d jobs have stopped.", n) % {"n": n}
    return Alarm(
        text,
        _("Nothing changes for patients: a dermatologist reads these photos without the AI."),
        _("Check the error below, then requeue the job."),
    )


def _messages_failed(messages: dict[str, int]) -> Alarm | None:
    if not (n := messages["failed"]):
        return None
    text = ngettext("%(n)d message could not be delivered.", "%(n)d messages could not be delivered.", n) % {
        "n": n
    }
    return Alarm(
        text, _("The recipients see the message in their inbox after log-in."), _("Check the mail server.")
    )


def _messages_refused(n: int) -> Alarm | None:
    if not n:
        return None
    text = ngettext(
        "%(n)d message of an inference worker was refused since yesterday.",
        "%(n)d messages of inference workers were refused since yesterday.",
        n,
    )
    return Alarm(
        text % {"n": n},
        _(
            "None of their content was stored. The photos are tried again, and dermatologists answer by the same due time."
        ),
        _(
            "The log of the results worker names the worker. Stop it and find out whether it is faulty or compromised."
        ),
    )


def _alarm_rate_outside(rate: AlarmRate) -> Alarm | None:
    if not rate.is_outside:
        return None
    text = _(
        "The AI's alarms rang in %(of)d of the newest %(n)d submissions; %(low)d to %(high)d were to be expected."
    )
    return Alarm(
        text % {"of": rate.alarmed.of, "n": rate.alarmed.n, "low": rate.low, "high": rate.high},
        _(
            "Cases may be looked at sooner or later than they need. Answers and due times by rules are unaffected."
        ),
        _(
            "Look at a few of the photos. If patients or cameras have not changed, tell whoever answers for the model."
        ),
    )
