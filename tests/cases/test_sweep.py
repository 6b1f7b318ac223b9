"""The sweeper shows that it is alive, and one failing duty does not stop the others."""

from __future__ import annotations

import signal
import threading

import pytest
from django.core.management import call_command

from teleder.pipeline import dispatch, recovery


def test_each_round_touches_the_heartbeat(db, settings, tmp_path):
    settings.SWEEP_HEARTBEAT = str(tmp_path / "heartbeat")
    call_command("sweep", once=True)
    assert (tmp_path / "heartbeat").exists()


@pytest.mark.django_db
def test_a_failing_duty_does_not_stop_the_others(settings, monkeypatch, caplog):
    done = []
    monkeypatch.setattr(recovery, "expire", lambda: 1 / 0)
    monkeypatch.setattr(dispatch, "dispatch_all", lambda: done.append("dispatched"))
    settings.SWEEP_DUTIES = ["teleder.pipeline.recovery.expire", "teleder.pipeline.dispatch.dispatch_all"]
    call_command("sweep", once=True)
    assert done == ["dispatched"]
    assert "failed" in caplog.text


@pytest.mark.django_db
def test_duties_that_can_wait_are_done_in_every_fifth_round(settings, monkeypatch):
    done, rounds = [], iter(range(7))
    monkeypatch.setattr(recovery, "expire", lambda: done.append("often"))
    monkeypatch.setattr(recovery, "replace_older_stages", lambda: done.append("seldom"))
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the handlers would outlive the test
    monkeypatch.setattr(threading.Event, "wait", lambda _stop, _seconds: next(rounds) == 6)
    settings.SWEEP_DUTIES = [
        f"teleder.pipeline.recovery.{name}" for name in ("expire", "replace_older_stages")
    ]
    call_command("sweep")
    assert (done.count("often"), done.count("seldom")) == (7, 2)
