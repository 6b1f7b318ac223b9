"""Records the results of workers: one of the current attempt counts once, any other changes nothing."""

from __future__ import annotations

import dataclasses
import logging
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Least, Now

from contract import messages
from contract.messages import Stage
from teleder.cases.models import (
    NOT_AWAITED,
    Analysis,
    Finding,
    Job,
    JobState,
    Photo,
    PhotoState,
)
from teleder.pipeline import ai_status, dispatch, queue, result_checks
from teleder.pipeline.dispatch import NO_WORKER
from teleder.pipeline.transitions import JOB_MOVES, UNDER_WAY, JobStep, move_jobs

log = logging.getLogger(__name__)

RESULT_GRACE_SECONDS = 5  # for the result to arrive


def started(*, job: str, attempt: int, worker: str) -> None:
    """Note that a worker has started: from now on a time-out counts as a crash."""
    rows = Job.objects.filter(pk=job, attempt=attempt)
    if (row := rows.first()) is not None:
        deadline = _deadline_in(_lease_seconds(row), row)
        move_jobs(rows, JobStep.START, worker=worker[:100], deadline=deadline)


def _lease_seconds(job: Job) -> float:
    return messages.HARD_LIMIT_SECONDS[Stage(job.stage)] * job.batch + RESULT_GRACE_SECONDS


def _deadline_in(seconds: float, job: Job) -> Any:
    """Return the time in so many seconds, but no later than the longest an attempt may last since it was sent.

    That is: waiting, work, and waiting again for a process of the right version. Messages are untrusted: without this
    limit, "started" and unreadable results in turn could postpone the time-out for ever.
    """
    longest = 2 * settings.JOB_WAIT_SECONDS + _lease_seconds(job)
    return Least(Now() + timedelta(seconds=seconds), F("sent_at") + timedelta(seconds=longest))


def ended(*, worker: str, work: dict[str, int] | None) -> None:
    """A worker no longer works on these attempts ({job: attempt}; None: on nothing): shorten their deadlines.

    Results may still arrive, but the jobs no longer take a place in the window: a few crashes would else block it.
    After each crash the wait is longer, up to the full lease: a machine that is short of memory for a moment must not
    use up a photo's three attempts.
    """
    begun = Job.objects.filter(state=JobState.STARTED, worker=worker[:100])
    for job in begun if work is None else begun.filter(pk__in=work):
        attempt = job.attempt if work is None else work[str(job.pk)]
        soon = Now() + timedelta(seconds=RESULT_GRACE_SECONDS * 3**job.deaths)
        begun.filter(pk=job.pk, attempt=attempt).update(deadline=Least(F("deadline"), soon), worker=NO_WORKER)


def leave_to_another_version(*, job: str, attempt: int) -> bool:
    """Whether this result, which this version cannot read, is still expected; its time-out then is no crash."""
    rows = Job.objects.filter(pk=job, attempt=attempt, state__in=UNDER_WAY)
    row = rows.first()
    if row is None:
        return False
    move_jobs(rows, JobStep.HAND_BACK, deadline=_deadline_in(settings.JOB_WAIT_SECONDS, row))
    return True


