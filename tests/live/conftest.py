"""Real processes on a test's own database, Valkey and media folder."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from django.core.management import call_command
from django.db import connection

from drills import client
from drills.mail import Mailbox
from local import processes
from teleder.cases.models import Job

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as box:
        yield box


@pytest.fixture
def environment(settings, mailbox, transactional_db) -> dict[str, str]:
    """The environment of all processes, whose storage is marked."""
    call_command("init_storage")
    database = connection.settings_dict
    host, port = database["HOST"] or "localhost", database["PORT"] or 5432
    credentials = (
        f"{database['USER']}:{database['PASSWORD']}@" if database["PASSWORD"] else f"{database['USER']}@"
    )
    return os.environ | {
        "DATABASE_URL": f"postgresql://{credentials}{host}:{port}/{database['NAME']}",
        "REDIS_URL": settings.REDIS_URL,
        "TELEDER_STORAGE": str(settings.PHOTO_STORAGE),
        "TELEDER_EMAIL_URL": mailbox.url,
        "TELEDER_HOLD_SECONDS": "0",  # the words of an answer leave at once
        "TELEDER_JOB_BATCH": "1",
        "TELEDER_JOB_WAIT_SECONDS": "15",
    }


@pytest.fixture
def process(settings, environment, tmp_path) -> Iterator[Callable]:
    """Start a named process of the system; its output goes to `NAME-NUMBER.log`."""
    running: list[subprocess.Popen] = []

    def start(name: str, *more: str) -> subprocess.Popen:
        log = (tmp_path / f"{name}-{len(running)}.log").open("wb")
        own_name = ["-n", f"{name}{len(running)}@test"] if "celery" in processes.COMMANDS[name] else []
        running.append(
            subprocess.Popen(
                [*processes.command(name), *own_name, *more],
                cwd=ROOT,
                env=processes.environment_of(name, environment),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        )
        return running[-1]

    admin = redis.Redis.from_url(settings.REDIS_URL)
    admin.flushdb()
    admin.acl_log_reset()
    yield start
    for each in running:
        kill(each)
    assert refused_by(admin) == []


def refused_by(admin: redis.Redis) -> list[str]:
    """Return the commands that Valkey refused to roles since its log was reset, in this test run's database."""
    number = admin.connection_pool.connection_kwargs["db"]
    rows = [row for row in admin.acl_log() if row["reason"] != "auth"]
    ours = [row for row in rows if row["client-info"]["db"] == str(number)]
    return [f"{row['username']}: {row['reason']} {row['object']}" for row in ours]


def kill(process: subprocess.Popen) -> None:
    """kill -9 of a process and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(true: Callable[[], bool], seconds: float = 120, *, every: float = 0.1) -> None:
    assert client.wait_until(true, seconds, every=every), (
        f"not within {seconds} s; jobs: {list(Job.objects.values_list('stage', 'state'))}"
    )
