"""A process that hangs is ended and started again, whether it stands still, ignores SIGTERM or has children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract import supervise

ROOT = Path(__file__).resolve().parents[2]
# It says who it is, and gives a sign of life; with "child" a second process does so beside it, which its parent replaces.
WORKING = """
import os, pathlib, signal, subprocess, sys, time
sign, started, *how = sys.argv[1:]
with open(started, "a") as file:
    file.write(f"{os.getpid()}\\n")
if "deaf" in how:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
if "fails" in how:
    sys.exit(3)
if "folder" in how:
    pathlib.Path(sign).mkdir(exist_ok=True)
    sign = f"{sign}/{os.getpid()}"
if "parent" in how:
    while True:
        subprocess.run([sys.executable, __file__, sys.argv[1], started, "folder"])
while True:
    pathlib.Path(sign).touch()
    time.sleep(0.05)
"""


@pytest.fixture
def supervised(tmp_path) -> Iterator[Callable]:
    """Start a supervisor with a process that gives its sign of life in `how`; return it and a list of what was started."""
    running: list[subprocess.Popen] = []
    script, started = tmp_path / "working.py", tmp_path / "started"
    script.write_text(WORKING)

    def start(*how: str) -> tuple[subprocess.Popen, Callable[[], list[int]]]:
        sign = str(tmp_path / "sign")
        program = [sys.executable, str(script), sign, str(started), *how]
        command = [sys.executable, "-m", "contract.supervise", "--silent", "2", "--end", "1", sign, "--"]
        log = (tmp_path / "log").open("wb")
        running.append(subprocess.Popen([*command, *program], cwd=ROOT, stdout=log, stderr=log))
        return running[-1], lambda: list(map(int, started.read_text().split())) if started.exists() else []

    yield start
    for each in running:
        each.kill()
        each.wait()
    for pid in map(int, started.read_text().split()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "not within 60 s"
        time.sleep(0.05)


@pytest.mark.parametrize("how", [(), ("deaf",)])
def test_a_process_that_stands_still_is_replaced(supervised, tmp_path, how):
    _keeper, started = supervised(*how)
    wait_until(lambda: (tmp_path / "sign").exists())
    (first,) = started()
    os.kill(first, signal.SIGSTOP)
    wait_until(lambda: len(started()) == 2)
    assert not supervise.is_alive(first)
    lines = (tmp_path / "log").read_text()
    assert lines.count("gives no sign of life") == 1 and lines.count("starting it again") == 1


def test_a_process_that_works_is_left_alone_and_told_to_stop(supervised, tmp_path):
    keeper, started = supervised()
    wait_until(lambda: (tmp_path / "sign").exists())
    time.sleep(4)
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(20) == 7
    assert len(started()) == 1 and (tmp_path / "log").read_text() == ""


def test_a_process_that_ends_is_started_again_with_longer_and_longer_pauses(supervised, tmp_path):
    keeper, started = supervised("fails")
    wait_until(lambda: len(started()) == 3)
    log = tmp_path / "log"
    wait_until(lambda: "in 4 s" in log.read_text())
    assert "ended (3); starting it again in 1 s" in log.read_text() and "in 2 s" in log.read_text()
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(20) == 3


def test_of_a_web_only_the_child_that_stands_still_is_ended(supervised, tmp_path):
    """Granian's children each have a file in a folder. The parent here gives none, and replaces its child as Granian does."""
    folder = tmp_path / "sign"
    folder.mkdir()
    (folder / str(os.getpid())).touch()  # another child, which works
    _keeper, started = supervised("parent")
    wait_until(lambda: len(started()) == 2)
    parent, child = started()
    (folder / str(os.getpid())).touch()
    os.kill(child, signal.SIGSTOP)

    def replaced() -> bool:
        (folder / str(os.getpid())).touch()
        return len(started()) == 3

    wait_until(replaced)
    assert supervise.is_alive(parent) and not supervise.is_alive(child)
    assert f"child {child}" in (tmp_path / "log").read_text()


def test_what_never_gave_a_sign_is_not_missed(tmp_path):
    sign = supervise.Sign(tmp_path / "none", silent_seconds=2)
    assert [sign.look() for _ in range(10)] == [[]] * 10
    assert not sign.is_fresh(), "but it is not healthy"


def test_a_sign_is_old_after_so_many_looks_and_fresh_once_it_is_touched(tmp_path):
    file = tmp_path / "sign"
    file.touch()
    sign = supervise.Sign(file, silent_seconds=3)
    assert [bool(sign.look()) for _ in range(5)] == [False, False, False, False, True]
    os.utime(file, (1, 1))
    assert sign.look() == []
    assert not sign.is_fresh()
    file.touch()
    assert sign.is_fresh()


def test_the_sign_of_a_child_that_ended_is_removed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for pid in (os.getpid(), ended.pid):
        (tmp_path / str(pid)).touch()
    sign = supervise.Sign(tmp_path, silent_seconds=2)
    assert [sign.look() for _ in range(3)] == [[], [], []]
    assert sign.look() == [supervise.WHOLE], "no child is left that works"
    assert [file.name for file in tmp_path.iterdir()] == [str(os.getpid())]


def test_the_health_check_asks_for_the_same_sign(tmp_path):
    sign = tmp_path / "sign"
    asked = ["--silent", "60", "--ask", str(sign)]
    assert supervise.main(asked) == 1
    sign.touch()
    assert supervise.main(asked) == 0
    os.utime(sign, (1, 1))
    assert supervise.main(asked) == 1
