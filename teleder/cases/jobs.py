"""The truth of the work: exactly-once effects on an at-least-once road.

The backlog lives in Postgres; Valkey holds a few messages that may all be lost at any time.
`dispatch` sends the most urgent queued jobs that fit the window, `record` takes a result of the current
attempt and of no other, `expire` finds silence. Silence after "started" is a death (three of them
quarantine the job); silence without it is a loss, and no strike.
All times are the database's (`Now`): workers' clocks decide nothing.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Collection, Iterable
from datetime import timedelta
from functools import cache, partial
from typing import Any

import redis
from django.conf import settings
from django.db import connection, transaction
from django.db.models import DateTimeField, F, Func, QuerySet
from django.db.models.functions import Least, Now
from kombu.exceptions import OperationalError

from inference_worker import contract, logs, messaging
from inference_worker.contract import Stage
from teleder.accounts.models import Purpose
from teleder.cases import keys, result_checks, triage
from teleder.cases.models import (
    UNDER_WAY,
    UNFINISHED,
    AIStatus,
    Analysis,
    EventKind,
    Finding,
    Job,
    JobState,
    Photo,
    PhotoState,
    Status,
    Submission,
)

log = logging.getLogger(__name__)

RESULT_GRACE_SECONDS = 5  # for the result to travel
STRAY_SECONDS = 10  # for a result that was under way when the broker lost everything
NOBODY = ""  # begun, and its worker is done with it
BROKER_MARK = "teleder.mark"  # gone: the broker has lost everything
BROKER_TIMEOUT_SECONDS = 0.5  # what a request may wait for Valkey at the most


# --- Queueing ---------------------------------------------------------------------------------------------
def queue(photo: Photo, stage: Stage, *, priority: int) -> None:
    """Make the job of a stage, once; it is sent when the transaction is through."""
    job, made = Job.objects.get_or_create(photo=photo, stage=stage, defaults={"priority": priority})
    if not made:  # cancelled when the patient took the submission back, and now it is sent again
        Job.objects.filter(pk=job.pk, state=JobState.CANCELLED).update(
            state=JobState.QUEUED, priority=priority
        )
    log.info("queued: %s of photo %s is job %s", stage, photo.pk, job.pk)
    transaction.on_commit(partial(dispatch_all, (stage,)))


def advance(photo: Photo, submission: Submission) -> None:
    """Queue the next stage that the photo is ready for; under the submission's lock.

    Before the patient has sent it, and without consent to AI, a photo is prepared and no more.
    """
    not_sent = {Status.DRAFT, Status.NEEDS_PHOTOS, Status.WITHDRAWN}
    if submission.ai_status == AIStatus.NOT_USED or submission.status in not_sent:
        return
    if not ai_may_read(submission):
        return
    analysis = photo.analysis
    if photo.was_prepared and analysis is None:
        queue(photo, Stage.SEGMENT, priority=submission.urgency)
    elif analysis is not None and analysis.classified_at is None:
        queue(photo, Stage.CLASSIFY, priority=submission.urgency)


def ai_may_read(submission: Submission) -> bool:
    return submission.patient.consents.given().filter(purpose=Purpose.AI).exists()


# --- Sending ----------------------------------------------------------------------------------------------
def dispatch_all(stages: Iterable[Stage] = tuple(Stage)) -> int:
    """Send what fits of these stages; return how many jobs were sent. Never raises for a broker that is away."""
    try:
        return sum(dispatch(stage) for stage in stages)
    except (redis.RedisError, OperationalError) as error:
        log.warning("broker away (%s): the sweeper will send later", type(error).__name__)
        return 0


def dispatch(stage: Stage) -> int:
    """Send the most urgent queued jobs of a stage that fit its window."""
    if not _waiting(
        stage
    ).exists():  # who queues one more sends it: nobody has to wait for the lock to find nothing
        return 0
    depth = _broker().llen(contract.QUEUES[stage])
    with transaction.atomic():
        messages = _take(stage, depth)
    for jobs in messages:
        _send(stage, jobs)
    return sum(map(len, messages))


def _waiting(stage: Stage) -> QuerySet[Job]:
    return Job.objects.filter(stage=stage, state=JobState.QUEUED)


def _broker() -> redis.Redis:
    return _broker_at(settings.REDIS_URL)


@cache
def _broker_at(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=BROKER_TIMEOUT_SECONDS,
        socket_timeout=BROKER_TIMEOUT_SECONDS,
        retry=None,
    )


def _take(stage: Stage, depth: int) -> list[list[Job]]:
    """Mark as sent, in batches, what fits: W messages at most, counted in rows and in the broker alike."""
    with connection.cursor() as cursor:  # two dispatchers must not both fill the same window
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"dispatch.{stage}"])
    sent = Job.objects.filter(stage=stage, state__in=UNDER_WAY).exclude(state=JobState.STARTED, worker=NOBODY)
    messages_out = sent.values("sent_at", "batch").distinct().count()
    room = settings.JOB_WINDOW - max(messages_out, depth)
    if room <= 0:
        return []
    waiting = _waiting(stage).order_by("-priority", "created_at")
    jobs = waiting.select_related("photo").select_for_update(of=("self",), skip_locked=True)
    size = 1 if stage == Stage.PREPARE else settings.JOB_BATCH
    return [_mark_sent(batch) for batch in _batches(list(jobs[: room * size]), room, size)]


def _batches(jobs: list[Job], room: int, size: int) -> list[list[Job]]:
    """Cut the most urgent jobs into at most `room` messages of at most `size` photos.

    One photo a message while there is room for each; a job that once killed its worker goes alone,
    so that a poison photo takes nobody with it. A stranger's bytes (`prepare`) do so the first time already.
    """
    size = min(size, -(-len(jobs) // room))
    batches: list[list[Job]] = []
    for job in jobs:
        open_batch = batches and len(batches[-1]) < size and not (job.deaths or batches[-1][0].deaths)
        if open_batch:
            batches[-1].append(job)
        else:
            batches.append([job])
    return batches[:room]


def _mark_sent(batch: list[Job]) -> list[Job]:
    rows = Job.objects.filter(pk__in=[job.pk for job in batch])
    rows.update(
        state=JobState.SENT,
        attempt=F("attempt") + 1,
        batch=len(batch),
        sent_at=_statement_time(),
        deadline=Now() + timedelta(seconds=settings.JOB_WAIT_SECONDS),
        worker="",
        error="",
    )
    attempts = dict(rows.values_list("pk", "attempt"))
    for job in batch:
        job.attempt = attempts[job.pk]
    return batch


def _statement_time() -> Any:
    # Now() is the same for a whole transaction; messages are told apart by the time of their own statement.
    return Func(function="STATEMENT_TIMESTAMP", output_field=DateTimeField())


def _send(stage: Stage, jobs: list[Job]) -> None:
    """Hand one message to the broker; if it is away, put its jobs back at once."""
    from teleder.celery import app  # the app reads the settings; this module is imported by models' users

    try:
        app.send_task(
            contract.TASKS[stage],
            kwargs=contract.pack_requests([_request(job) for job in jobs]),
            queue=messaging.queue(contract.QUEUES[stage]),
            expires=settings.JOB_WAIT_SECONDS,
            soft_time_limit=contract.SOFT_LIMIT_SECONDS[stage] * len(jobs),
            time_limit=contract.HARD_LIMIT_SECONDS[stage] * len(jobs),
            retry=False,
            headers={logs.TRACE_HEADER: {str(job.pk): job.photo.trace for job in jobs}},
        )
    except (redis.RedisError, OperationalError):
        for job in jobs:
            Job.objects.filter(pk=job.pk, attempt=job.attempt, state=JobState.SENT).update(
                state=JobState.QUEUED, losses=F("losses") + 1
            )
        raise
    for job in jobs:
        with logs.about(trace=job.photo.trace, photo=str(job.photo_id), job=str(job.pk)):
            log.info("sent: %s, attempt %s", stage, job.attempt)


def _request(job: Job) -> contract.Request:
    photo, stage = job.photo, Stage(job.stage)
    analysis = photo.analysis if stage == Stage.CLASSIFY else None
    return contract.Request(
        stage=stage,
        job=str(job.pk),
        attempt=job.attempt,
        photo=str(photo.pk),
        source=_source(photo, stage),
        prefix=keys.folder_of(photo.pk, stage, job.attempt),
        boxes=tuple(contract.Box(**box) for box in analysis.boxes) if analysis else (),
    )


def _source(photo: Photo, stage: Stage) -> str:
    """Return what the stage reads; nothing, which the worker calls missing, for a key that is not the photo's own."""
    made_by, key = Stage.PREPARE, photo.analysis_key
    if stage == Stage.PREPARE:
        made_by, key = keys.ORIGINAL, photo.original_key
    return key if keys.is_of(photo.pk, made_by, key) else ""


