"""Lets the children of workers answer the web's probes: a child that hangs, or a parent that gives it no task, does not.

A worker takes from the queue of probes of each stage that it takes photos of; its command names the photos' queues alone.
"""

from __future__ import annotations

from typing import Any

from celery import Celery, Task
from celery.signals import celeryd_after_setup

from contract import messages, messaging

LIMIT_SECONDS = 10


def install(app: Celery) -> None:
    @app.task(name=messages.PROBE, bind=True, time_limit=LIMIT_SECONDS)
    def answer(task: Task, stage: str) -> None:
        said = {"worker": task.request.hostname or "", "stage": stage}
        app.send_task(messages.ALIVE, kwargs=said, queue=messaging.queue(messages.RESULTS_QUEUE), retry=False)

    celeryd_after_setup.connect(_take_probes)


def _take_probes(instance: Any, **_signal: Any) -> None:
    queues = instance.app.amqp.queues
    for stage, name in messages.PROBES.items():
        if messages.QUEUES[stage] in queues.consume_from:
            queues.select_add(messaging.queue(name))
