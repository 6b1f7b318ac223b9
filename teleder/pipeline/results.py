"""Records the results of workers: one of the current attempt counts once, any other changes nothing.

So does one of a stage of the version before: its job has been replaced, or will be (`recovery.replace_older_stages`).
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Least, Now

from contract import logs, messages
from contract.messages import Stage
from teleder.cases.models import (
    Analysis,
    DrawnCropFinding,
    Finding,
    Job,
    JobState,
    Photo,
    PhotoState,
    StoredFile,
    add_to_prefetched,
    set_prefetched,
)
from teleder.cases.stored_files import note_damage
from teleder.pipeline import ai_status, dispatch, mending, queue, result_checks
from teleder.pipeline.dispatch import NO_WORKER, wait_seconds
from teleder.pipeline.transitions import JOB_MOVES, UNDER_WAY, JobStep, move_jobs

log = logging.getLogger(__name__)

RESULT_GRACE_SECONDS = 5  # for the result to arrive
WAITED_FOR = (messages.STORAGE_UNAVAILABLE, messages.FILE_DAMAGED)  # the job is sent again later
AFTER_OTHERS = (Stage.CHECK, Stage.DISTANCE)  # what these ask for waits while submitted photos wait
DAMAGES = {messages.FILE_DAMAGED, messages.FILE_MISSING, messages.ORIGINAL_LOCKED}


def started(*, worker: str, work: dict[str, int]) -> None:
    """Note that a worker has started these attempts: from now on a time-out counts as a crash."""
    for job, (lease, wait) in _limits(work).items():  # each by itself: no two rows are locked at once
        rows = _attempt(job, work[job])
        move_jobs(rows, JobStep.START, worker=worker[:100], deadline=_deadline_in(lease, lease, wait))


def _attempt(job: str, attempt: int) -> QuerySet[Job]:
    return Job.objects.filter(pk=job, attempt=attempt)


def _limits(work: dict[str, int]) -> dict[str, tuple[float, float]]:
    """Return for each of these attempts how long (s) it may take once it has started, and how long its message may wait.

    What is none of this version is left out.
    """
    found = Job.objects.filter(pk__in=work, stage__in=Stage).order_by()
    return {
        str(job): (
            messages.HARD_LIMIT_SECONDS[Stage(stage)] * batch + RESULT_GRACE_SECONDS,
            wait_seconds(Stage(stage), losses),
        )
        for job, stage, batch, losses in found.values_list("pk", "stage", "batch", "losses")
    }


def _deadline_in(seconds: float, lease: float, wait: float) -> Any:
    """Return the time in so many seconds, but no later than the longest an attempt may last since it was sent.

    That is: waiting, work, and waiting again for a process of the right version. Messages are untrusted: without this
    limit, "started" and unreadable results in turn could postpone the time-out for ever.
    """
    longest = 2 * wait + lease
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
    limits = _limits({job: attempt}).get(job)
    rows = _attempt(job, attempt).filter(state__in=UNDER_WAY)
    if limits is None or not rows.exists():
        return False
    move_jobs(rows, JobStep.HAND_BACK, deadline=_deadline_in(settings.JOB_WAIT_SECONDS, *limits))
    return True


@dataclass(frozen=True, kw_only=True)
class Result:
    job: str
    attempt: int
    outcome: messages.Outcome


def record_all(*, worker: str, results: Sequence[Result]) -> list[tuple[Result, Exception]]:
    """Record the results of one task in one transaction; return those that could not be recorded, with their errors.

    Each has its own savepoint: one that is refused changes nothing and undoes no other. Raises `OperationalError` and
    `InterfaceError`, and records nothing, while the database is away.
    """
    failed: list[tuple[Result, Exception]] = []
    several, locked, freed = len(results) > 1, None, {}
    with transaction.atomic() if several else nullcontext():
        for result in results:
            if several and locked is None:
                locked = queue.lock_jobs({result.job for result in results})
            try:
                freed |= dict.fromkeys(_record(**vars(result), worker=worker, locked=locked))
            except (OperationalError, InterfaceError):
                raise
            except Exception as error:  # noqa: BLE001  (the caller logs it; the others go on)
                failed.append((result, error))
                locked = None  # it may hold what the database has just undone
        _dispatch_after_commit(freed)
    return failed


def record(*, job: str, attempt: int, worker: str, outcome: messages.Outcome) -> bool:
    """Record a result: job, next job, findings, urgency and events in one transaction.

    Return false, and change nothing, for a result of an attempt that is no longer under way. Raises
    `InvalidMessageError`, and changes nothing, for one that cannot be of this job.
    """
    freed = _record(job=job, attempt=attempt, worker=worker, outcome=outcome)
    _dispatch_after_commit(freed)
    return bool(freed)


def _dispatch_after_commit(freed: Iterable[Stage]) -> None:
    """Send what has a place in these stages' windows now; once for all results of a message."""
    if stages := tuple(freed):
        transaction.on_commit(partial(dispatch.dispatch_all, stages))