# --- Receiving --------------------------------------------------------------------------------------------
def started(*, job: str, attempt: int, worker: str) -> None:
    """A worker has begun: from here its silence is a death."""
    row = Job.objects.filter(pk=job, attempt=attempt, state=JobState.SENT).first()
    if row is None:
        return
    Job.objects.filter(pk=job, attempt=attempt, state=JobState.SENT).update(
        state=JobState.STARTED, worker=worker[:100], deadline=_deadline_in(_lease_seconds(row), row)
    )


def _lease_seconds(job: Job) -> float:
    return contract.HARD_LIMIT_SECONDS[Stage(job.stage)] * job.batch + RESULT_GRACE_SECONDS


def _deadline_in(seconds: float, job: Job) -> Any:
    """Return the time in so many seconds, but no later than an attempt may last from when it was sent.

    That is: waiting, work, and once more waiting for a process of the right version. Messages are not trusted; without
    an end "started" and unreadable results in turn would keep a job from ever being tried again.
    """
    longest = 2 * settings.JOB_WAIT_SECONDS + _lease_seconds(job)
    return Least(Now() + timedelta(seconds=seconds), F("sent_at") + timedelta(seconds=longest))


def ended(*, worker: str, work: dict[str, int] | None) -> None:
    """A worker works on these attempts no more ({job: attempt}; None: on nothing): soon its silence is a death.

    Results may still be on their way, but no place in the window is taken: else a few deaths hold up everybody.
    After each death the wait is longer, up to the lease itself: a machine that is short of memory for a moment must not
    use up a photo's three tries.
    """
    begun = Job.objects.filter(state=JobState.STARTED, worker=worker[:100])
    for job in begun if work is None else begun.filter(pk__in=work):
        attempt = job.attempt if work is None else work[str(job.pk)]
        soon = Now() + timedelta(seconds=RESULT_GRACE_SECONDS * 3**job.deaths)
        begun.filter(pk=job.pk, attempt=attempt).update(deadline=Least(F("deadline"), soon), worker=NOBODY)


