"""Whose photo is next: workers of a small machine are played step by step, with the real dispatcher and Valkey.

Time is moved by moving deadlines; a message whose attempt is over is one that has expired, which a worker drops unread.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import redis
import uuid_utils.compat as uuid
from django.core.cache import caches
from django.db.models import F
from django.utils import timezone

from contract import messages
from contract.messages import Stage
from teleder.cases.models import Job, JobState, Photo
from teleder.cases.triage import Urgency
from teleder.pipeline import broker, dispatch, recovery, results
from tests.cases.conftest import depth, received

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]
FAILED = messages.Failed(code="x")  # a result like any other, as far as the queue is concerned


@pytest.fixture
def photos(alices_draft) -> Any:
    """Make so many photos with a waiting job of a stage, each later than the one before; return the jobs' ids."""
    one = alices_draft.photos.get()
    Job.objects.all().delete()

    def make(count: int, stage: Stage, priority: int = Urgency.ROUTINE) -> list[str]:
        made = [copy.copy(one) for _ in range(count)]
        for photo in made:
            photo.pk, photo.sha256 = uuid.uuid7(), random.randbytes(32).hex()
        Photo.objects.bulk_create(made)
        jobs = Job.objects.bulk_create(Job(photo=photo, stage=stage, priority=priority) for photo in made)
        return [str(job.pk) for job in jobs]

    return make


@dataclass
class Machine:
    """Worker processes that take whatever is next, one message each."""

    valkey: redis.Redis
    stage: Stage
    processes: int
    begun: list[list[str]] = field(
        default_factory=list
    )  # the jobs of each message, in the order of their start
    busy: list[dict[str, int]] = field(default_factory=list)

    def take(self) -> None:
        """Let each free process start its next message."""
        for message in received(self.valkey, self.stage):
            rows = {row["job"]: row["attempt"] for row in message["requests"]}
            current = Job.objects.filter(pk__in=rows, state=JobState.SENT)
            if any(job.attempt != rows[str(job.pk)] for job in current) or len(current) < len(rows):
                continue  # expired: dropped unread
            results.started(worker="w", work=rows)
            self.busy.append(rows)
            self.begun.append(list(rows))
            if len(self.busy) == self.processes:
                return

    def finish(self) -> None:
        """End what was begun first."""
        if self.busy:
            for job, attempt in self.busy.pop(0).items():
                results.record(job=job, attempt=attempt, worker="w", outcome=FAILED)

    def sweep(self, seconds: int = 0) -> None:
        """Let so many seconds pass for what waits in the broker, then do what the sweeper does."""
        Job.objects.filter(state=JobState.SENT).update(deadline=F("deadline") - timedelta(seconds=seconds))
        recovery.expire()
        broker.drop_ended_messages()
        dispatch.dispatch_all()

    def step(self, seconds: int = 0) -> None:
        self.sweep(seconds)
        if len(self.busy) < self.processes:
            self.take()
        self.finish()
        self.sweep()
        self.take()


@pytest.mark.parametrize(("processes", "window"), [(1, 2), (2, 4)])
@pytest.mark.parametrize("seconds", [15, 45, 150])
def test_on_a_busy_machine_no_later_photo_overtakes_one_that_waits(
    photos, valkey, settings, processes, window, seconds
):
    """Found in use: photos waited ten minutes and were sent five times, while later ones overtook them."""
    settings.JOB_WINDOW = window
    machine, sent = Machine(valkey, Stage.PREPARE, processes), photos(4, Stage.PREPARE)
    for _ in range(6):
        sent += photos(1, Stage.PREPARE)
        machine.step(seconds)
    begun = [job for message in machine.begun for job in message]
    assert len(begun) >= 6
    late = [abs(sent.index(job) - place) for place, job in enumerate(begun)]
    assert max(late) < processes, late
    rows = Job.objects.filter(pk__in=begun)
    assert set(rows.values_list("deaths", flat=True)) == {0}
    if seconds < settings.JOB_WAIT_SECONDS:
        assert set(rows.values_list("attempt", flat=True)) == {1}


def test_waiting_counts_no_crash_and_keeps_age_and_urgency(photos, valkey):
    (first,) = photos(1, Stage.PREPARE)
    before = Job.objects.values_list("created_at", "priority").get(pk=first)
    machine = Machine(valkey, Stage.PREPARE, 1)
    for _ in range(5):
        machine.sweep(41)
    later = photos(3, Stage.PREPARE)
    job = Job.objects.get(pk=first)
    assert (job.created_at, job.priority, job.deaths) == (*before, 0)
    machine.take()  # a worker is there at last; messages that have expired are in nobody's way
    assert machine.begun == [[first]] and later


