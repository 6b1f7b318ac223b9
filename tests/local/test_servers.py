"""Embedded servers start, serve, stop, and leave the machine unchanged."""

from __future__ import annotations

import os
import re
import signal
import stat
import time

import psycopg
import pytest
import redis

from local import servers

pytestmark = pytest.mark.live


@pytest.fixture
def bare(monkeypatch):
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)


def test_both_servers_answer_keep_their_data_and_stop(bare, tmp_path):
    before = stat.S_IMODE(os.stat(tmp_path).st_mode)
    with servers.running(tmp_path / "state", durable=False) as first:
        with psycopg.connect(first.database_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        assert redis.Redis.from_url(first.redis_url).ping()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first.database_url)
    with (
        servers.running(tmp_path / "state", durable=False) as second,
        psycopg.connect(second.database_url) as connection,
    ):
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert stat.S_IMODE(os.stat(tmp_path).st_mode) == before
    assert stat.S_IMODE(os.stat(tmp_path / "state" / "postgres").st_mode) == 0o700


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_a_server_that_dies_is_said_and_started_again(bare, tmp_path, name):
    said: list[str] = []

    def answers() -> bool:
        try:
            if name == "valkey":
                return redis.Redis.from_url(found.redis_url, retry=None).ping()
            psycopg.connect(found.database_url, connect_timeout=5).close()
        except (psycopg.OperationalError, redis.ConnectionError):
            return False
        return True

    with servers.running(tmp_path / "state", durable=False, say=said.append) as found:
        if name == "valkey":
            pid = redis.Redis.from_url(found.redis_url).info("server")["process_id"]
        else:
            pid = int((tmp_path / "state/postgres/postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 30
        while not (said and answers()) and time.monotonic() < end:
            time.sleep(0.2)
        assert answers() and all(
            line.startswith(f"{name} ended (-9); starting it again") for line in said[:1]
        )
    assert not answers()


def test_external_servers_are_used(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", "postgresql://mine/db")
    monkeypatch.setenv("REDIS_URL", "redis://mine/0")
    with servers.running(tmp_path / "state") as found:
        assert found == servers.Servers("postgresql://mine/db", "redis://mine/0")
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["owner"]


def test_other_users_of_the_machine_need_the_password(bare, tmp_path):
    with servers.running(tmp_path / "state", durable=False) as found:
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(re.sub(":[^:@]+@", ":guess@", found.database_url))
        with pytest.raises(redis.exceptions.AuthenticationError):
            redis.Redis.from_url(re.sub("//.*@", "//", found.redis_url)).ping()
    for name in ("password", "owner", "valkey/valkey.conf"):
        assert stat.S_IMODE(os.stat(tmp_path / "state" / name).st_mode) == 0o600


def test_a_second_run_shares_the_servers_if_allowed_and_is_refused_otherwise(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", "postgresql://mine/db")
    monkeypatch.setenv("REDIS_URL", "redis://mine/0")
    with servers.running(tmp_path / "state") as first:
        with servers.running(tmp_path / "state", join=True, given={}) as second:
            assert second == first
        with pytest.raises(servers.ServerError, match="stop that one"), servers.running(tmp_path / "state"):
            pass
    with servers.running(tmp_path / "state") as third:
        assert third == first


def test_root_without_user_namespaces_gets_advice(bare, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(servers.shutil, "which", lambda name: None)
    with pytest.raises(servers.ServerError, match="DATABASE_URL"), servers.running(tmp_path / "state"):
        pass


def test_servers_end_with_their_parent(bare, tmp_path):
    """A killed `./run` leaves no process behind."""
    import subprocess
    import sys

    script = (
        "import pathlib, sys, time\nfrom local import servers\n"
        "with servers.running(pathlib.Path(sys.argv[1]), durable=False) as found:\n"
        "    print(found.database_url, flush=True)\n    time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "s")], stdout=subprocess.PIPE, text=True
    )
    url = parent.stdout.readline().strip()
    psycopg.connect(url).close()
    parent.kill()
    parent.wait()
    end = time.monotonic() + 15
    while time.monotonic() < end:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            return
        time.sleep(0.2)
    pytest.fail("Postgres outlived its parent")
