"""The state of the work, for an admin: counts by stage, active workers, and problems."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.db.models import Count, Exists, Max, Min, Q
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from contract import messaging
from contract.messages import Stage
from teleder.accounts.models import Clinic, User
from teleder.cases import spot_checks
from teleder.cases.alarm_rate import AlarmRate, alarm_rate
from teleder.cases.counting import recent
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
DAY_SECONDS, WAITING_SECONDS = 30, 5  # how old figures over many rows may be
STAGES = {
    Stage.PREPARE: gettext_lazy("prepare photos"),
    Stage.ANALYSE: gettext_lazy("analyse photos"),
    Stage.CHECK: gettext_lazy("check the photos of drafts"),
    Stage.DISTANCE: gettext_lazy("check other distances"),
}


@dataclass(frozen=True)
class Problem:
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
    unfinished, of_day = unfinished_jobs(user), jobs_of_the_day(user, now)
    seen = {
        "stages": _stages(unfinished, of_day),
        "results_waiting": results_waiting(),
        "submissions": submissions(user, now),
        "workers": _workers(unfinished, of_day),
        "messages": messages(user),
        "refused": refusals.lately(),
        "alarm_rate": alarm_rate(user),
        "spot_checks": spot_checks.results(user),
    }
    return Board(**seen, problems=find_problems(now, **seen))


def unfinished_jobs(user: User) -> list[dict[str, Any]]:
    """Count the jobs that wait, run or have stopped, by stage, state and worker, with the creation of the oldest."""
    jobs = Job.objects.visible_to(user).filter(state__in=(*UNFINISHED, *NEEDS_ADMIN)).order_by()
    rows = jobs.values("stage", "state", "worker").annotate(n=Count("id"), oldest=Min("created_at"))
    return list(rows)


def jobs_of_the_day(user: User, now: datetime) -> list[dict[str, Any]]:
    """Count the jobs that ended in the last 24 hours, by stage, state and worker, with the end of the last one."""

    def count() -> list[dict[str, Any]]:
        jobs = Job.objects.visible_to(user).filter(finished_at__gte=now - DAY).order_by()
        return list(jobs.values("stage", "state", "worker").annotate(n=Count("id"), last=Max("finished_at")))

    return recent("day", user, DAY_SECONDS, count, rows=lambda found: sum(row["n"] for row in found))


def stages(user: User, now: datetime) -> list[dict[str, Any]]:
    """Return for each stage the number of jobs by state and the start of the oldest unfinished one."""
    return _stages(unfinished_jobs(user), jobs_of_the_day(user, now))


def _stages(unfinished: list[dict[str, Any]], of_day: list[dict[str, Any]]) -> list[dict[str, Any]]:
    states = [state.value for state in (*UNFINISHED, *NEEDS_ADMIN)]
    found = []
    for stage, name in STAGES.items():
        rows = [row for row in unfinished if row["stage"] == stage]
        counts = {state: sum(row["n"] for row in rows if row["state"] == state) for state in states}
        waiting = [row["oldest"] for row in rows if row["state"] in UNFINISHED]
        done = [row["n"] for row in of_day if (row["stage"], row["state"]) == (stage, JobState.DONE)]
        found.append(
            {"stage": stage, "name": name, "done": sum(done), "oldest": min(waiting, default=None)} | counts
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


def messages(user: User) -> dict[str, int]:
    unsent = Message.objects.visible_to(user).filter(Q(state__in=UNSENT) | Q(state=MessageState.FAILED))
    return unsent.aggregate(
        queued=Count("id", filter=Q(state__in=UNSENT)),
        failed=Count("id", filter=Q(state=MessageState.FAILED)),
    )


def find_problems(now: datetime, **seen: Any) -> list[Problem]:
    """Return the current problems, the most serious first."""
    found = [
        _broker_away(seen["results_waiting"]),
        *_silent(now, seen["submissions"]),
        _results_pile_up(seen["results_waiting"]),
        _submissions_overdue(seen["submissions"]),
        _jobs_stopped(seen["stages"]),
        _messages_failed(seen["messages"]),
        _messages_refused(seen["refused"]),
        _alarm_rate_outside(seen["alarm_rate"]),
    ]
    return [problem for problem in found if problem is not None]


def _broker_away(results: int | None) -> Problem | None:
    if results is not None:
        return None
    return Problem(
        _("The message broker does not answer."),
        _("Nothing is lost. AI results are delayed; dermatologists answer by the same due time."),
        _("Start Valkey again. The sweeper then sends the waiting jobs."),
    )


def _silent(now: datetime, waiting: dict[str, Any]) -> list[Problem | None]:
    """Return the problems of a sweeper and for workers that do not respond."""
    since = now - timedelta(seconds=SILENCE_SECONDS)
    late = Job.objects.filter(state__in=UNDER_WAY, deadline__lt=now - timedelta(seconds=LATE_SECONDS))
    old = Job.objects.filter(state__in=UNFINISHED, created_at__lt=since)
    old = old.exclude(stage=Stage.DISTANCE)  # a report takes long
    finished = Job.objects.filter(finished_at__gte=since)
    # Asked of one row, whichever: three questions in one query.
    is_late, is_waiting, is_working = Clinic.objects.values_list(
        Exists(late), Exists(old), Exists(finished)
    ).first()
    problem = Problem(
        _("The sweeper does not respond."),
        _("Messages to patients and lost jobs are waiting. Answers are not delayed."),
        _("Start `manage.py sweep` again."),
    )
    return [problem if is_late else None, _workers_silent(waiting) if is_waiting and not is_working else None]


def _workers_silent(waiting: dict[str, Any]) -> Problem:
    n = waiting["for_ai"] + waiting["without_ai"]
    text = ngettext(
        "The inference workers do not respond: %(n)d submission has no AI results.",
        "The inference workers do not respond: %(n)d submissions have no AI results.",
        n,
    )
    return Problem(
        text % {"n": n}
        if n
        else _("The inference workers do not respond: photos of unsent drafts are waiting."),
        _("Nothing changes for patients: a dermatologist answers by the same due time."),
        _("Start the inference workers again. Waiting photos are then sent automatically."),
    )


def _results_pile_up(results: int | None) -> Problem | None:
    if results is None or results < RESULTS_WAITING:
        return None
    return Problem(
        _("%(n)d results are waiting to be recorded.") % {"n": results},
        _("AI findings are delayed. Dermatologists answer by the same due time."),
        _("Start the results worker again."),
    )


def _submissions_overdue(waiting: dict[str, Any]) -> Problem | None:
    if not (n := waiting["overdue"]):
        return None
    text = ngettext("%(n)d submission is overdue.", "%(n)d submissions are overdue.", n) % {"n": n}
    return Problem(text, _("The promised answer is late."), _("Assign them to a dermatologist under Cases."))


def _jobs_stopped(stages: list[dict[str, Any]]) -> Problem | None:
    # A report that failed is asked for again by who wants to read it.
    awaited = [row for stage, row in zip(STAGES, stages, strict=True) if stage != Stage.DISTANCE]
    if not (n := sum(row[state] for row in awaited for state in NEEDS_ADMIN)):
        return None
    text = ngettext("%(n)d job has stopped.", "%(n)d jobs have stopped.", n) % {"n": n}
    return Problem(
        text,
        _("Nothing changes for patients: a dermatologist reads these photos without the AI."),
        _("Check the error below, then requeue the job."),
    )


def _messages_failed(messages: dict[str, int]) -> Problem | None:
    if not (n := messages["failed"]):
        return None
    text = ngettext("%(n)d message could not be delivered.", "%(n)d messages could not be delivered.", n) % {
        "n": n
    }
    return Problem(
        text, _("The recipients see the message in their inbox after log-in."), _("Check the mail server.")
    )


def _messages_refused(n: int) -> Problem | None:
    if not n:
        return None
    text = ngettext(
        "%(n)d message of an inference worker was refused since yesterday.",
        "%(n)d messages of inference workers were refused since yesterday.",
        n,
    )
    return Problem(
        text % {"n": n},
        _(
            "None of their content was stored. The photos are tried again, and dermatologists answer by the same due time."
        ),
        _(
            "The log of the results worker names the worker. Stop it and find out whether it is faulty or compromised."
        ),
    )


def _alarm_rate_outside(rate: AlarmRate) -> Problem | None:
    if not rate.is_outside:
        return None
    text = _(
        "The AI's alarms rang in %(of)d of the newest %(n)d submissions; %(low)d to %(high)d were to be expected."
    )
    return Problem(
        text % {"of": rate.alarmed.of, "n": rate.alarmed.n, "low": rate.low, "high": rate.high},
        _(
            "Cases may be looked at sooner or later than they need. Answers and due times by rules are unaffected."
        ),
        _(
            "Look at a few of the photos. If patients or cameras have not changed, tell whoever answers for the model."
        ),
    )