@transaction.atomic
def record(*, job: str, attempt: int, worker: str, outcome: messages.Outcome) -> bool:
    """Record a result: job, next job, findings, urgency and events in one transaction.

    Return false, and change nothing, for a result of an attempt that is no longer under way. Raises
    `InvalidMessageError`, and changes nothing, for one that cannot be of this job.
    """
    submission = queue.lock_submission(job)
    if submission is None:
        return False
    under_way = Job.objects.filter(pk=job, attempt=attempt, state__in=UNDER_WAY)
    if (found := under_way.select_related("photo").first()) is not None:
        result_checks.check_outcome(found, outcome)
    if isinstance(outcome, messages.Failed) and outcome.code == messages.STORAGE_UNAVAILABLE:
        leave_to_another_version(job=job, attempt=attempt)  # its time-out then counts as a lost message
        return False
    step = JobStep.FAIL if isinstance(outcome, messages.Failed) else JobStep.SUCCEED
    error = outcome.code if isinstance(outcome, messages.Failed) else ""
    taken = {"worker": worker[:100], "error": error, "finished_at": Now(), "deadline": None}
    if found is None or not move_jobs(under_way, step, **taken):
        log.info("late result of job %s attempt %s ignored", job, attempt)
        return False
    photo = found.photo
    log.info(
        "result of photo %s job %s attempt %s: %s %s",
        photo.pk,
        job,
        attempt,
        outcome.kind,
        JOB_MOVES[step][1],
    )
    _APPLY[type(outcome)](photo, outcome)
    queue.advance(photo, submission)
    ai_status.settle(submission)
    # Its place in the window is free; what waits while others wait may go by now.
    stages = tuple(dict.fromkeys((found.stage, *NOT_AWAITED)))
    transaction.on_commit(partial(dispatch.dispatch_all, stages))
    return True


MEASURED = (
    "quality",
    "display_key",
    "analysis_key",
    "thumbnail_key",
    "width",
    "height",
    "analysis_width",
    "analysis_height",
)


def _apply_prepared(photo: Photo, outcome: messages.Prepared) -> None:
    photo.state = _photo_state(outcome)
    photo.reason, photo.fault = outcome.reason or "", outcome.fault or ""
    for name in MEASURED:
        setattr(photo, name, getattr(outcome, name))
    # Only these columns: key rotation may change the others at the same time.
    photo.save(update_fields=["state", "reason", "fault", *MEASURED])


def _photo_state(outcome: messages.Prepared) -> PhotoState:
    if outcome.reason is None:
        return PhotoState.READY
    return PhotoState.POOR if outcome.analysis_key else PhotoState.UNUSABLE


def _apply_segmented(photo: Photo, outcome: messages.Segmented) -> None:
    Analysis.objects.create(
        photo=photo,
        mask_key=outcome.mask_key,
        skin=outcome.skin,
        lesion=outcome.lesion,
        boxes=[vars(box) for box in outcome.boxes],
        no_box=outcome.no_box or "",
        nearest_miss=outcome.nearest_miss and vars(outcome.nearest_miss),
        signs=[vars(sign) for sign in outcome.signs],
        segmentation_model=vars(outcome.model),
    )


def _apply_classified(photo: Photo, outcome: messages.Classified) -> None:
    analysis = photo.analysis
    attribution = vars(outcome.attribution) if outcome.attribution else {}
    Analysis.objects.filter(pk=analysis.pk).update(
        classified_at=Now(),
        classification_model=vars(outcome.model),
        demonstration=outcome.demonstration,
        views=[vars(view) for view in outcome.views],
        alarms=[dataclasses.asdict(alarm) for alarm in outcome.alarms],
        thresholds=outcome.thresholds,
        top=outcome.top or "",
        abstention=outcome.abstention or "",
        device=outcome.device,
        **{f"attribution_{name}": value for name, value in attribution.items()},
    )
    Finding.objects.bulk_create(
        Finding(analysis=analysis, condition=name, probability=p, threshold=outcome.thresholds.get(name))
        for name, p in outcome.probabilities.items()
    )


def _apply_checked(photo: Photo, outcome: messages.Checked) -> None:
    photo.advice, photo.check_result = outcome.advice or "", dataclasses.asdict(outcome)
    photo.save(update_fields=["advice", "check_result"])


def _apply_distance_report(photo: Photo, outcome: messages.DistanceReport) -> None:
    Analysis.objects.filter(pk=photo.analysis.pk).update(distance=dataclasses.asdict(outcome))


_APPLY = {
    messages.Prepared: _apply_prepared,
    messages.Segmented: _apply_segmented,
    messages.Classified: _apply_classified,
    messages.Checked: _apply_checked,
    messages.DistanceReport: _apply_distance_report,
    messages.Failed: lambda photo, outcome: None,
}
