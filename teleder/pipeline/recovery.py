"""Times out jobs of workers that do not answer, and lets an admin cancel or requeue jobs.

A time-out after "started" is a worker crash; three of them quarantine the job. Without "started" the message was lost.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import redis
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Least, Now

from contract import messaging
from contract.messages import FROM_ORIGINAL, OLDER_STAGES, Stage
from teleder.cases.models import (
    EventKind,
    Job,
    JobState,
    PhotoState,
)
from teleder.cases.triage import Urgency
from teleder.pipeline import ai_status, dispatch, queue
from teleder.pipeline.broker import BROKER_MARK
from teleder.pipeline.transitions import UNDER_WAY, UNFINISHED, JobStep, move_jobs

log = logging.getLogger(__name__)
STRAY_SECONDS = 10  # for a result that is still on its way after the broker lost everything


def expire() -> int:
    """Time out every job past its deadline; return how many."""
    silent = Job.objects.filter(state__in=UNDER_WAY, deadline__lt=Now()).order_by("deadline")
    return sum(expire_job(pk) for pk in silent.values_list("pk", flat=True)[:200])


@transaction.atomic
def expire_job(pk: Any) -> bool:
    submission = queue.lock_submission(pk)
    job = Job.objects.filter(pk=pk, state__in=UNDER_WAY, deadline__lt=Now()).first()
    if job is None or submission is None:
        return False
    if job.state == JobState.SENT:
        return bool(end_attempt(job, JobStep.LOSE, losses=F("losses") + 1))
    died_too_often = job.deaths + 1 >= settings.JOB_DEATHS
    step = JobStep.QUARANTINE if died_too_often else JobStep.CRASH
    left = end_attempt(job, step, deaths=F("deaths") + 1, error="worker_died")
    if left and died_too_often:
        submission.events.create(kind=EventKind.JOB_QUARANTINED, detail={"stage": job.stage})
        ai_status.settle(submission)
    return bool(left)


def replace_older_stages() -> int:
    """Queue unfinished jobs of stages of the version before as `analyse`; return how many.

    The migration did so with all that were there. A web of the version before makes more while a deploy lasts.
    """
    older = Job.objects.filter(stage__in=OLDER_STAGES, state__in=UNFINISHED)
    return sum(_replace(pk) for pk in older.values_list("pk", flat=True)[:200])


@transaction.atomic
def _replace(pk: Any) -> bool:
    submission = queue.lock_submission(pk)
    rows = Job.objects.filter(pk=pk, stage__in=OLDER_STAGES)
    job = rows.first()
    if job is None or submission is None:
        return False
    if Job.objects.filter(photo=job.photo_id, stage=Stage.ANALYSE).exists():
        rows.delete()  # that one reads the whole photo
        return True
    return bool(move_jobs(rows, JobStep.REPLACE, stage=Stage.ANALYSE, deadline=None, sent_at=None, worker=""))


def requeue_after_broker_flush() -> int:
    """Queue again what was in a broker that has lost everything; return how many jobs.

    A job that was started gets a moment for its result; a time-out then counts as a lost message, not as a crash.
    """
    connection = messaging.client(settings.REDIS_URL, "request")
    try:
        if connection.exists(BROKER_MARK):
            return 0
        soon = Least(F("deadline"), Now() + timedelta(seconds=STRAY_SECONDS))
        jobs = Job.objects.all()
        lost = move_jobs(jobs, JobStep.LOSE, losses=F("losses") + 1, deadline=None, sent_at=None)
        lost += move_jobs(jobs, JobStep.HAND_BACK, deadline=soon)
        connection.set(BROKER_MARK, 1)
    except redis.RedisError as error:
        log.warning("broker unreachable (%s)", type(error).__name__)
        return 0
    return lost


def end_attempt(job: Job, step: JobStep, **changes: Any) -> int:
    same = Job.objects.filter(pk=job.pk, attempt=job.attempt, state=job.state)
    return move_jobs(same, step, deadline=None, sent_at=None, **changes)


@transaction.atomic
def requeue(job: Job, *, by: Any) -> bool:
    """Queue a failed, quarantined or cancelled job again, its crash count at 0; without consent to AI only what no network reads."""
    submission = queue.lock_submission(job.pk)
    if job.stage not in FROM_ORIGINAL and not queue.ai_may_read(submission):
        return False
    rows = Job.objects.filter(pk=job.pk)
    if not move_jobs(rows, JobStep.REQUEUE, deaths=0, error="", finished_at=None):
        return False
    submission.events.create(kind=EventKind.JOB_REQUEUED, actor=by, detail={"stage": job.stage})
    transaction.on_commit(dispatch.dispatch_all)
    return True


@transaction.atomic
def prepare_again(job: Job, *, by: Any) -> bool:
    """Queue a preparation again that has stopped, or that found the photo unusable: another version may read it."""
    if requeue(job, by=by):
        return True
    submission = queue.lock_submission(job.pk)
    unusable = Job.objects.filter(pk=job.pk, photo__state=PhotoState.UNUSABLE)
    if not move_jobs(unusable, JobStep.MAKE_AGAIN, deaths=0, error="", finished_at=None, created_at=Now()):
        return False
    submission.events.create(kind=EventKind.JOB_REQUEUED, actor=by, detail={"stage": job.stage})
    transaction.on_commit(dispatch.dispatch_all)
    return True


@transaction.atomic
def cancel(job: Job, *, by: Any) -> bool:
    """Cancel an unfinished job; a result that still arrives changes nothing.

    What makes an emergency's photo visible is not cancelled.
    """
    submission = queue.lock_submission(job.pk)
    if job.stage == Stage.PREPARE and submission.urgency >= Urgency.EMERGENCY:
        return False
    if not move_jobs(Job.objects.filter(pk=job.pk), JobStep.CANCEL, deadline=None):
        return False
    submission.events.create(kind=EventKind.JOB_CANCELLED, actor=by, detail={"stage": job.stage})
    ai_status.settle(submission)
    return True
