"""Queueing work: one job for each stage of a photo, and which stage a photo is ready for.

The backlog lives in PostgreSQL; Valkey holds a few messages that may all be lost at any time.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from enum import StrEnum
from functools import partial

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from contract.messages import Stage
from teleder.accounts.models import Consent, Purpose
from teleder.cases.models import (
    AIStatus,
    Case,
    Job,
    JobState,
    Photo,
    PhotoState,
    Submission,
    add_to_prefetched,
)
from teleder.cases.transitions import EDITABLE, WITH_PATIENT, IllegalMoveError
from teleder.cases.triage import Urgency
from teleder.pipeline import dispatch
from teleder.pipeline.transitions import NEEDS_ADMIN, STOPPED, UNFINISHED, JobStep, move_jobs

log = logging.getLogger(__name__)
# Its patient withdrew the submission, and has now submitted it again.
CANCELLED = (JobState.CANCELLED,)


def enqueue(photo: Photo, stage: Stage, *, priority: int, again: tuple[str, ...] = CANCELLED) -> None:
    """Create the job of a stage, once; it is dispatched when the transaction commits. A job in a state of `again` is
    queued again. Call it under the submission's lock."""
    job = next((job for job in photo.jobs.all() if job.stage == stage), None)
    if job is None:
        job = Job.objects.create(photo=photo, stage=stage, priority=priority)
        add_to_prefetched(photo, "jobs", job)
    else:
        stopped = Job.objects.filter(pk=job.pk, state__in=again)
        changes = {"deaths": 0, "error": "", "finished_at": None, "priority": priority}
        if not move_jobs(
            stopped, JobStep.REQUEUE, held=job, **changes
        ):  # where it was prefetched, others read it
            return
    log.info("queued: %s of photo %s is job %s", stage, photo.pk, job.pk)
    transaction.on_commit(partial(dispatch.dispatch_all, (stage,)))


def enqueue_drawn_crop(photo: Photo, *, priority: int) -> None:
    """Queue the photo's job of drawn crops, again after an earlier one; call it under the submission's lock.

    Raises `IllegalMoveError` while the crop before is unfinished: the job is of the newest.
    """
    jobs = Job.objects.filter(photo=photo, stage=Stage.REANALYSE)
    fresh = {"deaths": 0, "losses": 0, "error": "", "finished_at": None, "priority": priority}
    if not jobs.exists():
        Job.objects.create(photo=photo, stage=Stage.REANALYSE, priority=priority)
    elif not move_jobs(jobs, JobStep.REPEAT, created_at=Now(), **fresh):
        raise IllegalMoveError(_("The crop that was drawn before is still being analysed."))
    transaction.on_commit(partial(dispatch.dispatch_all, (Stage.REANALYSE,)))


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
    stage = _next_stage(photo)
    if stage is not None and ai_may_read(submission):
        enqueue(photo, stage, priority=submission.urgency)


def _next_stage(photo: Photo) -> Stage | None:
    analysis = photo.analysis
    if photo.was_prepared and (analysis is None or not analysis.is_classified):
        return Stage.ANALYSE
    if analysis is not None and analysis.ringing and analysis.distance is None:
        return Stage.DISTANCE
    return None


class OnDemandState(StrEnum):
    """How that stands which is made of a photo when somebody asks: its distance report, its full-size copy."""

    NOT_ASKED = "not_asked"
    WAITING = "waiting"
    FAILED = "failed"
    DONE = "done"


def distance_state(photo: Photo) -> OnDemandState:
    if photo.analysis is not None and photo.analysis.distance is not None:
        return OnDemandState.DONE
    return _state_by(photo.jobs.filter(stage=Stage.DISTANCE).values_list("state", flat=True).first())


def with_full_copy_state(photos: QuerySet[Photo]) -> QuerySet[Photo]:
    """Add what `full_copy_state` asks for, so that a page needs no query for each photo."""
    jobs = Job.objects.filter(photo=OuterRef("pk"), stage=Stage.FULL)
    return photos.annotate(full_job=Subquery(jobs.values("state")[:1]))


