"""What is wrong with the work, for an admin: each problem with its effect on patients and its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contract.messages import Stage
from teleder.accounts.models import Clinic
from teleder.cases.alarm_rate import AlarmRate
from teleder.cases.models import Job
from teleder.pipeline import refusals
from teleder.pipeline.transitions import NEEDS_ADMIN, UNDER_WAY, UNFINISHED

SILENCE_SECONDS = 60  # without a result while work waits, the workers count as silent
LATE_SECONDS = 30  # after a missed deadline, the sweeper counts as stopped
RESULTS_WAITING = 50


@dataclass(frozen=True)
class Problem:
    """What is wrong, the effect on patients, and the remedy."""

    words: str
    patients: str
    remedy: str


@dataclass(frozen=True)
class SignsOfLife:
    sweeper_is_late: bool
    photos_wait_long: bool
    workers_finish: bool
    refused: int  # messages of workers, since yesterday


def signs_of_life(now: datetime) -> SignsOfLife:
    """Ask one row, whichever, four questions in one query."""
    since = now - timedelta(seconds=SILENCE_SECONDS)
    late = Job.objects.filter(state__in=UNDER_WAY, deadline__lt=now - timedelta(seconds=LATE_SECONDS))
    old = Job.objects.filter(state__in=UNFINISHED, created_at__lt=since)
    old = old.exclude(stage=Stage.DISTANCE)  # a report takes long
    finished = Job.objects.filter(finished_at__gte=since)
    asked = (Exists(late), Exists(old), Exists(finished), refusals.number_lately())
    return SignsOfLife(*Clinic.objects.values_list(*asked).first())


def find_problems(signs: SignsOfLife, **seen: Any) -> list[Problem]:
    """Return the current problems, the most serious first."""
    found = [
        _broker_away(seen["results_waiting"]),
        *_silent(signs, seen["submissions"]),
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


def _silent(signs: SignsOfLife, waiting: dict[str, Any]) -> list[Problem | None]:
    """Return the problems of a sweeper and of workers that do not respond."""
    workers_silent = signs.photos_wait_long and not signs.workers_finish
    problem = Problem(
        _("The sweeper does not respond."),
        _("Messages to patients and lost jobs are waiting. Answers are not delayed."),
        _("Start `manage.py sweep` again."),
    )
    return [problem if signs.sweeper_is_late else None, _workers_silent(waiting) if workers_silent else None]


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
    awaited = [row for row in stages if row["stage"] != Stage.DISTANCE]
    if not (n := sum(row[state] for row in awaited for state in NEEDS_ADMIN)):
        return None
    text = ngettext("%(n)d job has stopped.", "%(n)d jobs have stopped.", n) % {"n": n}
    return Problem(
        text,
        _("Nothing changes for patients: a dermatologist reads these photos without the AI."),
        _("Check the error below, then requeue the job."),
    )


def _messages_failed(messages: dict[str, Any]) -> Problem | None:
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
