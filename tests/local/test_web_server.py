"""The web server with its usual command: open idle connections do not block other people."""

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

LINES = 200  # as many as about thirty browsers open
SECONDS = 20  # an idle connection is closed after thirty
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


def test_hundreds_of_open_connections_block_nobody(port):
    with ExitStack() as open_lines:
        for _ in range(LINES):
            each = open_lines.enter_context(line(port))
            each.sendall(REQUEST)
            assert each.recv(1024).startswith(b"HTTP/1.1 200")


def test_it_ends_on_sigterm_while_it_is_starting(tmp_path):
    """Drill R10: in two deploys within seconds Granian waited for ever for workers that did not respond."""
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
