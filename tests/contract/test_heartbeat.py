"""A Celery worker's file is touched while its children begin what they are given, and while it tries to connect."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from celery.worker import state
from celery.worker.consumer import consumer

from contract import heartbeat


@pytest.fixture
def given(tmp_path, monkeypatch) -> heartbeat.Given:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(heartbeat, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(state, "reserved_requests", set())
    monkeypatch.setattr(state, "active_requests", set())
    found = heartbeat.Given(tmp_path / "sign")
    found.clock = clock
    return found


def beats(given: heartbeat.Given, seconds: float) -> bool:
    """Whether the file is touched so many seconds later."""
    given.clock.now += seconds
    given.path.unlink(missing_ok=True)
    given.beat()
    return given.path.exists()


class Given:
    def __init__(self, name: str) -> None:
        self.id = name


def test_an_idle_worker_and_one_at_work_give_signs(given):
    assert beats(given, 0)
    request = Given("a")
    state.reserved_requests.add(request)
    state.active_requests.add(request)
    assert beats(given, 1) and beats(given, 300)


def test_a_child_that_does_not_begin_what_it_was_given_stops_the_signs(given):
    state.reserved_requests.add(Given("a"))
    assert beats(given, 0) and beats(given, heartbeat.BEGIN_SECONDS - 1)
    assert not beats(given, 2)


def test_others_that_come_and_go_do_not_hide_a_child_that_hangs(given):
    state.reserved_requests.add(Given("hangs"))
    for number in range(4):
        request = Given(str(number))
        state.reserved_requests.add(request)
        beats(given, heartbeat.BEGIN_SECONDS / 3)
        state.reserved_requests.discard(request)
    assert not beats(given, 0)


def test_a_worker_gives_signs_again_once_its_child_begins(given):
    request = Given("a")
    state.reserved_requests.add(request)
    beats(given, 0)
    assert not beats(given, heartbeat.BEGIN_SECONDS + 1)
    state.active_requests.add(request)
    assert beats(given, 0)


def test_while_it_tries_to_connect_it_gives_signs(tmp_path, monkeypatch):
    """A restart would not bring the broker back."""
    monkeypatch.setattr(consumer, "maybe_shutdown", consumer.maybe_shutdown)  # restored afterwards
    monkeypatch.setenv(heartbeat.NAME, str(tmp_path / "sign"))
    heartbeat.TouchFile(SimpleNamespace())
    consumer.maybe_shutdown()
    assert (tmp_path / "sign").exists()
    monkeypatch.setattr(state, "should_stop", 0)
    with pytest.raises(SystemExit):
        consumer.maybe_shutdown()
