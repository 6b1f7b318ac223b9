"""The worker's Celery app. It takes requests from the inference queues and answers with tasks of the web.

    celery -A inference_worker.app worker -P prefork --without-gossip --without-mingle --without-heartbeat \\
        -Q inference.analyse,inference.check,inference.distance

One process per core or GPU, of one thread; `-P solo` would ignore time limits. The web's database holds the state of every job: a lost
message or a crashed worker costs seconds and never a job, so that nothing here retries.
"""

from __future__ import annotations

from celery import Celery
from celery.signals import setup_logging

from contract import environment, logs, messages, messaging, probes

environment.use_one_thread()
broker = environment.secret("REDIS_URL")
environment.address("REDIS_URL", broker)
setup_logging.connect(logs.configure)
app = Celery("inference_worker", broker=broker or None, include=["inference_worker.tasks"])
# Longer than the longest batch; what comes back later than it expires is thrown away unread.
messaging.configure(app, "worker", queues=messages.QUEUES.values(), visibility_timeout=300)
probes.install(app)
app.conf.worker_concurrency = environment.inference_processes()
