"""The web keeps a bounded number of connections to PostgreSQL, however many of its threads have ended."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from django.db import connection

from drills.client import wait_until
from local import servers
from teleder.database import POOL

CHILDREN, THREADS, IDLE_SECONDS, ROUNDS = 2, 4, 5, 4


def sessions(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [name])
        return cursor.fetchone()[0]


@pytest.fixture
def web(process, environment):
    """Start a web server of two children; return the name of its sessions and a function that asks it."""
    name, port = f"teleder-test-{os.getpid()}", servers.free_port()
    environment["DATABASE_URL"] += f"?application_name={name}"
    process(
        "web",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--blocking-threads-idle-timeout",
        str(IDLE_SECONDS),
    )

    def ask(_number: int = 0) -> int:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=10).status_code

    def is_ready() -> bool:
        try:
            return ask() == 200
        except requests.RequestException:
            return False

    assert wait_until(is_ready, 60)
    return name, ask


def ask_at_once(ask) -> set[int]:
    with ThreadPoolExecutor(2 * CHILDREN * THREADS) as pool:
        return set(pool.map(ask, range(60)))


@pytest.mark.django_db(transaction=True)
def test_threads_that_ended_keep_no_connection(web):
    """Before the pool, each thread that was idle for 30 s left its connection open: 3 became 41 within 22 minutes."""
    name, ask = web
    counts = []
    for _ in range(ROUNDS):
        assert ask_at_once(ask) == {200}
        counts.append(sessions(name))
        time.sleep(IDLE_SECONDS + 1)
    assert 0 < min(counts) <= max(counts) <= CHILDREN * THREADS <= CHILDREN * POOL["max_size"], counts


@pytest.mark.django_db(transaction=True)
def test_all_connections_broken_at_once_fail_no_request(web):
    """As after a restart of PostgreSQL. Without the mend, a request waited 5 s for a sound connection and failed."""
    name, ask = web
    assert wait_until(lambda: ask_at_once(ask) == {200} and sessions(name) > 2 * CHILDREN, 30)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [name]
        )
    assert [ask() for _ in range(10)] == [200] * 10
