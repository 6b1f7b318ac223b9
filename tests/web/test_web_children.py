"""Each process of the web gives a sign of life, and one that works says of another that hangs."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection
from django.utils import timezone, translation

from contract import supervise
from teleder import responding, watching
from teleder.cases.models import Heartbeat
from teleder.pipeline import heartbeats
from teleder.web.operations import health


@pytest.fixture
def clock(monkeypatch):
    found = SimpleNamespace(now=100.0)
    monkeypatch.setattr(responding, "time", SimpleNamespace(monotonic=lambda: found.now, sleep=None))
    monkeypatch.setattr(responding, "connection", SimpleNamespace(close=lambda: None))  # the test's own
    return found


@pytest.fixture
def sign(tmp_path) -> supervise.Sign:
    return supervise.Sign(tmp_path, responding.SILENT_SECONDS, look_seconds=responding.EVERY_SECONDS)


def own(folder) -> int:
    return (folder / str(os.getpid())).stat().st_mtime_ns if (folder / str(os.getpid())).exists() else 0


def test_a_request_that_takes_more_than_a_minute_withholds_the_sign(clock, sign, tmp_path):
    entered, over = threading.Event(), threading.Event()

    def slow(environ, start_response):
        entered.set()
        over.wait(60)
        return []

    counted = responding.UnderWay(slow)
    asking = threading.Thread(target=counted, args=({}, None))
    asking.start()
    entered.wait(60)
    clock.now += responding.REQUEST_SECONDS - 1
    responding.give_sign(counted, tmp_path, sign)
    assert own(tmp_path)
    os.unlink(tmp_path / str(os.getpid()))
    clock.now += 2
    responding.give_sign(counted, tmp_path, sign)
    assert not own(tmp_path)
    over.set()
    asking.join()
    responding.give_sign(counted, tmp_path, sign)
    assert own(tmp_path)


@pytest.mark.django_db
def test_a_process_that_hangs_is_told_by_another_until_it_is_gone(clock, sign, tmp_path, adam):
    counted = responding.UnderWay(lambda *_: [])
    parent = tmp_path / str(os.getppid())  # another process that lives
    for _ in range(3):
        parent.touch()
        responding.give_sign(counted, tmp_path, sign)
    assert health.board(adam).problems == []
    for _ in range(5):
        responding.give_sign(counted, tmp_path, sign)
    assert [problem.words for problem in health.board(adam).problems] == [
        "A process of the web does not respond."
    ]
    Heartbeat.objects.update(asked_at=timezone.now() - timedelta(seconds=heartbeats.FAULT_SECONDS + 1))
    parent.unlink()
    responding.give_sign(counted, tmp_path, sign)
    assert health.board(adam).problems == []


@pytest.mark.django_db
def test_the_watch_is_told_of_it(client, alices_submission):
    heartbeats.note_fault(heartbeats.WEB)
    said = client.get("/readyz", headers={watching.HEADER: "1"}).content.decode()
    assert {name for name in watching.WORDS if name in said} == {"web"}


def test_without_a_folder_nothing_is_watched(monkeypatch):
    monkeypatch.delenv(responding.FOLDER, raising=False)
    assert (
        responding.watched(test_without_a_folder_nothing_is_watched)
        is test_without_a_folder_nothing_is_watched
    )


# --- PostgreSQL whose main process stands still: what is open goes on working ------------------------------------
@pytest.mark.django_db
def test_a_database_that_takes_no_new_connection_is_told(client, alices_submission, adam, monkeypatch):
    asked = []

    def refused(**how):
        asked.append(how)
        raise connection.Database.OperationalError("timeout expired")

    monkeypatch.setattr(connection.Database, "connect", refused)
    assert client.get("/readyz").content == b"ready\n", "whoever else asks makes no new connection"
    assert asked == []
    said = client.get("/readyz", headers={watching.HEADER: "1"}).content.decode()
    assert asked[0]["connect_timeout"] == 2
    assert {name for name in watching.WORDS if name in said} == {"connection"}
    with translation.override("en"):
        (problem,) = health.board(adam).problems
    assert problem.words == "PostgreSQL accepts no new connections."
