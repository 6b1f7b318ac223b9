"""Queueing work: one job for each stage of a photo, and which stage a photo is ready for.

The backlog lives in PostgreSQL; Valkey holds a few messages that may all be lost at any time.
"""

from __future__ import annotations

import logging
from functools import partial

from django.db import transaction

from contract.messages import Stage
from teleder.accounts.models import Purpose
from teleder.cases.models import (
    AIStatus,
    Job,
    JobState,
    Photo,
    PhotoState,
    Submission,
)
from teleder.cases.transitions import EDITABLE, WITH_PATIENT
from teleder.cases.triage import Urgency
from teleder.pipeline import dispatch
from teleder.pipeline.transitions import JobStep, move_jobs

log = logging.getLogger(__name__)


def enqueue(photo: Photo, stage: Stage, *, priority: int) -> None:
    """Create the job of a stage, once; it is dispatched when the transaction commits."""
    job, made = Job.objects.get_or_create(photo=photo, stage=stage, defaults={"priority": priority})
    if not made:  # it was cancelled when the patient withdrew the submission, which is now submitted again
        cancelled = Job.objects.filter(pk=job.pk, state=JobState.CANCELLED)
        move_jobs(cancelled, JobStep.REQUEUE, priority=priority)
    log.info("queued: %s of photo %s is job %s", stage, photo.pk, job.pk)
    transaction.on_commit(partial(dispatch.dispatch_all, (stage,)))


def advance(photo: Photo, submission: Submission) -> None:
    """Queue the next stage that the photo is ready for; call it under the submission's lock.

    Before the patient submits, a photo is prepared and checked; without consent to AI it is only prepared.
    """
    if submission.status in EDITABLE:
        if may_be_checked(photo) and ai_may_read(submission):
            enqueue(
                photo, Stage.CHECK, priority=Urgency.ROUTINE
            )  # patients look on: first come, first served
        return
    if submission.ai_status == AIStatus.NOT_USED or submission.status in WITH_PATIENT:
        return
    if not ai_may_read(submission):
        return
    analysis = photo.analysis
    if photo.was_prepared and analysis is None:
        enqueue(photo, Stage.SEGMENT, priority=submission.urgency)
    elif analysis is not None and analysis.classified_at is None:
        enqueue(photo, Stage.CLASSIFY, priority=submission.urgency)


def may_be_checked(photo: Photo) -> bool:
    """Whether a check could say something new: a photo of poor quality has its remedy already."""
    is_new = photo.check_result is None and photo.analysis is None
    return is_new and photo.state == PhotoState.READY and photo.removed_at is None


def ai_may_read(submission: Submission) -> bool:
    return submission.patient.consents.given().filter(purpose=Purpose.AI).exists()


def lock_submission(job: str) -> Submission | None:
    # Without the lock, two photos that finish together would each see the other as unfinished.
    return Submission.objects.select_for_update(of=("self",)).filter(photos__jobs=job).first()
