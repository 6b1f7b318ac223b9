"""The web's Celery app: it sends work to the inference queues by name and takes results from one queue.

Valkey only carries. Nothing is lost with it: the backlog lives in `cases.Job`, so no result backend,
no retry by Celery and no long countdowns.
"""

import os
from contextlib import ExitStack
from typing import Any

from celery import Celery, Task
from celery.schedules import crontab
from celery.signals import setup_logging, task_postrun, task_prerun

from contract import heartbeat, logs, messages, messaging
from contract.celery_fixes import deaths, reconnecting

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "teleder.settings")

from django.conf import settings

setup_logging.connect(logs.configure)
app = Celery("teleder", broker=settings.REDIS_URL)
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=False,  # True loops for ever on a task that kills its process (celery#9082)
    task_queues=[messaging.queue(messages.RESULTS_QUEUE)],
    task_default_queue=messages.RESULTS_QUEUE,
    task_publish_retry=False,  # a request never waits for the broker: the sweeper sends what was not sent
    worker_prefetch_multiplier=1,
    worker_proc_alive_timeout=10,  # by default a child is ended that a busy machine does not start within 4 s
    broker_connection_retry_on_startup=True,
    worker_redirect_stdouts=False,  # it would log what others print, word for word
    timezone=settings.TIME_ZONE,
    beat_schedule={
        "collect leftovers": {"task": "teleder.collect_leftovers", "schedule": crontab(hour=2, minute=30)},
        "check the record": {"task": "teleder.check_record", "schedule": crontab(hour=3, minute=0)},
        "forget what expired": {"task": "teleder.forget_expired", "schedule": crontab(hour=3, minute=30)},
        "what was kept long enough": {"task": "teleder.retain", "schedule": crontab(hour=4, minute=0)},
    },
)
messaging.configure(
    app,
    "results",
    visibility_timeout=120,
    socket_connect_timeout=0.5,
    socket_timeout=30,
    socket_keepalive=True,
    max_retries=0,
)
deaths.notice_soon(app)
heartbeat.install(app)
reconnecting.when_acknowledging_fails()
app.autodiscover_tasks(
    ["teleder.cases", "teleder.notifications", "teleder.pipeline", "teleder.privacy", "teleder.security"]
)


# --- What a task's log lines are about --------------------------------------------------------------------
_about_a_task = ExitStack()  # a child does one task at a time


@task_prerun.connect
def name_the_trace(task: Task, **_signal: Any) -> None:
    """Take over the id that a worker gives back with its result, in whose name the rest is done."""
    _about_a_task.enter_context(logs.about(trace=logs.trace_of(task.request.get(logs.TRACE_HEADER))))


@task_postrun.connect
def forget_the_trace(**_signal: Any) -> None:
    _about_a_task.close()
