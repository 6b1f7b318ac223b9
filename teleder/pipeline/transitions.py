"""How the state of a job and the AI status of a submission change: two tables, and one function for each.

A job:

    QUEUED ──send──▶ SENT ──start──▶ STARTED ──succeed──▶ DONE
     ▲  ▲             │ ◀─hand_back──  │ └────fail──────▶ FAILED        (also from SENT: "started" may be late)
     │  └────lose─────┘                ├──quarantine────▶ QUARANTINED
     │  └────crash─────────────────────┘              (replace: from each of these three to QUEUED, in a deploy)
     ├──requeue── FAILED, QUARANTINED, CANCELLED ◀──cancel── QUEUED, SENT, STARTED
     ├──repeat─── DONE and these three: something new was drawn on its photo
     └──make_again── DONE, where a file of its result was damaged

The AI status of a submission:

    NOT_USED ──wait──▶ WAITING ──complete──▶ DONE, ──complete_partly──▶ PARTLY, ──give_up──▶ UNAVAILABLE
       ▲                                       │
       └──stop── from each                     └── a photo that comes later moves it between these three

The sets below are derived from the tables: nobody else lists states.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _


class JobState(models.TextChoices):
    QUEUED = "queued", _("queued")
    SENT = "sent", _("sent")
    STARTED = "started", _("started")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")  # for a foreseen reason, which the worker gave
    QUARANTINED = "quarantined", _("quarantined")  # its worker crashed too often
    CANCELLED = "cancelled", _("cancelled")


class JobStep(StrEnum):
    SEND = "send"
    START = "start"
    SUCCEED = "succeed"
    FAIL = "fail"
    LOSE = "lose"  # the message was lost, or could not be sent
    CRASH = "crash"  # the worker was silent after it had started
    QUARANTINE = "quarantine"
    HAND_BACK = "hand_back"  # started, but its result is left to another process
    CANCEL = "cancel"
    REQUEUE = "requeue"
    REPEAT = "repeat"  # another crop was drawn
    REPLACE = "replace"  # its stage is one of the version before: it is queued as another
    MAKE_AGAIN = "make_again"  # a file of its result was damaged


_UNDER_WAY = {JobState.SENT, JobState.STARTED}
JOB_MOVES: dict[JobStep, tuple[set[JobState], JobState]] = {
    JobStep.SEND: ({JobState.QUEUED}, JobState.SENT),
    JobStep.START: ({JobState.SENT}, JobState.STARTED),
    JobStep.SUCCEED: (_UNDER_WAY, JobState.DONE),
    JobStep.FAIL: (_UNDER_WAY, JobState.FAILED),
    JobStep.LOSE: ({JobState.SENT}, JobState.QUEUED),
    JobStep.CRASH: ({JobState.STARTED}, JobState.QUEUED),
    JobStep.QUARANTINE: ({JobState.STARTED}, JobState.QUARANTINED),
    JobStep.HAND_BACK: ({JobState.STARTED}, JobState.SENT),
    JobStep.CANCEL: ({JobState.QUEUED, *_UNDER_WAY}, JobState.CANCELLED),
    JobStep.REPLACE: ({JobState.QUEUED, *_UNDER_WAY}, JobState.QUEUED),
    JobStep.MAKE_AGAIN: ({JobState.DONE}, JobState.QUEUED),
    JobStep.REQUEUE: ({JobState.FAILED, JobState.QUARANTINED, JobState.CANCELLED}, JobState.QUEUED),
    JobStep.REPEAT: (
        {JobState.DONE, JobState.FAILED, JobState.QUARANTINED, JobState.CANCELLED},
        JobState.QUEUED,
    ),
}


class AIStatus(models.TextChoices):
    NOT_USED = "not_used", _("AI not used")
    WAITING = "waiting", _("AI reading")
    DONE = "done", _("AI done")
    PARTLY = "partly", _("AI partly done")
    UNAVAILABLE = "unavailable", _("AI unavailable")


class AIStep(StrEnum):
    WAIT = "wait"
    COMPLETE = "complete"
    COMPLETE_PARTLY = "complete_partly"
    GIVE_UP = "give_up"
    STOP = "stop"


_ANY = set(AIStatus)
AI_MOVES: dict[AIStep, tuple[set[AIStatus], AIStatus]] = {
    AIStep.WAIT: (_ANY, AIStatus.WAITING),
    AIStep.COMPLETE: (_ANY - {AIStatus.NOT_USED, AIStatus.DONE}, AIStatus.DONE),
    AIStep.COMPLETE_PARTLY: (_ANY - {AIStatus.NOT_USED, AIStatus.PARTLY}, AIStatus.PARTLY),
    AIStep.GIVE_UP: (_ANY - {AIStatus.NOT_USED, AIStatus.UNAVAILABLE}, AIStatus.UNAVAILABLE),
    AIStep.STOP: (_ANY, AIStatus.NOT_USED),
}


def _in_order(states: Iterable[JobState]) -> tuple[JobState, ...]:
    wanted = set(states)
    return tuple(state for state in JobState if state in wanted)


# Every state is in exactly one of these: waiting to be sent, with a worker, stopped until somebody acts, done.
WAITING = _in_order(JOB_MOVES[JobStep.SEND][0])
UNDER_WAY = _in_order(JOB_MOVES[JobStep.SUCCEED][0])
STOPPED = _in_order(JOB_MOVES[JobStep.REQUEUE][0])
SUCCEEDED = _in_order({JOB_MOVES[JobStep.SUCCEED][1]})

UNFINISHED = _in_order({*WAITING, *UNDER_WAY})
NEEDS_ADMIN = _in_order(set(STOPPED) - {JobState.CANCELLED})  # what was cancelled, somebody meant to stop
AI_READ = (AIStatus.DONE, AIStatus.PARTLY)


def move_jobs(
    jobs: models.QuerySet, step: JobStep, *, held: models.Model | None = None, **changes: Any
) -> int:
    """Take this step with those of the jobs that can; return how many. One UPDATE: of two racing callers one wins.

    `held` is the job as the caller holds it in memory; it gets the new state where the step was taken.
    """
    sources, target = JOB_MOVES[step]
    moved = jobs.filter(state__in=sources).update(state=target, **changes)
    if moved and held is not None:
        held.state = target
    return moved


def hold_ai_status(submission: models.Model, step: AIStep) -> None:
    """Set in memory what `move_ai_status` will write: what is computed from it goes into the same UPDATE."""
    submission.ai_status = AI_MOVES[step][1]


def move_ai_status(submissions: models.QuerySet, step: AIStep, **changes: Any) -> int:
    """Take this step with those of the submissions that can; return how many."""
    sources, target = AI_MOVES[step]
    return submissions.filter(ai_status__in=sources).update(ai_status=target, **changes)
