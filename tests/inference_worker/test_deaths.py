"""Both sides' workers look for dead children often; `./run drills R8` shows what that is worth."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from billiard.pool import Worker

from contract.celery_fixes import deaths
from inference_worker import app as worker
from teleder import celery as web

BOTH = pytest.mark.parametrize("app", [worker.app, web.app])


@BOTH
def test_the_message_of_a_child_that_died_is_kept_for_no_result_in_its_pipe(app):
    assert 0 < app.conf.worker_lost_wait <= deaths.LOOK_SECONDS


@BOTH
def test_workers_look_for_deaths_in_the_intervals_that_are_said_here(app):
    assert deaths.LookForDeaths in app.steps["worker"]
    pool, intervals = SimpleNamespace(maintain_pool=object()), {}
    hub = SimpleNamespace(call_repeatedly=lambda seconds, call: intervals.update({call: seconds}))
    parent = SimpleNamespace(pool=pool)
    deaths.LookForDeaths(parent).register_with_event_loop(parent, hub)
    assert intervals == {pool.maintain_pool: deaths.LOOK_SECONDS}


def test_a_child_waits_seconds_for_its_last_result_to_be_read_not_half_a_minute(monkeypatch):
    """Drill R10: at a deploy the parent sometimes never reads it."""
    slept = []
    monkeypatch.setattr("billiard.pool.time.sleep", slept.append)
    unheard = SimpleNamespace(on_ready_counter=SimpleNamespace(value=0))
    assert Worker._ensure_messages_consumed(unheard, completed=1) is False
    assert sum(slept) == pytest.approx(deaths.HEARD_SECONDS)


def test_a_worker_that_cannot_end_is_ended():
    stuck = (
        "import threading; from contract.celery_fixes import deaths; deaths.END_SECONDS = 1;"
        "from celery.signals import worker_shutting_down; worker_shutting_down.send(sender=None);"
        "lock = threading.Lock(); lock.acquire(); lock.acquire()"
    )
    done = subprocess.run([sys.executable, "-c", stuck], check=False, timeout=60)
    assert done.returncode == -signal.SIGALRM
