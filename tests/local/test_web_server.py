"""The web server, started as everywhere: people who keep their line open keep nobody out."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.processes import COMMANDS
from local.servers import free_port

LINES = 200  # of some thirty browsers
SECONDS = 20  # an idle line is closed after thirty
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
APPLICATION = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


@pytest.fixture
def port(tmp_path):
    (tmp_path / "little.py").write_text(APPLICATION)
    found, (program, *rest) = free_port(), shlex.split(COMMANDS["web"])
    command = [str(Path(sys.executable).parent / program), *rest[:-1], "little:application"]
    with subprocess.Popen([*command, "--host", "127.0.0.1", "--port", str(found)], cwd=tmp_path) as process:
        yield found
        process.terminate()


def line(port: int) -> socket.socket:
    limit = time.monotonic() + SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        except ConnectionRefusedError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.1)


def test_hundreds_of_open_lines_keep_nobody_out(port):
    with ExitStack() as open_lines:
        for _ in range(LINES):
            each = open_lines.enter_context(line(port))
            each.sendall(REQUEST)
            assert each.recv(1024).startswith(b"HTTP/1.1 200")


def test_it_ends_when_asked_to_while_it_still_starts(tmp_path):
    """Drill R10: two deploys within seconds of one another, and Granian waited for ever for its deaf workers."""
    (tmp_path / "slow.py").write_text(
        "import pathlib, time\npathlib.Path('starting').touch()\ntime.sleep(2)\n" + APPLICATION
    )
    program, *rest = shlex.split(COMMANDS["web"])
    command = [str(Path(sys.executable).parent / program), *rest[:-1], "slow:application"]
    with subprocess.Popen([*command, "--port", str(free_port())], cwd=tmp_path) as process:
        limit = time.monotonic() + SECONDS
        while not (tmp_path / "starting").exists() and time.monotonic() < limit:
            time.sleep(0.05)
        process.terminate()
        try:
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()