def leave_to_another_version(*, job: str, attempt: int) -> bool:
    """Whether anybody waits for this result that cannot be read here; from now on its silence is no death."""
    rows = Job.objects.filter(pk=job, attempt=attempt, state__in=UNDER_WAY)
    row = rows.first()
    if row is None:
        return False
    rows.filter(state=JobState.STARTED).update(
        state=JobState.SENT, deadline=_deadline_in(settings.JOB_WAIT_SECONDS, row)
    )
    return True


@transaction.atomic
def record(*, job: str, attempt: int, worker: str, outcome: contract.Outcome) -> bool:
    """Take a result: job, next job, findings, urgency and events in one transaction.

    Return false, and change nothing, for a result of an attempt that is no longer under way. Raises
    `InvalidMessageError`, and changes nothing, for one that cannot be of this job.
    """
    submission = _lock_submission(job)
    if submission is None:
        return False
    under_way = Job.objects.filter(pk=job, attempt=attempt, state__in=UNDER_WAY)
    if (found := under_way.select_related("photo").first()) is not None:
        result_checks.check(found, outcome)
    state = JobState.FAILED if isinstance(outcome, contract.Failed) else JobState.DONE
    error = outcome.code if isinstance(outcome, contract.Failed) else ""
    taken = {"worker": worker[:100], "error": error, "finished_at": Now(), "deadline": None}
    if found is None or not under_way.update(state=state, **taken):
        log.info("result of job %s attempt %s came too late", job, attempt)
        return False
    photo = found.photo
    log.info("result of photo %s job %s attempt %s: %s %s", photo.pk, job, attempt, outcome.kind, state)
    _APPLY[type(outcome)](photo, outcome)
    advance(photo, submission)
    settle(submission)
    transaction.on_commit(partial(dispatch_all, (found.stage,)))  # a place in its window is free
    return True


def _lock_submission(job: str) -> Submission | None:
    # Two photos that finish together would otherwise both believe the other is unfinished.
    return Submission.objects.select_for_update(of=("self",)).filter(photos__jobs=job).first()


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


def _apply_prepared(photo: Photo, outcome: contract.Prepared) -> None:
    photo.state = _photo_state(outcome)
    photo.reason, photo.fault = outcome.reason or "", outcome.fault or ""
    for name in MEASURED:
        setattr(photo, name, getattr(outcome, name))
    # Not the whole row: the original may just be sealed with a new key.
    photo.save(update_fields=["state", "reason", "fault", *MEASURED])


def _photo_state(outcome: contract.Prepared) -> PhotoState:
    if outcome.reason is None:
        return PhotoState.READY
    return PhotoState.POOR if outcome.analysis_key else PhotoState.UNUSABLE


