"""Sending jobs to the workers: the most urgent queued jobs that fit the window, in batches.

The window holds two messages for each worker process: one that it works on, and one that waits. What comes meanwhile waits in
PostgreSQL, and fills the next message: batches form when work waits, and a lone photo goes at once. Urgent photos have a
window of their own and the first turn at the worker, so that they wait for the message under way and for no other.

All times are the database's (`Now`): the clocks of web and workers do not matter.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from statistics import median
from typing import NamedTuple

import redis
from django.conf import settings
from django.core.cache import caches
from django.db import connection, transaction
from django.db.models import DateTimeField, F, Func, Max, QuerySet
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from contract import logs, messages, messaging
from contract.messages import FROM_ORIGINAL, Stage
from contract.messaging import Turn
from contract.storage import keys
from teleder.cases.models import DrawnCrop, Job, JobState
from teleder.cases.triage import Urgency
from teleder.pipeline.transitions import UNDER_WAY, UNFINISHED, WAITING, JobStep, move_jobs

log = logging.getLogger(__name__)
URGENT_FROM = Urgency.SAME_DAY  # on: these overtake messages that are already in the broker
SWEEP_GRACE_SECONDS = 5
MEASURED = 20  # messages that give the measure of how long one may wait
WAIT_TIMES = 3  # of what the half of these took
WAIT_MINUTES = 10  # at most: then the case goes on without AI
MEASURE_SECONDS = 5  # how old a measure may be
NO_WORKER = ""  # started, and its worker no longer works on it


def dispatch_all(stages: Iterable[Stage] = tuple(Stage)) -> int:
    """Send the jobs of these stages that fit; return how many. Never raises because the broker is unreachable."""
    stages = tuple(stages)
    try:
        # Who names one stage has just queued a job of it.
        found = _with_waiting_jobs(stages) if len(stages) > 1 else stages
        return sum(map(dispatch_stage, found))
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
    depths = _depths(stage)
    # Who makes room dispatches after that: while uploads come faster than they are prepared, this is all.
    room = _room(stage, depths)
    if room.any <= 0 and not (room.urgent > 0 and waiting.filter(priority__gte=URGENT_FROM).exists()):
        return 0
    with transaction.atomic():
        batches = _take(stage, waiting, depths) if may_dispatch(stage) else []
    for jobs in batches:
        send_batch(stage, jobs)
    return sum(map(len, batches))


def may_dispatch(stage: Stage) -> bool:
    """Return whether nobody else dispatches this stage, until the end of the transaction: two must not both fill the same
    window. Never waits, or one held lock would hold up every upload: what is left the sweeper sends within a second.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", [f"dispatch.{stage}"])
        return cursor.fetchone()[0]


def _depths(stage: Stage) -> dict[Turn, int]:
    """Return how many messages of a stage lie in the broker, by turn."""
    lists = messaging.lists_of(messages.QUEUES[stage])
    with messaging.client(settings.REDIS_URL, "request").pipeline(transaction=False) as pipe:
        for key in lists.values():
            pipe.llen(key)
        return dict(zip(lists, pipe.execute(), strict=True))


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


def _is_urgent(job: Job) -> bool:
    # A report takes seconds: whatever is urgent about it, photos go first.
    return job.priority >= URGENT_FROM and job.stage != Stage.DISTANCE


def _turn(jobs: list[Job]) -> Turn:
    again = any(job.losses for job in jobs)
    if _is_urgent(jobs[0]):
        return Turn.URGENT_AGAIN if again else Turn.URGENT
    return Turn.AGAIN if again else Turn.ROUTINE


class Room(NamedTuple):
    """How many more messages fit: urgent ones, and any."""

    urgent: int
    any: int


def _room(stage: Stage, depths: dict[Turn, int]) -> Room:
    """Return how many more messages of a stage fit its windows, counted in rows and in the broker.

    Urgent messages count for both windows, the others for their own alone: they keep no urgent one out.
    """
    sent = Job.objects.filter(stage=stage, state__in=UNDER_WAY).exclude(
        state=JobState.STARTED, worker=NO_WORKER
    )
    out = sent.order_by().values("sent_at", "batch").annotate(priority=Max("priority"))
    priorities = list(out.values_list("priority", flat=True))
    # A photo that comes in now waits for one report of each worker at most.
    window = settings.INFERENCE_SLOTS if stage == Stage.DISTANCE else settings.JOB_WINDOW
    room = window - max(len(priorities), sum(depths.values()))
    if stage == Stage.DISTANCE:
        return Room(room, room)
    urgent_out = sum(priority >= URGENT_FROM for priority in priorities)
    return Room(window - max(urgent_out, depths[Turn.URGENT] + depths[Turn.URGENT_AGAIN]), room)