def full_copy_state(photo: Photo) -> OnDemandState:
    """How the full-size copy stands; of a photo of `with_full_copy_state`."""
    return OnDemandState.DONE if photo.full_key else _state_by(photo.full_job)


def _state_by(job: str | None) -> OnDemandState:
    if job in UNFINISHED:
        return OnDemandState.WAITING
    return OnDemandState.FAILED if job in NEEDS_ADMIN else OnDemandState.NOT_ASKED


def may_request_distance_report(photo: Photo) -> bool:
    """Whether the AI has read the photo and may still read it."""
    is_read = photo.analysis is not None and photo.analysis.is_classified and photo.removed_at is None
    return is_read and photo.submission.status not in WITH_PATIENT and ai_may_read(photo.submission)


@transaction.atomic
def request_distance_report(photo: Photo) -> None:
    """Queue the distance report of a photo, again where it failed; one that is there or under way is left as it is.

    Raises `IllegalMoveError` where `may_request_distance_report` is false.
    """
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=photo.submission_id)
    photo = submission.photos.get(pk=photo.pk)
    if not may_request_distance_report(photo):
        raise IllegalMoveError(_("Other distances of this photo cannot be checked now."))
    if photo.analysis.distance is None:
        enqueue(photo, Stage.DISTANCE, priority=submission.urgency, again=STOPPED)


@transaction.atomic
def request_full_copy(photo: Photo) -> None:
    """Queue the full-size copy of a photo, again where that failed; one that is there or under way is left as it is.

    Raises `IllegalMoveError` for a photo that has no more pixels than its display copy.
    """
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=photo.submission_id)
    photo = submission.photos.get(pk=photo.pk)
    if not photo.was_prepared or photo.removed_at is not None or photo.shown_share == 1:
        raise IllegalMoveError(_("This photo has no further pixels to show."))
    if not photo.full_key:
        enqueue(photo, Stage.FULL, priority=submission.urgency, again=STOPPED)


def may_be_checked(photo: Photo) -> bool:
    """Whether a check could say something new: a photo of poor quality has its remedy already."""
    is_new = photo.check_result is None and photo.analysis is None
    return is_new and photo.state == PhotoState.READY and photo.removed_at is None


def ai_may_read(submission: Submission) -> bool:
    case = submission.case
    if not Case.patient.is_cached(case) or case.patient.email is None:  # of a child each guardian agrees
        return Consent.objects.given().filter(person=case.patient_id, purpose=Purpose.AI).exists()
    consents = case.patient.consents.all()  # which a page may have prefetched
    return any(one.purpose == Purpose.AI and one.stands for one in consents)


def lock_submission(job: str) -> Submission | None:
    # Without the lock, two photos that finish together would each see the other as unfinished.
    return Submission.objects.select_for_update(of=("self",)).filter(photos__jobs=job).first()


def lock_photo(photo: Photo) -> Submission:
    return Submission.objects.select_for_update(of=("self",)).get(pk=photo.submission_id)


def lock_jobs(ids: Collection[str]) -> dict[str, Job]:
    """Lock the submissions of these jobs, and return the jobs by id: with photo and submission, of which photos, jobs and
    analyses are prefetched.

    They are locked in the order of their ids: two that lock several must not wait for each other. All else is read once
    the locks are held, or the result of another photo would be missing.
    """
    photos = Photo.objects.filter(jobs__in=ids)
    locked = Submission.objects.select_for_update(of=("self",)).filter(pk__in=photos.values("submission"))
    locked = locked.select_related("case").prefetch_related("photos__jobs", "photos__analyses__findings")
    every = (job for each in locked.order_by("pk") for photo in each.photos.all() for job in photo.jobs.all())
    return {str(job.pk): job for job in every if str(job.pk) in ids}