@transaction.atomic
def _record(
    *,
    job: str,
    attempt: int,
    worker: str,
    outcome: messages.Outcome,
    locked: dict[str, Job] | None = None,
) -> Iterable[Stage]:
    """Record a result and return the stages in which work may go now; none where nothing changed.

    `locked` is what `queue.lock_jobs` returned in this transaction; it is kept up to date.
    """
    found = (queue.lock_jobs({job}) if locked is None else locked).get(job)
    if found is None:
        return ()
    photo, submission = found.photo, found.photo.submission
    is_awaited = found.attempt == attempt and found.stage in tuple(Stage) and found.state in UNDER_WAY
    if is_awaited:
        result_checks.check_outcome(found, outcome)
    if is_awaited and isinstance(outcome, messages.Failed) and outcome.code in DAMAGES:
        source = StoredFile.ORIGINAL if found.stage in messages.FROM_ORIGINAL else StoredFile.ANALYSIS
        note_damage(photo.pk, source)  # where it is whole, `mending` says so
    if isinstance(outcome, messages.Failed) and outcome.code in WAITED_FOR:
        leave_to_another_version(job=job, attempt=attempt)  # its time-out then counts as a lost message
        return ()
    error = _failure(outcome)
    step = JobStep.FAIL if error else JobStep.SUCCEED
    taken = {"worker": worker[:100], "error": error, "finished_at": Now(), "deadline": None}
    if not is_awaited or not move_jobs(_attempt(job, attempt), step, held=found, **taken):
        log.info("late result of job %s attempt %s ignored", job, attempt)
        return ()
    with logs.about(trace=photo.trace, photo=str(photo.pk), job=job):
        log.info("result: attempt %s, %s %s", attempt, outcome.kind, JOB_MOVES[step][1])
    if found.stage == Stage.REANALYSE:
        _apply_reanalysed(photo, outcome)
    else:
        _APPLY[type(outcome)](photo, outcome)
    queue.advance(photo, submission)
    ai_status.settle(submission)
    # Its place in the window is free; what waits while others wait may go by now.
    return (found.stage, *AFTER_OTHERS)


def _failure(outcome: messages.Outcome) -> str:
    if isinstance(outcome, messages.Failed):
        return outcome.code
    return (outcome.failure or "") if isinstance(outcome, messages.Analysed) else ""


MEASURED = (
    "quality",
    *(
        f"{name}_{part}"
        for name in ("display", "analysis", "thumbnail", "veiled")
        for part in ("key", "sha256")
    ),
    "width",
    "height",
    "analysis_width",
    "analysis_height",
)


def _apply_prepared(photo: Photo, outcome: messages.Prepared) -> None:
    if photo.was_prepared and not outcome.display_key:
        log.error("photo %s cannot be prepared again (%s)", photo.pk, outcome.reason)
        return  # what people have seen does not become unusable
    photo.state = _photo_state(outcome)
    photo.reason, photo.fault = outcome.reason or "", outcome.fault or ""
    for name in MEASURED:
        setattr(photo, name, getattr(outcome, name))
    # Only these columns: key rotation may change the others at the same time.
    photo.save(update_fields=["state", "reason", "fault", *MEASURED])


def _apply_full_copy(photo: Photo, outcome: messages.FullCopy) -> None:
    photo.full_key, photo.full_sha256 = outcome.full_key, outcome.full_sha256
    photo.save(update_fields=["full_key", "full_sha256"])


def _photo_state(outcome: messages.Prepared) -> PhotoState:
    if outcome.reason is None:
        return PhotoState.READY
    return PhotoState.POOR if outcome.analysis_key else PhotoState.UNUSABLE


