"""The supervisor restarts and stops processes, and gives no keys to the worker."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract import messages
from local import processes, valkey

ENVIRONMENT = {
    "DATABASE_URL": "postgresql://u:secret@h/d",
    "REDIS_URL": "redis://h/0",
    "TELEDER_PHOTO_KEYS": "key",
    "TELEDER_SECRET_KEY": "key",
}
# A process with a child, like Celery; it prints both ids and its environment.
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, *sorted(os.environ), flush=True)
time.sleep(600)
"""


@pytest.fixture
def supervisor(tmp_path, monkeypatch) -> Iterator[processes.Supervisor]:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    for name in ("web", *processes.WORKERS):
        monkeypatch.setitem(processes.COMMANDS, name, f"{Path(sys.executable).name} {script}")
    monkeypatch.setattr(processes, "RESTART_SECONDS", 0.1)
    supervisor = processes.Supervisor(tmp_path, tmp_path / "logs", ENVIRONMENT, say=lambda text: None)
    yield supervisor
    supervisor.stop()


def output_of(supervisor: processes.Supervisor, name: str, lines: int = 1) -> list[str]:
    """Return the words of the newest line of a process, once it has written `lines` lines."""
    wait_until(lambda: len((supervisor.logs / f"{name}.log").read_text().splitlines()) == lines)
    return (supervisor.logs / f"{name}.log").read_text().splitlines()[-1].split()


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "not within 20 s"
        time.sleep(0.05)


def alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_stop_leaves_neither_a_process_nor_its_children(supervisor):
    supervisor.start("web")
    pids = output_of(supervisor, "web")[:2]
    assert all(map(alive, pids))
    supervisor.stop()
    wait_until(lambda: not any(map(alive, pids)))


def test_a_killed_process_is_restarted_and_its_children_are_ended(supervisor):
    supervisor.start("web")
    parent, child = output_of(supervisor, "web")[:2]
    os.kill(int(parent), signal.SIGKILL)
    real_start = supervisor.start

    def start_and_end_the_watch(name: str, *extra: str) -> None:
        real_start(name, *extra)
        supervisor.stopping.set()

    supervisor.start = start_and_end_the_watch
    supervisor.watch()
    assert output_of(supervisor, "web", lines=2)[0] != parent
    assert not alive(child)


def test_only_the_web_gets_the_database_and_only_who_reads_originals_the_keys_of_photos(supervisor):
    names = ("web", *processes.WORKERS)
    for name in names:
        supervisor.start(name)
    given = {name: set(output_of(supervisor, name)[2:]) & set(ENVIRONMENT) for name in names}
    prepare = {"REDIS_URL", "TELEDER_PHOTO_KEYS"}
    assert given == {"web": set(ENVIRONMENT), "prepare": prepare, "inference": {"REDIS_URL"}}


def test_photos_are_prepared_by_a_process_of_their_own_and_no_queue_is_without_a_worker():
    queues = {name: processes.COMMANDS[name].rpartition(" -Q ")[2].split(",") for name in processes.WORKERS}
    assert queues["prepare"] == [messages.QUEUES[stage] for stage in messages.FROM_ORIGINAL]
    assert sorted(queues["prepare"] + queues["inference"]) == sorted(messages.QUEUES.values())


ADDRESSES = {valkey.variable(role): f"redis://{role}:secret@h/0" for role in valkey.ROLES}


@pytest.mark.parametrize("name", sorted(processes.COMMANDS))
def test_each_process_gets_only_the_valkey_url_of_its_own_role(name):
    everything = {"REDIS_URL": "redis://admin:secret@h/0", "REDIS_URL_FILE": "/of/the/admin"} | ADDRESSES
    role = {"watch": "beat"}.get(name, "worker" if name in processes.WORKERS else name)
    assert processes.environment_of(name, everything) == {"REDIS_URL": f"redis://{role}:secret@h/0"}


@pytest.mark.parametrize("name", sorted(processes.COMMANDS))
def test_with_an_external_valkey_all_processes_get_its_url(name):
    given = {"REDIS_URL": "redis://h/0", "REDIS_URL_FILE": "/some/file"}
    assert processes.environment_of(name, given) == given
