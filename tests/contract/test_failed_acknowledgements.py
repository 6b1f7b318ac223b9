"""A real worker loses its connection while acknowledging, and continues."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery
from kombu.message import Message

from inference_worker import app as worker
from teleder import celery as web

DATABASE = 15  # of Valkey's sixteen: no parallel run of the tests has so many processes
PATIENCE_SECONDS = 30
ROOT = Path(__file__).parents[2]
WORKER = """
import os, redis
from celery import Celery
from kombu.transport import redis as transport
from contract.celery_fixes import failed_acknowledgements
app = Celery("cut", broker=os.environ["REDIS_URL"])
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, task_ignore_result=True)
failed_acknowledgements.install(app)
acknowledge, failed = transport.QoS.ack, []
def fail_once(qos, tag):
    if not failed:
        failed.append(tag)
        raise redis.ConnectionError("cut between question and answer")
    acknowledge(qos, tag)
transport.QoS.ack = fail_once
@app.task(name="work")
def work(number):
    redis.Redis.from_url(os.environ["REDIS_URL"]).rpush("done", number)
"""


@pytest.fixture
def url(settings) -> Iterator[str]:
    found = f"{settings.REDIS_URL.rsplit('/', 1)[0]}/{DATABASE}"
    redis.Redis.from_url(found).flushdb()
    yield found
    redis.Redis.from_url(found).flushdb()


@pytest.fixture
def _working(url, tmp_path) -> Iterator[None]:
    (tmp_path / "cut.py").write_text(WORKER)
    environment = os.environ | {"REDIS_URL": url, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    command = "-m celery -A cut worker -P prefork -c 1 --without-mingle --without-gossip"
    process = subprocess.Popen([sys.executable, *command.split()], env=environment, cwd=tmp_path)
    yield
    process.terminate()
    process.wait(PATIENCE_SECONDS)


@pytest.mark.usefixtures("_working")
def test_a_worker_that_failed_to_acknowledge_receives_the_next_message(url):
    sender, valkey = Celery(broker=url), redis.Redis.from_url(url)
    for number in range(3):
        sender.send_task("work", (number,))
    limit = time.monotonic() + PATIENCE_SECONDS
    while valkey.lpos("done", 2) is None and time.monotonic() < limit:
        time.sleep(0.1)
    # A message that was not acknowledged is done again later.
    assert set(valkey.lrange("done", 0, -1)) == {b"0", b"1", b"2"}


@pytest.mark.parametrize("app", [worker.app, web.app])
def test_both_sides_raise_an_error_for_a_failed_acknowledgement(app):
    assert (
        Message.ack_log_error.__module__
        == Message.reject_log_error.__module__
        == "contract.celery_fixes.failed_acknowledgements"
    )
