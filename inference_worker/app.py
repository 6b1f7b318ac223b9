"""The worker's Celery app. It takes requests from the inference queues and answers by tasks of the web.

    celery -A inference_worker.app worker -Q inference.prepare,inference.segment,inference.classify \\
        -P prefork -c 1 --without-gossip --without-mingle --without-heartbeat

One process per GPU (`-c 1`); `-P solo` would ignore time limits. The truth of the work is in the web's
database: a message that is lost or a worker that dies costs seconds and never a job, so that nothing here
retries.
"""

from __future__ import annotations

from celery import Celery
from celery.signals import setup_logging

from contract import environment, heartbeat, logs, messages, messaging
from contract.celery_fixes import deaths, reconnecting

broker = environment.secret("REDIS_URL")
environment.address("REDIS_URL", broker)
setup_logging.connect(logs.configure)
app = Celery("inference_worker", broker=broker or None, include=["inference_worker.tasks"])
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=False,  # True loops for ever on a task that kills its process (celery#9082)
    task_queues=[messaging.queue(name) for name in messages.QUEUES.values()],
    worker_prefetch_multiplier=1,
    worker_proc_alive_timeout=10,  # by default a child is ended that a busy machine does not start within 4 s
    broker_connection_retry_on_startup=True,
    worker_redirect_stdouts=False,  # it would log what others print, word for word
)
# Longer than the longest batch; what comes back later than it expires is thrown away unread.
messaging.configure(app, "worker", visibility_timeout=300, socket_keepalive=True)
deaths.notice_soon(app)
heartbeat.install(app)
reconnecting.when_acknowledging_fails()
