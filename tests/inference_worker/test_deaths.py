"""Both sides' workers look for dead children often; `./run drills R8` shows what that is worth."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from inference_worker import app as worker
from inference_worker import deaths
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
