"""Signs of life: each process gives them by its own working loop, and the board says which does not."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
import redis
from django.utils import timezone

from contract import messages, messaging, probes
from contract.messages import Stage
from teleder.cases.management.commands import sweep
from teleder.cases.models import Heartbeat, Job, JobState
from teleder.celery import app
from teleder.pipeline import heartbeats, tasks
from teleder.web.operations import health

pytestmark = pytest.mark.django_db
ALL = ("sweeper", "results", "beat", Stage.PREPARE, Stage.ANALYSE)


def told(adam) -> list[str]:
    return [problem.words.split(" do")[0] for problem in health.board(adam).problems]


def ago(seconds: float):
    return timezone.now() - timedelta(seconds=seconds)


@pytest.fixture
def beating() -> None:
    heartbeats.note_alive(*ALL)


@pytest.fixture
def sent(monkeypatch) -> list[tuple]:
    rows: list[tuple] = []
    monkeypatch.setattr(
        app, "send_task", lambda name, **how: rows.append((name, how["kwargs"], how["queue"].name))
    )
    return rows


def test_what_never_gave_a_sign_is_not_missed(adam):
    assert told(adam) == []


@pytest.mark.usefixtures("beating")
@pytest.mark.parametrize(
    ("name", "words"), [("sweeper", "The sweeper"), ("results", "The results worker"), ("beat", "Beat")]
)
def test_a_loop_that_stands_still_is_told(adam, name, words):
    assert told(adam) == []
    Heartbeat.objects.filter(name=name).update(at=ago(14))
    assert told(adam) == [words]
    heartbeats.note_alive(name)
    assert told(adam) == []


@pytest.mark.usefixtures("beating")
@pytest.mark.parametrize(
    ("stage", "words"), [(Stage.PREPARE, "The prepare worker"), (Stage.ANALYSE, "The inference workers")]
)
def test_a_worker_whose_child_does_not_answer_is_told(adam, stage, words):
    Heartbeat.objects.filter(name=stage).update(at=ago(20))
    assert told(adam) == [], "nobody asked"
    Heartbeat.objects.filter(name=stage).update(asked_at=ago(9))
    assert told(adam) == [words]
    heartbeats.note_alive(stage)
    assert told(adam) == []


@pytest.mark.usefixtures("beating")
def test_while_a_worker_is_at_work_its_answer_may_wait(adam, alices_submission):
    Heartbeat.objects.filter(name=Stage.PREPARE).update(at=ago(20), asked_at=ago(9))
    Job.objects.update(
        state=JobState.STARTED, sent_at=ago(3), deadline=timezone.now() + timedelta(seconds=30)
    )
    assert told(adam) == []
    Job.objects.update(sent_at=ago(15), created_at=ago(15))
    assert told(adam) == ["The prepare worker"]


@pytest.mark.usefixtures("beating")
def test_distance_reports_may_hold_the_inference_workers(adam, alices_submission):
    Heartbeat.objects.filter(name=Stage.ANALYSE).update(at=ago(60), asked_at=ago(50))
    later = timezone.now() + timedelta(seconds=30)
    Job.objects.update(stage=Stage.DISTANCE, state=JobState.STARTED, sent_at=ago(40), deadline=later)
    assert told(adam) == []


@pytest.mark.usefixtures("beating")
@pytest.mark.parametrize(
    ("stopped", "words"), [("sweeper", "The sweeper"), ("results", "The results worker")]
)
def test_what_carries_the_signs_is_told_and_not_the_others(adam, stopped, words):
    """Without a sweeper nobody asks, and without the results worker no answer is recorded."""
    Heartbeat.objects.update(at=ago(30), asked_at=ago(20))
    Heartbeat.objects.filter(name__in={"sweeper", "results", "beat"} - {stopped}).update(at=timezone.now())
    assert told(adam) == [words]


@pytest.mark.usefixtures("beating")
def test_while_no_answer_can_be_recorded_no_worker_is_told_to_be_silent(adam):
    """The watch mailed that prepare had stopped, seconds before the board knew that it was the results worker."""
    Heartbeat.objects.filter(name=Stage.PREPARE).update(at=ago(20), asked_at=ago(9))
    Heartbeat.objects.filter(name="results").update(at=ago(9))
    assert told(adam) == []
    heartbeats.note_alive("results")
    assert told(adam) == ["The prepare worker"]


@pytest.mark.usefixtures("beating")
def test_without_a_broker_the_broker_alone_is_told(adam, monkeypatch):
    Heartbeat.objects.update(at=ago(30), asked_at=ago(20))
    heartbeats.note_alive("sweeper")
    monkeypatch.setattr(health, "results_waiting", lambda: None)
    assert told(adam) == ["The message broker"]


def test_each_worker_is_asked_once_in_five_seconds(sent):
    heartbeats.ask_workers()
    heartbeats.ask_workers()
    assert sent == [(messages.PROBE, {"stage": stage}, name) for stage, name in messages.PROBES.items()]
    first = Heartbeat.objects.get(name=Stage.PREPARE).asked_at
    Heartbeat.objects.update(sent_at=ago(6))
    heartbeats.ask_workers()
    assert len(sent) == 4
    assert Heartbeat.objects.get(name=Stage.PREPARE).asked_at == first, "since then nobody answers"
    heartbeats.note_alive(Stage.PREPARE)
    Heartbeat.objects.update(sent_at=ago(6))
    heartbeats.ask_workers()
    assert Heartbeat.objects.get(name=Stage.PREPARE).asked_at > first


def test_a_probe_that_waits_is_followed_by_no_other(sent, settings):
    """Where a worker is away for an hour, one question waits for it."""
    broker = redis.Redis.from_url(settings.REDIS_URL)
    broker.lpush(messages.PROBES[Stage.PREPARE], "waiting")
    try:
        heartbeats.ask_workers()
    finally:
        broker.delete(messages.PROBES[Stage.PREPARE])
    assert [kwargs["stage"] for _name, kwargs, _queue in sent] == [Stage.ANALYSE]


def test_where_the_broker_is_away_nobody_was_asked(monkeypatch):
    def away(*_args, **_how):
        raise redis.ConnectionError

    monkeypatch.setattr(messaging, "client", away)
    heartbeats.ask_workers()
    assert set(Heartbeat.objects.values_list("asked_at", flat=True)) == {None}


def test_answers_are_recorded(adam):
    tasks.alive_task(worker="prepare@host", stage="prepare")
    tasks.beat_alive_task()
    assert set(Heartbeat.objects.exclude(at=None).values_list("name", flat=True)) == {
        "prepare",
        "results",
        "beat",
    }


@pytest.mark.parametrize("stage", ["sweeper", "beat", "x" * 500, 7, None])
def test_a_worker_answers_for_nobody_else(stage):
    tasks.alive_task(worker="prepare@host", stage=stage)
    assert not Heartbeat.objects.exists()


def test_the_sweeper_gives_a_sign_between_its_duties(monkeypatch):
    monkeypatch.setattr(sweep, "_said_at", float("-inf"))
    sweep.say_that_it_sweeps()
    assert Heartbeat.objects.get(name="sweeper").at


def test_a_child_answers_and_a_worker_takes_the_probes_of_its_queues(monkeypatch):
    from celery.app.amqp import Queues

    from inference_worker.app import app as worker

    answers = []
    monkeypatch.setattr(
        worker, "send_task", lambda name, **how: answers.append((name, how["kwargs"], how["queue"].name))
    )
    worker.tasks[messages.PROBE](stage="prepare")
    assert answers == [(messages.ALIVE, {"worker": "", "stage": "prepare"}, messages.RESULTS_QUEUE)]
    queues = Queues([messaging.queue(name) for name in messages.QUEUES.values()])
    queues.select([messages.QUEUES[Stage.PREPARE]])
    instance = SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(queues=queues)))
    probes._take_probes(instance=instance)
    assert set(queues.consume_from) == {messages.QUEUES[Stage.PREPARE], messages.PROBES[Stage.PREPARE]}