def _apply_segmented(photo: Photo, outcome: contract.Segmented) -> None:
    Analysis.objects.create(
        photo=photo,
        mask_key=outcome.mask_key,
        skin=outcome.skin,
        lesion=outcome.lesion,
        boxes=[vars(box) for box in outcome.boxes],
        no_box=outcome.no_box or "",
        nearest_miss=outcome.nearest_miss and vars(outcome.nearest_miss),
        segmentation_model=vars(outcome.model),
    )


def _apply_classified(photo: Photo, outcome: contract.Classified) -> None:
    analysis = photo.analysis
    Analysis.objects.filter(pk=analysis.pk).update(
        classified_at=Now(),
        classification_model=vars(outcome.model),
        demonstration=outcome.demonstration,
        views=[vars(view) for view in outcome.views],
        thresholds=outcome.thresholds,
        top=outcome.top or "",
        abstention=outcome.abstention or "",
        device=outcome.device,
        **_attributed(outcome.attribution),
    )
    Finding.objects.bulk_create(
        Finding(analysis=analysis, condition=name, probability=p, threshold=outcome.thresholds.get(name))
        for name, p in outcome.probabilities.items()
    )


def _attributed(attribution: contract.Attribution | None) -> dict[str, Any]:
    return {f"attribution_{name}": value for name, value in vars(attribution).items()} if attribution else {}


_APPLY = {
    contract.Prepared: _apply_prepared,
    contract.Segmented: _apply_segmented,
    contract.Classified: _apply_classified,
    contract.Failed: lambda photo, outcome: None,
}


# --- What the results mean for the submission -------------------------------------------------------------
def settle(submission: Submission) -> None:
    """Bring urgency and AI status in line with what is known by now; under the submission's lock."""
    submission.refresh_from_db()
    if submission.submitted_at is None or submission.status == Status.WITHDRAWN:
        return
    photos = list(submission.current_photos().prefetch_related("analyses__findings", "jobs"))
    _raise_urgency(submission, photos)
    _finish_ai(submission, photos)


def _raise_urgency(submission: Submission, photos: list[Photo]) -> None:
    policy = triage.policy(submission.policy)
    result = triage.urgency_of(submission.answers, list(_reports(photos)), policy=policy)
    flags = [flag.as_json() for flag in result.flags]
    urgency = max(result.urgency, submission.urgency)
    due = min(submission.due_at, policy.due(triage.Urgency(urgency), submission.submitted_at))
    if (urgency, flags) == (submission.urgency, submission.flags):
        return
    Submission.objects.filter(pk=submission.pk).update(urgency=urgency, flags=flags, due_at=due)
    if urgency > submission.urgency:
        detail = {"from": submission.urgency, "to": urgency, "policy": policy.id}
        submission.events.create(kind=EventKind.URGENCY_RAISED, detail=detail)
        waiting = Job.objects.filter(photo__submission=submission, state=JobState.QUEUED)
        waiting.update(priority=urgency)
    submission.refresh_from_db()


def _reports(photos: Iterable[Photo]) -> Iterable[triage.PhotoReport]:
    photos = list(photos)
    checked = [photo for photo in photos if photo.state != PhotoState.STORED]
    if checked and len(checked) == len(photos) and not any(p.state == PhotoState.READY for p in photos):
        yield triage.PhotoReport(readable=False)
    for photo in photos:
        if (analysis := photo.analysis) is not None:
            yield triage.PhotoReport(
                probabilities=analysis.probabilities(),
                thresholds=analysis.thresholds,
                abstained=bool(analysis.abstention),
                no_box=bool(analysis.no_box),
            )


def _finish_ai(submission: Submission, photos: list[Photo]) -> None:
    if submission.ai_status == AIStatus.NOT_USED or any(_is_unfinished(photo) for photo in photos):
        return
    usable = [photo for photo in photos if photo.state != PhotoState.UNUSABLE] or photos
    read = [photo.analysis is not None and photo.analysis.classified_at is not None for photo in usable]
    status = AIStatus.DONE if all(read) else AIStatus.PARTLY if any(read) else AIStatus.UNAVAILABLE
    if submission.ai_status == status:
        return
    Submission.objects.filter(pk=submission.pk).update(ai_status=status)
    kind = EventKind.AI_UNAVAILABLE if status == AIStatus.UNAVAILABLE else EventKind.AI_DONE
    submission.events.create(kind=kind, detail={"status": status.value})


def _is_unfinished(photo: Photo) -> bool:
    return any(job.state in UNFINISHED for job in photo.jobs.all())


