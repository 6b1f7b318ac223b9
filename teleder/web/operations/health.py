"""How the work is going, for an admin: counts by stage, who was last heard, and what needs a hand."""

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

from contract.messages import RESULTS_QUEUE, Stage
from teleder.accounts.models import User
from teleder.cases.models import (
    AWAITING_DERMATOLOGIST,
    UNDER_WAY,
    UNFINISHED,
    AIStatus,
    Job,
    JobState,
    Submission,
)
from teleder.notifications.models import Message, MessageState
from teleder.pipeline import broker, refusals

SILENCE_SECONDS = 60  # work waits and no result came for so long: the workers are silent
LATE_SECONDS = 30  # a deadline passed so long ago that the sweeper cannot be running
RESULTS_WAITING = 50
DAY = timedelta(hours=24)
STAGES = {
    Stage.PREPARE: gettext_lazy("prepare photos"),
    Stage.SEGMENT: gettext_lazy("find skin and lesion"),
    Stage.CLASSIFY: gettext_lazy("name the condition"),
}
STOPPED = (JobState.FAILED, JobState.QUARANTINED)


@dataclass(frozen=True)
class Alarm:
    """What is wrong, what patients see of it, and what helps."""

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
    alarms: list[Alarm]

    @property
    def sentence(self) -> str:
        if self.alarms:
            return self.alarms[0].words
        oldest = min((stage["oldest"] for stage in self.stages if stage["oldest"]), default=None)
        if oldest is None:
            return _("Everything works. No photo waits for the AI.")
        return _("Everything works. The oldest photo has waited %(time)s.") % {"time": timesince(oldest)}


def board(user: User) -> Board:
    """Count what `user` may see; the broker and the processes serve all clinics together."""
    now = timezone.now()
    seen = {
        "stages": stages(user, now),
        "results_waiting": results_waiting(),
        "submissions": submissions(user, now),
        "workers": workers(user, now),
        "messages": messages(user),
        "refused": refusals.lately(),
    }
    return Board(**seen, alarms=alarms(now, **seen))


def stages(user: User, now: datetime) -> list[dict[str, Any]]:
    """Return per stage how many jobs are in each state, and since when the oldest unfinished one waits."""
    by_state = {state.value: Count("id", filter=Q(state=state)) for state in (*UNFINISHED, *STOPPED)}
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
    """Return how many results wait to be recorded; `None` when the broker does not answer."""
    try:
        return broker.connect().llen(RESULTS_QUEUE)
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
    """Return who finished or holds a job in the last 24 hours, by name, with when they were last heard."""
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
        queued=Count("id", filter=Q(state__in=[MessageState.QUEUED, MessageState.SENDING])),
        failed=Count("id", filter=Q(state=MessageState.FAILED)),
    )


def alarms(now: datetime, **seen: Any) -> list[Alarm]:
    """Return what needs a hand, the gravest first."""
    found = [
        _broker_away(seen["results_waiting"]),
        _sweeper_silent(now),
        _workers_silent(now, seen["submissions"]),
        _results_pile_up(seen["results_waiting"]),
        _submissions_overdue(seen["submissions"]),
        _jobs_stopped(seen["stages"]),
        _messages_failed(seen["messages"]),
        _messages_refused(seen["refused"]),
    ]
    return [alarm for alarm in found if alarm is not None]


def _broker_away(results: int | None) -> Alarm | None:
    if results is not None:
        return None
    return Alarm(
        _("The message broker does not answer."),
        _("Nothing is lost. The AI reads later; people answer in the same time."),
        _("Start Valkey again. The sweeper then sends what waits."),
    )


def _sweeper_silent(now: datetime) -> Alarm | None:
    late = Job.objects.filter(state__in=UNDER_WAY, deadline__lt=now - timedelta(seconds=LATE_SECONDS))
    if not late.exists():
        return None
    return Alarm(
        _("The sweeper is silent."),
        _("Messages to patients and lost photos wait. Answers are not held back."),
        _("Start `manage.py sweep` again."),
    )


def _workers_silent(now: datetime, waiting: dict[str, Any]) -> Alarm | None:
    since = now - timedelta(seconds=SILENCE_SECONDS)
    is_waiting = Job.objects.filter(state__in=UNFINISHED, created_at__lt=since).exists()
    last = Job.objects.aggregate(last=Max("finished_at"))["last"]
    if not is_waiting or (last and last >= since):
        return None
    n = waiting["for_ai"] + waiting["without_ai"]
    words = ngettext(
        "The inference workers are silent: %(n)d submission is without AI.",
        "The inference workers are silent: %(n)d submissions are without AI.",
        n,
    )
    return Alarm(
        words % {"n": n} if n else _("The inference workers are silent: photos wait that were not sent yet."),
        _("Nothing changes for patients: a dermatologist answers in the same time."),
        _("Start the inference workers again. Waiting photos are sent by themselves."),
    )


def _results_pile_up(results: int | None) -> Alarm | None:
    if results is None or results < RESULTS_WAITING:
        return None
    return Alarm(
        _("%(n)d results wait to be recorded.") % {"n": results},
        _("Findings come late. People answer in the same time."),
        _("Start the results worker again."),
    )


def _submissions_overdue(waiting: dict[str, Any]) -> Alarm | None:
    if not (n := waiting["overdue"]):
        return None
    words = ngettext("%(n)d submission is overdue.", "%(n)d submissions are overdue.", n) % {"n": n}
    return Alarm(
        words, _("They were promised an answer by now."), _("Hand them to a dermatologist under Cases.")
    )


def _jobs_stopped(stages: list[dict[str, Any]]) -> Alarm | None:
    if not (n := sum(stage[state] for stage in stages for state in STOPPED)):
        return None
    words = ngettext("%(n)d job has stopped.", "%(n)d jobs have stopped.", n) % {"n": n}
    return Alarm(
        words,
        _("Nothing changes for patients: these photos are read by people only."),
        _("Look at the error below, then requeue."),
    )


def _messages_failed(messages: dict[str, int]) -> Alarm | None:
    if not (n := messages["failed"]):
        return None
    words = ngettext("%(n)d message could not be delivered.", "%(n)d messages could not be delivered.", n) % {
        "n": n
    }
    return Alarm(words, _("They find the news in their inbox after log-in."), _("Check the mail server."))


def _messages_refused(n: int) -> Alarm | None:
    if not n:
        return None
    words = ngettext(
        "%(n)d message of an inference worker was refused since yesterday.",
        "%(n)d messages of inference workers were refused since yesterday.",
        n,
    )
    return Alarm(
        words % {"n": n},
        _("Nothing of them was stored. The photos are tried again, and people answer in the same time."),
        _(
            "The log of the results worker names the worker. Stop it, and find out whether it is faulty or was taken over."
        ),
    )
