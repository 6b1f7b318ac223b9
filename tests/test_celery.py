"""The web's Celery app and the worker's meet on names, nothing else."""

from __future__ import annotations

import pytest

from inference_worker import contract
from teleder.celery import app


@pytest.fixture(autouse=True)
def _tasks():
    app.loader.import_default_modules()


def test_the_web_takes_what_the_worker_sends():
    assert {contract.STARTED, contract.RECORD, contract.ENDED} <= set(app.tasks)


def test_every_task_has_both_time_limits():
    ours = [task for name, task in app.tasks.items() if name.startswith("teleder.")]
    assert len(ours) == 7
    assert all(task.soft_time_limit and task.time_limit > task.soft_time_limit for task in ours)


def test_beat_names_tasks_that_exist():
    assert {row["task"] for row in app.conf.beat_schedule.values()} <= set(app.tasks)