def test_a_photo_that_crashed_a_worker_keeps_its_place(photos, valkey, settings):
    settings.JOB_WINDOW = 1
    first, *later = photos(3, Stage.PREPARE)
    machine = Machine(valkey, Stage.PREPARE, 1)
    machine.sweep()
    machine.take()
    Job.objects.filter(pk=first).update(deadline=F("sent_at"))
    machine.busy.clear()
    machine.sweep()
    machine.take()
    assert machine.begun == [[first], [first]] and later


@pytest.mark.parametrize("processes", [1, 2])
def test_batches_form_when_photos_wait_and_a_lone_photo_goes_at_once(photos, valkey, settings, processes):
    settings.JOB_WINDOW = 2 * processes
    machine = Machine(valkey, Stage.ANALYSE, processes)
    (alone,) = photos(1, Stage.ANALYSE)
    machine.sweep()
    machine.take()
    assert machine.begun == [[alone]]
    photos(200, Stage.ANALYSE)
    while Job.objects.filter(state__in=[JobState.QUEUED, JobState.SENT, JobState.STARTED]).exists():
        machine.step()
        assert depth(valkey, Stage.ANALYSE) <= 2 * processes
    sizes = [len(message) for message in machine.begun[1:]]
    assert sum(sizes) == 200 and sum(sizes) / len(sizes) >= 4


@pytest.mark.parametrize("processes", [1, 2])
def test_batches_form_of_photos_that_come_one_by_one(photos, valkey, settings, processes):
    """The results of `prepare` come one by one, faster than networks work: at first each photo went alone, always."""
    settings.JOB_WINDOW = 2 * processes
    machine = Machine(valkey, Stage.ANALYSE, processes)
    for _ in range(30):
        for _ in range(3 * processes):
            photos(1, Stage.ANALYSE)
            machine.sweep()
        machine.step()
    assert max(map(len, machine.begun[processes * 2 :])) >= 3


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_an_urgent_photo_waits_for_no_message_but_those_under_way(photos, valkey, settings, processes, seed):
    settings.JOB_WINDOW = 2 * processes
    rng, machine = random.Random(seed), Machine(valkey, Stage.ANALYSE, processes)
    photos(60, Stage.ANALYSE)
    machine.step()
    for _ in range(5):
        for _ in range(rng.randrange(3)):
            machine.step(rng.choice([0, 20, 45]))
        (urgent,) = photos(1, Stage.ANALYSE, rng.choice([Urgency.SAME_DAY, Urgency.EMERGENCY]))
        dispatch.dispatch_stage(Stage.ANALYSE)
        begun = len(machine.begun)
        machine.finish()
        machine.take()
        assert [urgent] in machine.begun[begun : begun + 1]


def test_more_urgent_photos_than_places_go_by_urgency_and_age(photos, valkey, settings):
    settings.JOB_WINDOW, settings.JOB_BATCH = 2, 1
    machine = Machine(valkey, Stage.ANALYSE, 1)
    photos(10, Stage.ANALYSE)
    machine.step()
    same_day, emergency = (
        photos(3, Stage.ANALYSE, Urgency.SAME_DAY),
        photos(2, Stage.ANALYSE, Urgency.EMERGENCY),
    )
    before = len(machine.begun)
    machine.finish()
    machine.sweep()
    assert depth(valkey, Stage.ANALYSE) <= 4
    machine.take()
    for _ in range(4):
        machine.step()
    assert [job for (job,) in machine.begun[before : before + 5]] == [*emergency, *same_day]


# --- Messages that expired, and how long one may wait ------------------------------------------------------
def test_expired_messages_free_their_place(photos, valkey, settings):
    """They stayed in the broker's list and counted as waiting: nothing more was sent until a worker had read them."""
    settings.JOB_WINDOW = 2
    first, second, *later = photos(5, Stage.PREPARE)
    machine = Machine(valkey, Stage.PREPARE, 1)
    machine.sweep()
    for number in range(2, 5):  # no worker is there
        machine.sweep(121)  # the second time it may wait three times as long
        assert depth(valkey, Stage.PREPARE) == 2
        rows = Job.objects.filter(pk__in=[first, second])
        assert set(rows.values_list("state", "attempt")) == {(JobState.SENT, number)}
    assert not Job.objects.filter(pk__in=later, attempt__gt=0).exists()


