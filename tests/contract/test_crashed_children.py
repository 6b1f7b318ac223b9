"""The workers of both sides detect a crashed child soon; `./run drills R8` measures the effect."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from billiard.pool import Worker

from contract.celery_fixes import crashed_children
from inference_worker import app as worker
from teleder import celery as web

BOTH = pytest.mark.parametrize("app", [worker.app, web.app])


@BOTH
def test_the_message_of_a_crashed_child_does_not_wait_for_a_result(app):
    assert 0 < app.conf.worker_lost_wait <= crashed_children.CHECK_SECONDS


@BOTH
def test_workers_check_their_children_every_half_second(app):
    assert crashed_children.CheckChildren in app.steps["worker"]
    pool, intervals = SimpleNamespace(maintain_pool=object()), {}
    hub = SimpleNamespace(call_repeatedly=lambda seconds, call: intervals.update({call: seconds}))
    parent = SimpleNamespace(pool=pool)
    crashed_children.CheckChildren(parent).register_with_event_loop(parent, hub)
    assert intervals == {pool.maintain_pool: crashed_children.CHECK_SECONDS}


def test_a_child_waits_three_seconds_for_its_last_result_to_be_read(monkeypatch):
    """Drill R10: during a deploy the parent sometimes never reads it."""
    slept = []
    monkeypatch.setattr("billiard.pool.time.sleep", slept.append)
    unheard = SimpleNamespace(on_ready_counter=SimpleNamespace(value=0))
    assert Worker._ensure_messages_consumed(unheard, completed=1) is False
    assert sum(slept) == pytest.approx(crashed_children.CHILD_END_SECONDS)


def test_a_worker_that_cannot_end_is_killed():
    stuck = (
        "import threading; from contract.celery_fixes import crashed_children; crashed_children.END_SECONDS = 1;"
        "from celery.signals import worker_shutting_down; worker_shutting_down.send(sender=None);"
        "lock = threading.Lock(); lock.acquire(); lock.acquire()"
    )
    done = subprocess.run([sys.executable, "-c", stuck], check=False, timeout=60)
    assert done.returncode == -signal.SIGALRM
