"""The state of the work, for an admin: counts and times by stage, active workers, and problems."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    Aggregate,
    Avg,
    Count,
    F,
    FloatField,
    Max,
    Min,
    Q,
)
from django.db.models.functions import Extract
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contract import messaging
from contract.messages import Stage
from teleder.accounts.models import User
from teleder.cases import spot_checks
from teleder.cases.alarm_rate import AlarmRate, alarm_rate
from teleder.cases.counting import recent
from teleder.cases.models import AIStatus, Job, JobState, Submission
from teleder.cases.spot_checks import SpotChecks
from teleder.cases.transitions import AWAITING_DERMATOLOGIST
from teleder.cases.triage import Urgency
from teleder.notifications.models import UNSENT, Message, MessageState
from teleder.pipeline import broker
from teleder.pipeline.transitions import NEEDS_ADMIN, UNFINISHED
from teleder.web.operations.problems import (
    Problem,
    SignsOfLife,
    find_problems,
    signs_of_life,
)
from teleder.web.operations.storage import StorageState, storage_state

DAY, HOUR = timedelta(hours=24), timedelta(hours=1)
DAY_SECONDS, WAITING_SECONDS = 30, 5  # how old figures over many rows may be
STAGES = {
    Stage.PREPARE: gettext_lazy("prepare photos"),
    Stage.FULL: gettext_lazy("make full-size copies"),
    Stage.ANALYSE: gettext_lazy("analyse photos"),
    Stage.CHECK: gettext_lazy("check the photos of drafts"),
    Stage.DISTANCE: gettext_lazy("check other distances"),
    Stage.REANALYSE: gettext_lazy("analyse drawn crops"),
}


@dataclass(frozen=True)
class Board:
    stages: list[dict[str, Any]]
    waiting_jobs: list[dict[str, Any]]  # unfinished and stopped ones by stage, state and urgency
    results_waiting: int | None  # None: the broker does not answer
    submissions: dict[str, Any]
    unseen: int  # cases with photos that cannot be seen
    cancelled: int  # jobs that somebody has to run again
    workers: list[dict[str, Any]]
    messages: dict[str, Any]
    refused: int  # messages of workers, since yesterday
    alarm_rate: AlarmRate
    spot_checks: SpotChecks
    storage: StorageState
    problems: list[Problem]

    @property
    def sentence(self) -> str:
        if self.problems:
            return self.problems[0].words
        oldest = min((stage["oldest"] for stage in self.stages if stage["oldest"]), default=None)
        if oldest is None:
            return _("Everything works. No photo is waiting for the AI.")
        return _("Everything works. The oldest photo has been waiting for %(time)s.") % {
            "time": timesince(oldest)
        }


def board(user: User) -> Board:
    """Count what `user` may see; broker and processes serve all clinics together."""
    now = timezone.now()
    unfinished, of_day, results = unfinished_jobs(user), jobs_of_the_day(user, now), results_waiting()
    signs = signs_of_life(now, user, broker_answers=results is not None)
    seen = {
        "stages": _with_silence(_stages(unfinished, of_day, stage_times(user, now)), signs),
        "results_waiting": results,
        "submissions": submissions(user, now),
        "unseen": signs.unseen,
        "cancelled": signs.cancelled,
        "workers": _workers(unfinished, of_day),
        "messages": messages(user),
        "refused": signs.refused,
        "alarm_rate": alarm_rate(user),
        "spot_checks": spot_checks.results(user),
        "storage": storage_state(now),
    }
    return Board(**seen, waiting_jobs=_by_urgency(unfinished), problems=find_problems(signs, **seen))


def _with_silence(stages: list[dict[str, Any]], signs: SignsOfLife) -> list[dict[str, Any]]:
    silent = {
        Stage.PREPARE: signs.prepare_is_silent,
        Stage.FULL: signs.prepare_is_silent,
        Stage.ANALYSE: signs.inference_is_silent,
        Stage.CHECK: signs.inference_is_silent,
    }
    return [row | {"is_silent": silent.get(row["stage"], False)} for row in stages]


def unfinished_jobs(user: User) -> list[dict[str, Any]]:
    """Count the jobs that wait, run or have stopped, by stage, state, worker and urgency, with the creation of the oldest."""
    jobs = Job.objects.visible_to(user).filter(state__in=(*UNFINISHED, *NEEDS_ADMIN)).order_by()
    rows = jobs.values("stage", "state", "worker", "priority").annotate(
        n=Count("id"), oldest=Min("created_at")
    )
    return list(rows)


def _by_urgency(unfinished: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in unfinished:
        same = found.setdefault(
            (row["stage"], row["state"], row["priority"]),
            {"stage": row["stage"], "state": row["state"], "urgency": Urgency(row["priority"]).code, "n": 0},
        )
        same["n"] += row["n"]
        same["oldest"] = min(row["oldest"], same.get("oldest", row["oldest"]))
    return list(found.values())


class Percentile(Aggregate):
    """The median and the 95th percentile, as a list."""

    function, template = (
        "percentile_cont",
        "%(function)s(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY %(expressions)s)",
    )
    output_field = ArrayField(FloatField())


def stage_times(user: User, now: datetime) -> dict[str, dict[str, Any]]:
    """Return by stage what the jobs of the last hour that were done needed: `wait` until they were sent, then `work`.

    Both, and `took` from the beginning to the end, are [median, 95th percentile] in seconds; `batch` is the mean number of photos in a job's message.
    """

    def measure() -> list[dict[str, Any]]:
        done = (
            Job.objects.visible_to(user).filter(finished_at__gte=now - HOUR, state=JobState.DONE).order_by()
        )
        return list(
            done.values("stage").annotate(
                n=Count("id"),
                wait=Percentile(Extract(F("sent_at") - F("created_at"), "epoch")),
                work=Percentile(Extract(F("finished_at") - F("sent_at"), "epoch")),
                took=Percentile(Extract(F("finished_at") - F("created_at"), "epoch")),
                batch=Avg("batch"),
            )
        )

    found = recent("times", user, DAY_SECONDS, measure, rows=lambda found: sum(row["n"] for row in found))
    return {row["stage"]: row for row in found}


def jobs_of_the_day(user: User, now: datetime) -> list[dict[str, Any]]:
    """Count the jobs that ended in the last 24 hours, by stage, state and worker, with the end of the last one."""

    def count() -> list[dict[str, Any]]:
        jobs = Job.objects.visible_to(user).filter(finished_at__gte=now - DAY).order_by()
        return list(jobs.values("stage", "state", "worker").annotate(n=Count("id"), last=Max("finished_at")))

    return recent("day", user, DAY_SECONDS, count, rows=lambda found: sum(row["n"] for row in found))


def stages(user: User, now: datetime) -> list[dict[str, Any]]:
    """Return for each stage the number of jobs by state and the start of the oldest unfinished one."""
    return _stages(unfinished_jobs(user), jobs_of_the_day(user, now), stage_times(user, now))


def _stages(
    unfinished: list[dict[str, Any]], of_day: list[dict[str, Any]], times: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    states = [state.value for state in (*UNFINISHED, *NEEDS_ADMIN)]
    found = []
    for stage, name in STAGES.items():
        rows = [row for row in unfinished if row["stage"] == stage]
        counts = {state: sum(row["n"] for row in rows if row["state"] == state) for state in states}
        waiting = [row["oldest"] for row in rows if row["state"] in UNFINISHED]
        done = [row["n"] for row in of_day if (row["stage"], row["state"]) == (stage, JobState.DONE)]
        needed = {name: times.get(stage, {}).get(name) for name in ("wait", "work", "took", "batch")}
        needed["per_minute"] = times.get(stage, {}).get("n", 0) / 60
        stopped = sum(counts[state] for state in NEEDS_ADMIN)
        found.append(
            {
                "stage": stage,
                "name": name,
                "done": sum(done),
                "stopped": stopped,
                "oldest": min(waiting, default=None),
            }
            | counts
            | needed
        )
    return found


def results_waiting() -> int | None:
    """Return the number of results waiting to be recorded; `None` when the broker does not answer."""
    try:
        return sum(map(messaging.client(settings.REDIS_URL, "request").llen, broker.RESULTS_QUEUES))
    except redis.RedisError:
        return None


def submissions(user: User, now: datetime) -> dict[str, Any]:
    """Count the submissions that wait for a dermatologist."""
    rows = Submission.objects.visible_to(user).filter(status__in=AWAITING_DERMATOLOGIST)

    def count() -> dict[str, Any]:
        return rows.aggregate(
            waiting=Count("id"),
            for_ai=Count("id", filter=Q(ai_status=AIStatus.WAITING)),
            without_ai=Count("id", filter=Q(ai_status=AIStatus.UNAVAILABLE)),
            overdue=Count("id", filter=Q(due_at__lt=now)),
            oldest=Min("submitted_at"),
        )

    return recent("waiting", user, WAITING_SECONDS, count, rows=lambda found: found["waiting"])


def workers(user: User, now: datetime) -> list[dict[str, Any]]:
    """Return the workers that finished or hold a job in the last 24 hours, with their last result."""
    return _workers(unfinished_jobs(user), jobs_of_the_day(user, now))


def _workers(unfinished: list[dict[str, Any]], of_day: list[dict[str, Any]]) -> list[dict[str, Any]]:
    held = [row for row in unfinished if row["state"] == JobState.STARTED]
    found = []
    for worker in sorted({row["worker"] for row in (*held, *of_day)} - {""}):
        own = [row for row in of_day if row["worker"] == worker]
        found.append(
            {
                "worker": worker,
                "last": max((row["last"] for row in own), default=None),
                "done": sum(row["n"] for row in own if row["state"] == JobState.DONE),
                "busy": sum(row["n"] for row in held if row["worker"] == worker),
            }
        )
    return found


def messages(user: User) -> dict[str, Any]:
    unsent = Message.objects.visible_to(user).filter(Q(state__in=UNSENT) | Q(state=MessageState.FAILED))
    return unsent.aggregate(
        queued=Count("id", filter=Q(state__in=UNSENT)),
        failed=Count("id", filter=Q(state=MessageState.FAILED)),
        oldest=Min("created_at", filter=Q(state__in=UNSENT)),
    )