def _take(stage: Stage, waiting: QuerySet[Job], depths: dict[Turn, int]) -> list[list[Job]]:
    """Mark the first that fit their windows as sent, in batches."""
    urgent_room, room = _room(stage, depths)
    if urgent_room <= 0:
        return []
    if room <= 0:
        waiting = waiting.filter(priority__gte=URGENT_FROM)
    jobs = waiting.select_related("photo").select_for_update(of=("self",), skip_locked=True)
    size = 1 if stage in messages.ALONE else settings.JOB_BATCH
    found = list(jobs[: urgent_room * size])
    batches = _batches([job for job in found if _is_urgent(job)], urgent_room, size)
    batches += _batches([job for job in found if not _is_urgent(job)], room - len(batches), size)
    return [mark_sent(batch) for batch in batches]


def _batches(jobs: list[Job], room: int, size: int) -> list[list[Job]]:
    """Cut the most urgent jobs into at most `room` messages of at most `size` photos.

    One photo a message while there is room for each. A job whose worker crashed goes alone, so that a photo that
    crashes workers does not fail others; untrusted uploads (`prepare`) always do.
    """
    if not jobs or room <= 0:
        return []
    size = min(size, -(-len(jobs) // room))
    batches: list[list[Job]] = []
    for job in jobs:
        open_batch = batches and len(batches[-1]) < size and not (job.deaths or batches[-1][0].deaths)
        if open_batch:
            batches[-1].append(job)
        else:
            batches.append([job])
    return batches[:room]


def wait_seconds(stage: Stage, losses: int = 0) -> float:
    """Return how long a message of this stage may wait for a worker: longer on a machine that is slow of late.

    Otherwise it would expire unread while the worker works, and be sent again and again. One that is begun and takes longer than
    that counts, too; a few slow ones among the last do not: a lost message is to be missed soon. The second time it may wait longer.
    """

    def measure() -> float:
        least = settings.JOB_WAIT_SECONDS
        sent = Job.objects.filter(stage=stage, sent_at__isnull=False)
        done = sent.filter(
            finished_at__gte=Now() - timedelta(hours=1), state__in=(JobState.DONE, JobState.FAILED)
        )
        done = done.order_by("-finished_at").values_list(F("finished_at") - F("sent_at"), flat=True)
        begun = sent.filter(state=JobState.STARTED, sent_at__lt=Now() - timedelta(seconds=least))
        begun = (
            begun.exclude(worker=NO_WORKER).order_by("sent_at").values_list(Now() - F("sent_at"), flat=True)
        )
        took = [each.total_seconds() for each in done[:MEASURED]]
        longest = max(median(took or [0]), *(each.total_seconds() for each in begun[:1]), 0)
        return min(max(least, WAIT_TIMES * longest), 60 * WAIT_MINUTES)

    found = caches["process"].get_or_set(f"wait.{stage}", measure, MEASURE_SECONDS)
    return min(found * (WAIT_TIMES if losses else 1), 60 * WAIT_MINUTES)


def _wait_of(batch: list[Job]) -> float:
    return wait_seconds(Stage(batch[0].stage), min(job.losses for job in batch))


def mark_sent(batch: list[Job]) -> list[Job]:
    rows = Job.objects.filter(pk__in=[job.pk for job in batch])
    move_jobs(
        rows,
        JobStep.SEND,
        attempt=F("attempt") + 1,
        batch=len(batch),
        # Now() is the same for a whole transaction; the statement's time distinguishes its messages.
        sent_at=Func(function="STATEMENT_TIMESTAMP", output_field=DateTimeField()),
        deadline=Now() + timedelta(seconds=_wait_of(batch)),
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
            priority=_turn(jobs).value,
            # The sweeper comes first: it sends an expired job again before a worker drops it and takes a later one.
            expires=_wait_of(jobs) + SWEEP_GRACE_SECONDS,
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
    if stage in messages.FROM_ORIGINAL:
        made_by, source = keys.ORIGINAL, photo.original_key
    return messages.Request(
        stage=stage,
        job=str(job.pk),
        attempt=job.attempt,
        photo=str(photo.pk),
        # The worker reports "" as a missing file.
        source=source if keys.is_of(photo.pk, made_by, source) else "",
        prefix=keys.folder_of(photo.pk, stage, job.attempt),
        sha256="" if stage in FROM_ORIGINAL else photo.analysis_sha256,
        drawn=_drawn(job) if stage == Stage.REANALYSE else None,
    )


def _drawn(job: Job) -> messages.Drawn:
    crop = DrawnCrop.objects.filter(photo=job.photo_id).latest("at", "id")
    return messages.Drawn(box=crop.box, lesion=None if crop.lesion is None else tuple(crop.lesion))