def _apply_analysed(photo: Photo, outcome: messages.Analysed) -> None:
    """Keep what was found. An analysis without a classification is replaced: it was begun, and is now made again."""
    begun = photo.analysis
    if begun is not None and begun.is_classified and mending.waits_for_pictures(photo):
        _take_pictures(begun, outcome)
        return
    analysis = Analysis(photo=photo) if begun is None or begun.is_classified else begun
    _take_segmented(analysis, outcome.segmented)
    if (classified := outcome.classified) is not None:
        _take_classified(analysis, classified)
    analysis.save()
    if analysis is not begun:
        add_to_prefetched(photo, "analyses", analysis)
    if classified is not None:
        findings = Finding.objects.bulk_create(
            Finding(
                analysis=analysis, condition=name, probability=p, threshold=classified.thresholds.get(name)
            )
            for name, p in classified.probabilities.items()
        )
        set_prefetched(analysis, "findings", findings)


def _take_pictures(analysis: Analysis, outcome: messages.Analysed) -> None:
    """Of the same models only, or none: a picture must fit the finding beside it."""
    classified = outcome.classified
    if classified is None or (vars(outcome.segmented.model), vars(classified.model)) != (
        analysis.segmentation_model,
        analysis.classification_model,
    ):
        mending.drop_pictures(analysis)
        return
    analysis.mask_key, analysis.mask_sha256 = outcome.segmented.mask_key, outcome.segmented.mask_sha256
    if (drawn := classified.attribution) is not None:
        analysis.attribution_key, analysis.attribution_sha256 = drawn.key, drawn.sha256
    analysis.save(update_fields=["mask_key", "mask_sha256", "attribution_key", "attribution_sha256"])


def _take_segmented(analysis: Analysis, outcome: messages.Segmented) -> None:
    analysis.mask_key, analysis.mask_sha256 = outcome.mask_key, outcome.mask_sha256
    analysis.skin, analysis.lesion = outcome.skin, outcome.lesion
    analysis.boxes = [vars(box) for box in outcome.boxes]
    analysis.no_box = outcome.no_box or ""
    analysis.nearest_miss = outcome.nearest_miss and vars(outcome.nearest_miss)
    analysis.signs = [vars(sign) for sign in outcome.signs]
    analysis.segmentation_model = vars(outcome.model)


def _take_classified(analysis: Analysis, outcome: messages.Classified) -> None:
    analysis.classified_at = Now()
    analysis.classification_model = vars(outcome.model)
    analysis.demonstration = outcome.demonstration
    analysis.views = [vars(view) for view in outcome.views]
    analysis.alarms = [dataclasses.asdict(alarm) for alarm in outcome.alarms]
    analysis.thresholds = outcome.thresholds
    analysis.top, analysis.abstention = outcome.top or "", outcome.abstention or ""
    analysis.device = outcome.device
    for name, value in vars(outcome.attribution).items() if outcome.attribution else ():
        setattr(analysis, f"attribution_{name}", value)


def _apply_reanalysed(photo: Photo, outcome: messages.Analysed | messages.Failed) -> None:
    """Keep what was found of the newest drawn crop: beside the analysis, never in its place, so that it changes no urgency."""
    if _failure(outcome):
        return
    # No page shows a heat map of it: the file is left over.
    classified = dataclasses.replace(outcome.classified, attribution=None)
    result = dataclasses.asdict(dataclasses.replace(outcome, classified=classified))
    mask_key = outcome.segmented.mask_key
    drawn = photo.drawn_crops.latest("at", "id")
    DrawnCropFinding.objects.create(drawn_crop=drawn, mask_key=mask_key, result=result)


def _apply_checked(photo: Photo, outcome: messages.Checked) -> None:
    photo.advice, photo.check_result = outcome.advice or "", dataclasses.asdict(outcome)
    photo.save(update_fields=["advice", "check_result"])


def _apply_distance_report(photo: Photo, outcome: messages.DistanceReport) -> None:
    analysis = photo.analysis
    analysis.distance = dataclasses.asdict(outcome)
    analysis.save(update_fields=["distance"])


_APPLY = {
    messages.Prepared: _apply_prepared,
    messages.FullCopy: _apply_full_copy,
    messages.Analysed: _apply_analysed,
    messages.Checked: _apply_checked,
    messages.DistanceReport: _apply_distance_report,
    messages.Failed: lambda photo, outcome: None,
}
