"""Sending jobs to the workers: the most urgent queued jobs that fit the window, in batches.

All times are the database's (`Now`): the clocks of web and workers do not matter.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta

import redis
from django.conf import settings
from django.db import connection, transaction
from django.db.models import DateTimeField, F, Func, QuerySet
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from contract import logs, messages, messaging
from contract.messages import Stage
from contract.storage import keys
from teleder.cases.models import (
    Job,
    JobState,
)
from teleder.pipeline.transitions import UNDER_WAY, UNFINISHED, WAITING, JobStep, move_jobs

log = logging.getLogger(__name__)
NO_WORKER = ""  # started, and its worker no longer works on it


def dispatch_all(stages: Iterable[Stage] = tuple(Stage)) -> int:
    """Send the jobs of these stages that fit; return how many. Never raises because the broker is unreachable."""
    try:
        return sum(dispatch_stage(stage) for stage in _with_waiting_jobs(stages))
    except (redis.RedisError, OperationalError) as error:
        log.warning("broker unreachable (%s): the sweeper will send later", type(error).__name__)
        return 0


def dispatch_stage(stage: Stage) -> int:
    """Send the most urgent queued jobs of a stage that fit its window."""
    waiting = _waiting(stage)
    if any(jobs.exists() for jobs in _going_before(stage)):
        waiting = _out_of_patience(waiting, stage)
        if not waiting.exists():
            return 0
    depth = messaging.client(settings.REDIS_URL, "request").llen(messages.QUEUES[stage])
    with transaction.atomic():
        batches = _take(stage, waiting, depth)
    for jobs in batches:
        send_batch(stage, jobs)
    return sum(map(len, batches))


def _with_waiting_jobs(stages: Iterable[Stage]) -> list[Stage]:
    """Return those of the stages with a queued job, by one query: whoever queues another job dispatches it."""
    first, *others = (_waiting(stage).order_by().values_list("stage", flat=True)[:1] for stage in stages)
    found = set(first.union(*others, all=True) if others else first)
    return [stage for stage in stages if stage in found]


def _waiting(stage: Stage) -> QuerySet[Job]:
    return Job.objects.filter(stage=stage, state__in=WAITING).order_by("-priority", "created_at")


def _going_before(stage: Stage) -> Iterable[QuerySet[Job]]:
    """Yield the jobs for which those of a stage wait, because one worker may do both.

    A report takes seconds, and a message that was sent may still wait for its worker: reports wait for those too.
    """
    if stage == Stage.CHECK:
        yield _waiting(Stage.ANALYSE)
    if stage == Stage.DISTANCE:
        yield Job.objects.exclude(stage=Stage.DISTANCE).filter(state__in=UNFINISHED)


def _out_of_patience(waiting: QuerySet[Job], stage: Stage) -> QuerySet[Job]:
    """Return the jobs that wait for others no longer: reports after a while, by age, so that none waits for ever."""
    if stage != Stage.DISTANCE:
        return waiting.none()
    since = Now() - timedelta(minutes=settings.DISTANCE_PATIENCE_MINUTES)
    return waiting.filter(created_at__lt=since).order_by("created_at")


def _take(stage: Stage, waiting: QuerySet[Job], depth: int) -> list[list[Job]]:
    """Mark the first that fit as sent, in batches: at most W messages, counted in rows and in the broker."""
    with connection.cursor() as cursor:  # two dispatchers must not both fill the same window
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"dispatch.{stage}"])
    sent = Job.objects.filter(stage=stage, state__in=UNDER_WAY).exclude(
        state=JobState.STARTED, worker=NO_WORKER
    )
    messages_out = sent.values("sent_at", "batch").distinct().count()
    # A photo that comes in now waits for one report of each worker at most.
    window = settings.INFERENCE_SLOTS if stage == Stage.DISTANCE else settings.JOB_WINDOW
    room = window - max(messages_out, depth)
    if room <= 0:
        return []
    jobs = waiting.select_related("photo").select_for_update(of=("self",), skip_locked=True)
    size = 1 if stage in messages.ALONE else settings.JOB_BATCH
    return [mark_sent(batch) for batch in _batches(list(jobs[: room * size]), room, size)]


def _batches(jobs: list[Job], room: int, size: int) -> list[list[Job]]:
    """Cut the most urgent jobs into at most `room` messages of at most `size` photos.

    One photo a message while there is room for each. A job whose worker crashed goes alone, so that a photo that
    crashes workers does not fail others; untrusted uploads (`prepare`) always do.
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


def mark_sent(batch: list[Job]) -> list[Job]:
    rows = Job.objects.filter(pk__in=[job.pk for job in batch])
    move_jobs(
        rows,
        JobStep.SEND,
        attempt=F("attempt") + 1,
        batch=len(batch),
        # Now() is the same for a whole transaction; the statement's time distinguishes its messages.
        sent_at=Func(function="STATEMENT_TIMESTAMP", output_field=DateTimeField()),
        deadline=Now() + timedelta(seconds=settings.JOB_WAIT_SECONDS),
        worker="",
        error="",
    )
    for job in batch:  # its row is locked
        job.attempt += 1
    return batch


def send_batch(stage: Stage, jobs: list[Job]) -> None:
    """Send one message to the broker; if it is unreachable, queue its jobs again at once."""
    from teleder.celery import app  # the app reads the settings; this module is imported by models' users

    try:
        app.send_task(
            messages.TASKS[stage],
            kwargs=messages.pack_requests([_request(job) for job in jobs]),
            queue=messaging.queue(messages.QUEUES[stage]),
            expires=settings.JOB_WAIT_SECONDS,
            soft_time_limit=messages.SOFT_LIMIT_SECONDS[stage] * len(jobs),
            time_limit=messages.HARD_LIMIT_SECONDS[stage] * len(jobs),
            retry=False,
            headers={logs.TRACE_HEADER: {str(job.pk): job.photo.trace for job in jobs}},
        )
    except (redis.RedisError, OperationalError):
        for job in jobs:
            unsent = Job.objects.filter(pk=job.pk, attempt=job.attempt)
            move_jobs(unsent, JobStep.LOSE, losses=F("losses") + 1)
        raise
    for job in jobs:
        with logs.about(trace=job.photo.trace, photo=str(job.photo_id), job=str(job.pk)):
            log.info("sent: %s, attempt %s", stage, job.attempt)


def _request(job: Job) -> messages.Request:
    photo, stage = job.photo, Stage(job.stage)
    made_by, source = Stage.PREPARE, photo.analysis_key
    if stage == Stage.PREPARE:
        made_by, source = keys.ORIGINAL, photo.original_key
    return messages.Request(
        stage=stage,
        job=str(job.pk),
        attempt=job.attempt,
        photo=str(photo.pk),
        # The worker reports "" as a missing file.
        source=source if keys.is_of(photo.pk, made_by, source) else "",
        prefix=keys.folder_of(photo.pk, stage, job.attempt),
    )