# --- Sweeping ---------------------------------------------------------------------------------------------
def expire() -> int:
    """Take back every job whose worker was silent past its deadline; return how many."""
    silent = Job.objects.filter(state__in=UNDER_WAY, deadline__lt=Now()).order_by("deadline")
    return sum(_expire(pk) for pk in silent.values_list("pk", flat=True)[:200])


@transaction.atomic
def _expire(pk: Any) -> bool:
    submission = _lock_submission(pk)
    job = Job.objects.filter(pk=pk, state__in=UNDER_WAY, deadline__lt=Now()).first()
    if job is None or submission is None:
        return False
    if job.state == JobState.SENT:
        return bool(_leave(job, state=JobState.QUEUED, losses=F("losses") + 1))
    died_too_often = job.deaths + 1 >= settings.JOB_DEATHS
    state = JobState.QUARANTINED if died_too_often else JobState.QUEUED
    left = _leave(job, state=state, deaths=F("deaths") + 1, error="worker_died")
    if left and died_too_often:
        submission.events.create(kind=EventKind.JOB_QUARANTINED, detail={"stage": job.stage})
        settle(submission)
    return bool(left)


def notice_an_emptied_broker() -> int:
    """Take back at once what lay in a broker that has lost everything; return how many jobs that concerns.

    A job that was begun may still answer for a moment. Its silence is a loss then, no strike against the photo.
    """
    broker = _broker()
    try:
        if broker.exists(BROKER_MARK):
            return 0
        begun = Job.objects.filter(state=JobState.STARTED)
        soon = Least(F("deadline"), Now() + timedelta(seconds=STRAY_SECONDS))
        sent = Job.objects.filter(state=JobState.SENT)
        lost = sent.update(state=JobState.QUEUED, losses=F("losses") + 1, deadline=None, sent_at=None)
        lost += begun.update(state=JobState.SENT, deadline=soon)
        broker.set(BROKER_MARK, 1)
    except redis.RedisError as error:
        log.warning("broker away (%s)", type(error).__name__)
        return 0
    return lost


def forget_messages(words: Collection[str]) -> int:
    """Take out of the broker every message that names one of these ids; return how many.

    Others' jobs in such a message are missed at their deadline and sent again. Raises `RedisError`.
    """
    broker, found = _broker(), 0
    for queue in [*contract.QUEUES.values(), contract.RESULTS_QUEUE]:
        naming = [raw for raw in broker.lrange(queue, 0, -1) if _names(raw, words)]
        found += sum(broker.lrem(queue, 1, raw) for raw in naming)
    for names in messaging.UNACKNOWLEDGED.values():
        for tag, raw in list(broker.hscan_iter(names["unacked_key"])):
            if _names(raw, words):
                found += broker.hdel(names["unacked_key"], tag)
                broker.zrem(names["unacked_index_key"], tag)
    return found


def _names(raw: bytes, words: Collection[str]) -> bool:
    """Whether a message as kombu writes it names one of the words: in its head, or in its body (base64)."""
    message = json.loads(raw)
    message = message[0] if isinstance(message, list) else message
    text = json.dumps(message) + base64.b64decode(message["body"]).decode(errors="replace")
    return any(word in text for word in words)


def _leave(job: Job, **changes: Any) -> int:
    same = Job.objects.filter(pk=job.pk, attempt=job.attempt, state=job.state)
    return same.update(deadline=None, sent_at=None, **changes)


# --- The admin's hands ------------------------------------------------------------------------------------
@transaction.atomic
def requeue(job: Job, *, by: Any) -> bool:
    """Try a failed, quarantined or cancelled job again with a clean slate; without consent to AI only `prepare`."""
    submission = _lock_submission(job.pk)
    if job.stage != Stage.PREPARE and not ai_may_read(submission):
        return False
    stopped = (JobState.FAILED, JobState.QUARANTINED, JobState.CANCELLED)
    rows = Job.objects.filter(pk=job.pk, state__in=stopped)
    if not rows.update(state=JobState.QUEUED, deaths=0, error="", finished_at=None):
        return False
    submission.events.create(kind=EventKind.JOB_REQUEUED, actor=by, detail={"stage": job.stage})
    transaction.on_commit(dispatch_all)
    return True


@transaction.atomic
def cancel(job: Job, *, by: Any) -> bool:
    """Stop a job that is not finished; a result that still comes changes nothing."""
    submission = _lock_submission(job.pk)
    rows = Job.objects.filter(pk=job.pk, state__in=UNFINISHED)
    if not rows.update(state=JobState.CANCELLED, deadline=None):
        return False
    submission.events.create(kind=EventKind.JOB_CANCELLED, actor=by, detail={"stage": job.stage})
    settle(submission)
    return True
