"""The web's Celery app: it sends work to the inference queues by name and takes results.

Valkey only carries. Nothing is lost with it: the backlog lives in `cases.Job`, so no result backend,
no retry by Celery and no long countdowns.
"""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from celery import Celery, Task
from celery.schedules import crontab
from celery.signals import before_task_publish, setup_logging, task_postrun, task_prerun

from contract import logs, messages, messaging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "teleder.settings")

from django.conf import settings
from django.db import close_old_connections

BEAT_ALIVE = "teleder.beat_alive"
BEAT_HEARTBEAT = "TELEDER_BEAT_HEARTBEAT"  # of the variable with a file's path, which beat touches
setup_logging.connect(logs.configure)
app = Celery("teleder", broker=settings.REDIS_URL)
app.conf.update(
    task_default_queue=messages.WEB_QUEUE,
    task_publish_retry=False,  # a request never waits for the broker: the sweeper sends what was not sent
    timezone=settings.TIME_ZONE,
    # Celery would close the database's connection before and after each task. We close what is old or broken, as a request does.
    CELERY_DB_REUSE_MAX=sys.maxsize,
    beat_schedule={
        # Through the results worker, so that it shows both.
        "say that beat runs": {"task": BEAT_ALIVE, "schedule": 5.0, "options": {"expires": 10}},
        "read stored files": {
            "task": "teleder.check_files",
            "schedule": crontab(hour="22-23,0-1", minute="*/5"),  # as often as `RUNS_A_NIGHT` says
            "options": {"expires": 240},
        },
        "collect leftovers": {"task": "teleder.collect_leftovers", "schedule": crontab(hour=2, minute=30)},
        "check the record": {"task": "teleder.check_record", "schedule": crontab(hour=3, minute=0)},
        "forget what expired": {"task": "teleder.forget_expired", "schedule": crontab(hour=3, minute=30)},
        "what was kept long enough": {"task": "teleder.retain", "schedule": crontab(hour=4, minute=0)},
    },
)
messaging.configure(
    app,
    "results",
    queues=[messages.RESULTS_QUEUE, messages.WEB_QUEUE],
    visibility_timeout=120,
    max_retries=0,
)
app.autodiscover_tasks(
    ["teleder.cases", "teleder.notifications", "teleder.pipeline", "teleder.privacy", "teleder.security"]
)


@task_prerun.connect
@task_postrun.connect
def close_old_or_broken_connections(task: Task, **_signal: Any) -> None:
    if not task.request.is_eager:  # within a request or a test, which still uses its connection
        close_old_connections()


@before_task_publish.connect(sender=BEAT_ALIVE)
def touch_heartbeat_of_beat(**_signal: Any) -> None:
    """Beat's loop is at work, whether or not the broker takes the task."""
    if path := os.environ.get(BEAT_HEARTBEAT):
        Path(path).touch()


# --- What a task's log lines are about --------------------------------------------------------------------
_about_a_task = ExitStack()  # a child does one task at a time


@task_prerun.connect
def name_the_trace(task: Task, **_signal: Any) -> None:
    """Take over the id that a worker gives back with its result, in whose name the rest is done."""
    _about_a_task.enter_context(logs.about(trace=logs.trace_of(task.request.get(logs.TRACE_HEADER))))


@task_postrun.connect
def forget_the_trace(**_signal: Any) -> None:
    _about_a_task.close()