def test_a_message_whose_jobs_are_all_over_is_removed_and_no_other(photos, valkey, settings):
    settings.JOB_WINDOW, settings.JOB_BATCH = 2, 2
    photos(4, Stage.ANALYSE)
    dispatch.dispatch_all()
    one, other = Job.objects.filter(state=JobState.SENT).order_by("created_at")[:2]
    Job.objects.filter(pk=one.pk).update(state=JobState.CANCELLED)
    assert broker.drop_ended_messages() == 0, "another job is in it"
    Job.objects.filter(pk=other.pk).update(attempt=F("attempt") + 1)
    assert broker.drop_ended_messages() == 1
    assert depth(valkey, Stage.ANALYSE) == 1


@pytest.mark.parametrize("strange", [b"[]", b"{}", b"x", b'{"body": 7}', b'{"body": "W1tdLHt9LHt9XQ=="}'])
def test_a_message_that_cannot_be_read_stays(valkey, strange):
    """Workers may write to these queues: what they write stops no sweeper."""
    valkey.lpush(messages.QUEUES[Stage.PREPARE], strange)
    assert broker.drop_ended_messages() == 0
    assert depth(valkey, Stage.PREPARE) == 1


def test_without_a_broker_nothing_is_removed(monkeypatch):
    def away(*_args, **_how):
        raise redis.ConnectionError

    monkeypatch.setattr(redis.Redis, "pipeline", away)
    assert broker.drop_ended_messages() == 0


def waits(stage: Stage = Stage.PREPARE) -> float:
    caches["process"].clear()
    return dispatch.wait_seconds(stage)


def test_a_message_may_wait_longer_where_jobs_take_long(photos, valkey, settings):
    jobs, now = photos(20, Stage.PREPARE), timezone.now()
    assert waits() == settings.JOB_WAIT_SECONDS

    def took(seconds: float, which: list[str], **more: Any) -> None:
        changes = {"sent_at": now - timedelta(seconds=seconds), "deadline": now, "finished_at": now}
        Job.objects.filter(pk__in=which).update(**changes | {"state": JobState.DONE} | more)

    took(1, jobs)
    assert waits() == settings.JOB_WAIT_SECONDS
    took(30, jobs[:3])
    assert waits() == settings.JOB_WAIT_SECONDS, "a few slow ones: a lost message is missed as soon as before"
    took(30, jobs)
    assert waits() == pytest.approx(90, abs=1)
    assert waits(Stage.ANALYSE) == settings.JOB_WAIT_SECONDS, "another worker"
    took(3000, jobs)
    assert waits() == 600


def test_what_is_under_way_for_long_lets_others_wait_longer(photos, valkey, settings):
    first, second = photos(2, Stage.ANALYSE)
    since = timezone.now() - timedelta(seconds=60)
    begun = {"state": JobState.STARTED, "sent_at": since, "deadline": timezone.now(), "finished_at": None}
    Job.objects.filter(pk=first).update(**begun, worker="w@host")
    assert waits(Stage.ANALYSE) == pytest.approx(180, abs=5)
    dispatch.dispatch_all()
    row = Job.objects.get(pk=second)
    assert (row.deadline - row.sent_at).total_seconds() == pytest.approx(180, abs=5)
    Job.objects.filter(pk=first).update(worker=dispatch.NO_WORKER)
    assert waits(Stage.ANALYSE) == settings.JOB_WAIT_SECONDS, "its worker died"


@pytest.mark.parametrize("seconds", [10, 60, 150])
def test_on_a_slow_machine_none_is_sent_more_than_twice(photos, valkey, settings, seconds):
    """One process, each photo `seconds` long. 12 of 50 were lost unread, and others were sent again behind later ones."""
    settings.JOB_WINDOW = 2
    machine, sent = Machine(valkey, Stage.ANALYSE, 1), photos(12, Stage.ANALYSE)
    settings.JOB_BATCH = 1
    while Job.objects.exclude(state=JobState.FAILED).exists():
        machine.sweep()
        machine.take()
        for _ in range(seconds // 10):
            rows = Job.objects.filter(state=JobState.STARTED)
            rows.update(sent_at=F("sent_at") - timedelta(seconds=10))
            Job.objects.filter(state=JobState.SENT).update(sent_at=F("sent_at") - timedelta(seconds=10))
            caches["process"].clear()
            machine.sweep(10)
        machine.finish()
    assert [job for message in machine.begun for job in message] == sent
    assert max(Job.objects.values_list("attempt", flat=True)) <= 2
