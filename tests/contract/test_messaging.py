"""Every connection to Valkey takes its timeouts and retries from one table."""

from __future__ import annotations

import gc
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from celery.signals import worker_before_create_process
from django.conf import settings

from contract import messaging
from inference_worker.app import app as inference
from teleder.celery import app

ROOT = Path(__file__).resolve().parents[2]


def test_no_other_file_of_the_product_connects_to_valkey():
    connecting = re.compile(r"\bRedis(\(|\.from_url)|socket_(connect_)?timeout")
    files = [
        path
        for name in ("contract", "teleder", "inference_worker", "decoding")
        for path in (ROOT / name).rglob("*.py")
    ]
    found = {str(path.relative_to(ROOT)) for path in files if connecting.search(path.read_text())}
    assert found == {"contract/messaging.py"}


@pytest.mark.parametrize(("either", "role"), [(app, "results"), (inference, "worker")], ids=["web", "worker"])
def test_both_celery_apps_stop_waiting_for_an_unavailable_broker(either, role):
    options, timeouts = either.conf.broker_transport_options, messaging.TIMEOUTS[role]
    assert options["socket_connect_timeout"] == timeouts.connect_seconds > 0
    assert options["socket_timeout"] == timeouts.answer_seconds > 0
    assert options["socket_keepalive"] is True


def test_the_cache_uses_the_timeouts_and_retries_of_the_table():
    timeouts, options = messaging.TIMEOUTS["cache"], settings.CACHES["default"]["OPTIONS"]
    assert options["socket_timeout"] == timeouts.answer_seconds
    assert options["retry"].get_retries() == timeouts.retries


def test_an_unresponsive_broker_delays_a_request_by_half_a_second():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        started = time.monotonic()
        with pytest.raises(redis.TimeoutError):
            messaging.client(url, "request").ping()
        assert 0.4 < time.monotonic() - started < 2


def test_a_process_has_one_client_for_each_address_and_purpose():
    url = "redis://127.0.0.1:1/0"
    assert messaging.client(url, "request") is messaging.client(url, "request")
    assert messaging.client(url, "request") is not messaging.client(url, "erasure")


def test_threads_that_ask_first_at_the_same_time_get_the_same_client(monkeypatch):
    """Found by drill R10: each got its own, and one that was collected closed the connection of a request: a 500."""
    connect = redis.Redis.from_url
    monkeypatch.setattr(redis.Redis, "from_url", lambda *a, **k: time.sleep(0.1) or connect(*a, **k))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: messaging.client("redis://127.0.0.1:2/0", "cache"), range(8)))
    assert len({id(each) for each in found}) == 1


def test_garbage_collection_leaves_alone_what_a_child_shares_with_its_parent():
    before = gc.get_freeze_count()
    try:
        worker_before_create_process.send(sender=None)
        assert gc.get_freeze_count() > before + 10_000
    finally:
        gc.unfreeze()
