"""The web's Celery app and the worker's share only the names of tasks and queues."""

from __future__ import annotations

import pytest
from celery import signals
from celery.fixups.django import DjangoWorkerFixup

from contract import heartbeat, messages
from inference_worker.app import app as inference
from teleder.celery import app


@pytest.fixture(autouse=True)
def _tasks():
    app.loader.import_default_modules()


def test_the_web_has_every_task_that_the_worker_sends():
    assert {
        messages.STARTED,
        messages.RESULTS,
        messages.ENDED,
        messages.OLDER_STARTED,
        messages.OLDER_RECORD,
    } <= set(app.tasks)


def test_every_task_has_both_time_limits():
    ours = [task for name, task in app.tasks.items() if name.startswith("teleder.")]
    assert len(ours) == 12
    assert all(task.soft_time_limit and task.time_limit > task.soft_time_limit for task in ours)


BOTH = pytest.mark.parametrize("either", [app, inference], ids=["web", "worker"])


@BOTH
def test_both_sides_read_and_write_only_json(either):
    conf = either.conf
    assert conf.accept_content == ["json"]
    assert {conf.task_serializer, conf.result_serializer, conf.event_serializer} == {"json"}


@BOTH
def test_no_worker_accepts_remote_control_over_the_broker(either):
    assert either.conf.worker_enable_remote_control is False
    assert not either.conf.worker_send_task_events and not either.conf.task_send_sent_event
    assert heartbeat.TouchFile in either.steps["worker"]


@BOTH
def test_no_queue_is_declared_in_valkey(either):
    """A client that can write the binding tables can redirect messages."""
    assert all(queue.no_declare for queue in either.conf.task_queues)


def test_each_side_stores_unacknowledged_messages_under_its_own_keys():
    names = ("unacked_key", "unacked_index_key", "unacked_mutex_key")
    keys = [[each.conf.broker_transport_options[name] for name in names] for each in (app, inference)]
    assert len({*keys[0], *keys[1]}) == 6
    assert all(key.startswith("unacked.results") for key in keys[0])
    assert all(key.startswith("unacked.worker") for key in keys[1])


def test_beat_schedules_only_existing_tasks():
    assert {row["task"] for row in app.conf.beat_schedule.values()} <= set(app.tasks)


@pytest.mark.django_db
def test_a_task_closes_only_a_connection_that_is_old_or_broken(monkeypatch):
    """Celery would close each one before and after every task: a fifth of the results worker's time went into connecting."""
    closed = []
    monkeypatch.setattr(DjangoWorkerFixup, "_close_database", lambda self: closed.append("all"))
    monkeypatch.setattr("teleder.celery.close_old_connections", lambda: closed.append("old"))
    fixup = DjangoWorkerFixup(app).install()
    closed.clear()
    task = app.tasks[messages.ENDED]
    try:
        for signal in (signals.task_prerun, signals.task_postrun):
            task.push_request(is_eager=False)
            signal.send(sender=task, task=task)
            task.pop_request()
    finally:
        signals.task_prerun.disconnect(fixup.on_task_prerun)
        signals.task_postrun.disconnect(fixup.on_task_postrun)
        signals.worker_process_init.disconnect(fixup.on_worker_process_init)
        signals.beat_embedded_init.disconnect(fixup.close_database)
    assert closed == ["old", "old"]
