"""What is wrong with the work, for an admin: each problem with its effect on patients and its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import BooleanField, Count, Exists, ExpressionWrapper, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contract.messages import FROM_ORIGINAL, Stage
from teleder.accounts.licences import LicenceState, in_state
from teleder.accounts.models import Clinic, User
from teleder.backups.models import newest_verified
from teleder.cases.alarm_rate import AlarmRate
from teleder.cases.models import DamagedFile, Job, JobState, Photo, PhotoState, StoredFile
from teleder.cases.transitions import AWAITING_DERMATOLOGIST
from teleder.notifications.models import MessageState
from teleder.notifications.runbook import AlertKind
from teleder.pipeline import heartbeats, refusals
from teleder.pipeline.transitions import NEEDS_ADMIN, UNDER_WAY, UNFINISHED
from teleder.web.operations import licence_problems
from teleder.web.operations.problem import Problem as Problem
from teleder.web.operations.process_problems import silent_processes
from teleder.web.operations.storage_problems import (
    backup_overdue,
    files_damaged,
    storage_full,
    storage_is_away,
    storage_short,
)

SILENCE_SECONDS = 60  # without a result while work waits, the workers count as silent
IDLE_SECONDS = 10  # so do workers of which none has begun anything while work waits for so long
UNSEEN_SECONDS = 10  # a photo that takes longer to become visible is told
LATE_SECONDS = 30  # after a missed deadline, the sweeper counts as stopped
RESULTS_WAITING = 50
DAMAGE_HOURS = 24  # so long a copy that was damaged is told, although it was made again


@dataclass(frozen=True)
class SignsOfLife:
    sweeper_is_late: bool
    prepare_is_silent: bool
    inference_is_silent: bool
    results_is_silent: bool
    beat_is_silent: bool
    watch_is_silent: bool
    web_hangs: bool  # one of its processes
    database_refuses: bool  # new connections
    refused: int  # messages of workers, since yesterday
    licences_expired: int  # of dermatologists of the clinic
    licences_unchecked: int
    unseen: int  # cases of the clinic with photos that cannot be seen
    cancelled: int  # jobs of the clinic that somebody has to run again
    damaged_originals: int  # photos of the clinic whose file as it was sent is damaged
    damaged_copies: int  # of the clinic that are damaged, or were made again since yesterday
    newest_backup: datetime | None  # when the newest that could be read again began


def signs_of_life(now: datetime, user: User, *, broker_answers: bool = True) -> SignsOfLife:
    """Ask one row, whichever, all questions in one query; six are about the clinic of `user`.

    A worker is silent where its photos wait long and none is finished, or wait a little and none is begun. The two kinds
    are asked for apart: one may stop while the other goes on. Distance reports do not count, they take long. A worker is
    silent, too, where no child answers a probe: as long as the processes that carry probes and answers are there.
    """
    moment = now - timedelta(seconds=IDLE_SECONDS)
    idle = Job.objects.filter(state__in=UNFINISHED, created_at__lt=moment)
    begun = Job.objects.filter(state=JobState.STARTED, deadline__gte=now)
    just_finished = Job.objects.filter(finished_at__gte=moment)
    since = now - timedelta(seconds=SILENCE_SECONDS)
    late = Job.objects.filter(state__in=UNDER_WAY, deadline__lt=now - timedelta(seconds=LATE_SECONDS))
    old = Job.objects.filter(state__in=UNFINISHED, created_at__lt=since)
    finished = Job.objects.filter(finished_at__gte=since)
    silent = [
        (Q(Exists(old.filter(stage__in=stages))) & ~Q(Exists(finished.filter(stage__in=stages))))
        | (
            Q(Exists(idle.filter(stage__in=stages)))
            & ~Q(Exists(begun.filter(stage__in=stages)))
            & ~Q(Exists(just_finished.filter(stage__in=stages)))
        )
        for stages in (FROM_ORIGINAL, (Stage.ANALYSE, Stage.CHECK))
    ]
    damages = DamagedFile.objects.visible_to(user)
    is_of_late = Q(mended_at=None) | Q(mended_at__gte=now - timedelta(hours=DAMAGE_HOURS))
    busy = Job.objects.filter(state=JobState.STARTED, deadline__gte=now)
    does_reports = Q(Exists(busy.filter(stage=Stage.DISTANCE)))
    unanswered = []
    for stage, excused in ((Stage.PREPARE, Q(pk=None)), (Stage.ANALYSE, does_reports)):
        lately = Q(stage=stage) & (
            Q(finished_at__gte=moment) | Q(state=JobState.STARTED, sent_at__gte=moment)
        )
        at_work = Q(Exists(Job.objects.filter(lately)))
        unanswered.append(Q(heartbeats.is_unanswered(stage)) & ~excused & ~at_work)
    asked = (
        Exists(late),
        *(ExpressionWrapper(each, BooleanField()) for each in (*silent, *unanswered)),
        *(heartbeats.is_silent(each) for each in heartbeats.SAY_SO),
        *(heartbeats.has_fault(each) for each in heartbeats.FAULTS),
        heartbeats.is_silent(heartbeats.RESULTS, heartbeats.UNHEARD_SECONDS),
        refusals.number_lately(),
        *(
            _number_of(User.objects.filter(user.in_own_clinic(), in_state(state)))
            for state in (LicenceState.EXPIRED, LicenceState.UNCHECKED)
        ),
        _number_of(_hidden_photos(user, now), Count("submission", distinct=True)),
        _number_of(Job.objects.visible_to(user).stopped().filter(state=JobState.CANCELLED)),
        _number_of(damages.filter(name=StoredFile.ORIGINAL, mended_at=None)),
        _number_of(damages.exclude(name=StoredFile.ORIGINAL).filter(is_of_late)),
        newest_verified(),
    )
    late, prepare, inference, no_prepare, no_inference, *names = Clinic.objects.values_list(*asked).first()
    no_sweeper, no_results, no_beat, no_watch, web_hangs, database_refuses, unheard, *counts = names
    # Probes and signs of life go through sweeper, broker and results worker: where one of these stopped, the others are unknown.
    no_results = no_results and broker_answers
    are_heard = broker_answers and not (no_sweeper or unheard)
    return SignsOfLife(
        late or no_sweeper,
        prepare or (no_prepare and are_heard),
        inference or (no_inference and are_heard),
        no_results,
        no_beat and broker_answers and not no_results,
        no_watch,
        web_hangs,
        database_refuses,
        *counts,
    )


def _hidden_photos(user: User, now: datetime) -> QuerySet[Photo]:
    """Return photos of waiting submissions that were not prepared, for longer than that usually takes."""
    since = now - timedelta(seconds=UNSEEN_SECONDS)
    photos = Photo.objects.current().filter(user.in_own_clinic("submission__clinic"), state=PhotoState.STORED)
    return photos.filter(created_at__lt=since, submission__status__in=AWAITING_DERMATOLOGIST)


def _number_of(rows: QuerySet, counted: Count | None = None) -> Coalesce:
    """Return the number of rows, or what is `counted` of them, as an expression: for a query that asks more."""
    found = rows.order_by().values(everything=Value(1)).annotate(n=counted or Count("pk")).values("n")
    return Coalesce(Subquery(found), Value(0))


def find_problems(signs: SignsOfLife, **seen: Any) -> list[Problem]:
    """Return the current problems, the most serious first."""
    found = [
        storage_is_away(seen["storage"]),
        storage_full(seen["storage"]),
        *files_damaged(signs.damaged_originals, signs.damaged_copies),
        _photos_unseen(seen["unseen"]),
        _broker_away(seen["results_waiting"]),
        *silent_processes(signs, seen["submissions"]),
        _results_pile_up(seen["results_waiting"]),
        _submissions_overdue(seen["submissions"]),
        _jobs_stopped(seen["stages"], seen["cancelled"]),
        licence_problems.expired(signs.licences_expired),
        licence_problems.unchecked(signs.licences_unchecked),
        storage_short(seen["storage"]),
        backup_overdue(signs.newest_backup),
        _messages_failed(seen["messages"]),
        _messages_refused(seen["refused"]),
        _alarm_rate_outside(seen["alarm_rate"]),
    ]
    return [problem for problem in found if problem is not None]


def _photos_unseen(n: int) -> Problem | None:
    if not n:
        return None
    text = ngettext(
        "The photos of %(n)d case can't be seen yet.", "The photos of %(n)d cases can't be seen yet.", n
    )
    return Problem(
        AlertKind.PHOTOS_UNSEEN,
        text % {"n": n},
        _(
            "Patients see that their photos were received. Dermatologists see the answers, but not the photos. The due "
            "times go on. No photo is lost."
        ),
        _("Start the prepare worker again if it does not respond, and run its stopped jobs below again."),
    )


def _broker_away(results: int | None) -> Problem | None:
    if results is not None:
        return None
    return Problem(
        AlertKind.BROKER,
        _("The message broker does not answer."),
        _("Nothing is lost. AI results are delayed; dermatologists answer by the same due time."),
        _("Start Valkey again. The sweeper then sends the waiting jobs."),
        meaning=_("No work can be sent to the workers, and no result comes back."),
        doctors=_("Photos that were prepared before. New ones and AI findings come later."),
    )


def _results_pile_up(results: int | None) -> Problem | None:
    if results is None or results < RESULTS_WAITING:
        return None
    return Problem(
        AlertKind.RESULTS_PILE_UP,
        _("%(n)d results are waiting to be recorded.") % {"n": results},
        _("AI findings are delayed. Dermatologists answer by the same due time."),
        _("Start the results worker again."),
        meaning=_("The workers are faster than the process that records their results, or it has stopped."),
        doctors=_("The photos. Findings come later."),
    )


def _submissions_overdue(waiting: dict[str, Any]) -> Problem | None:
    if not (n := waiting["overdue"]):
        return None
    text = ngettext("%(n)d case is overdue.", "%(n)d cases are overdue.", n) % {"n": n}
    return Problem(
        AlertKind.OVERDUE,
        text,
        _("The promised answer is late."),
        _("Select them under Cases and hand them to a dermatologist."),
        f"{reverse('web:cases_admin')}?mark=overdue",
        meaning=_("These cases wait for longer than patients were promised."),
        doctors=_("The cases on their worklist, marked as overdue."),
        button=_("Choose who answers"),
    )


def _jobs_stopped(stages: list[dict[str, Any]], cancelled: int) -> Problem | None:
    # What failed on demand is asked for again by who wants to see it.
    awaited = [row for row in stages if row["stage"] not in (Stage.DISTANCE, Stage.FULL)]
    if not (n := cancelled + sum(row[state] for row in awaited for state in NEEDS_ADMIN)):
        return None
    text = ngettext("%(n)d job has stopped.", "%(n)d jobs have stopped.", n) % {"n": n}
    return Problem(
        AlertKind.JOBS_STOPPED,
        text,
        _("What patients and dermatologists see is explained below beside each job."),
        _("Check the error below, then requeue the job."),
        f"{reverse('web:operations')}#requeue-title",
        meaning=_("A worker gave up on them, or crashed too often."),
        doctors=_("What each group below says."),
        button=_("Show the stopped jobs"),
    )


def _messages_failed(messages: dict[str, Any]) -> Problem | None:
    if not (n := messages["failed"]):
        return None
    text = ngettext("%(n)d message could not be delivered.", "%(n)d messages could not be delivered.", n) % {
        "n": n
    }
    return Problem(
        AlertKind.MESSAGES_FAILED,
        text,
        _("The recipients see the message in their inbox after log-in."),
        _("Check the mail server."),
        f"{reverse('admin:notifications_message_changelist')}?state__exact={MessageState.FAILED}",
        meaning=_("The mail server refused them again and again."),
        doctors=_("Nothing changes for them."),
        button=_("Show these messages"),
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
        AlertKind.MESSAGES_REFUSED,
        text % {"n": n},
        _(
            "None of their content was stored. The photos are tried again, and dermatologists answer by the same due time."
        ),
        _(
            "The log of the results worker names the worker. Stop it and find out whether it is faulty or compromised."
        ),
        meaning=_("A worker sent something that no worker of this version may send."),
        doctors=_("The photos. Some findings come later."),
    )


def _alarm_rate_outside(rate: AlarmRate) -> Problem | None:
    if not rate.is_outside:
        return None
    text = _(
        "The AI's alarms rang in %(of)d of the newest %(n)d submissions; %(low)d to %(high)d were to be expected."
    )
    return Problem(
        AlertKind.ALARM_RATE,
        text % {"of": rate.alarmed.of, "n": rate.alarmed.n, "low": rate.low, "high": rate.high},
        _(
            "Cases may be looked at sooner or later than they need. Answers and due times by rules are unaffected."
        ),
        _(
            "Look at a few of the photos. If patients or cameras have not changed, tell whoever answers for the model."
        ),
        reverse("web:models"),
        meaning=_("The model rings more often, or more seldom, than its figures predict."),
        doctors=_("More, or fewer, cases marked as to be looked at sooner."),
        button=_("Show the models"),
    )
