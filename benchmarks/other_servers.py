"""The other servers of `benchmarks.worker`, in an environment of their own (pip installs them), each set up by its own documentation."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from benchmarks.frame import ROOT
from benchmarks.steps import WARM_UP, sources_in
from drills.client import wait_until
from drills.system import descendants
from local.servers import free_port

PEERS = Path(__file__).parent / "peers"
ENVIRONMENT = ROOT / ".venv-peers"
CLIENTS = 16
START_SECONDS = 180
ANSWER_SECONDS = 900


def own_python() -> Path:
    """Return the Python of the other servers' environment; make it if it is not there."""
    python = ENVIRONMENT / "bin/python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        here = next(path for path in sys.path if path.endswith("site-packages"))
        (next(ENVIRONMENT.glob("lib/*/site-packages")) / "project.pth").write_text(here + "\n")
    installed = ["-m", "pip", "install", "--quiet", "-r", str(PEERS / "requirements.txt")]
    subprocess.run([python, *installed], check=True)
    return python


def known(python: Path) -> dict[str, tuple[str, Callable[[Path, int], list[str]], Callable[[str], dict]]]:
    """Return of each server its path, its command with a folder and a port, and the body of a request for a photo."""
    program = str(python.parent / "bentoml")
    module = [str(python), "-m"]

    def body(photo: str) -> dict[str, str]:
        return {"photo": photo}

    return {
        "LitServe": (
            "/predict",
            lambda folder, port: [*module, "benchmarks.peers.litserve_app", str(folder), str(port)],
            body,
        ),
        "Ray Serve": (
            "/",
            lambda folder, port: [*module, "benchmarks.peers.ray_app", str(folder), str(port)],
            body,
        ),
        "BentoML": (
            "/photos",
            lambda folder, port: [program, "serve", "benchmarks.peers.bentoml_app:Photos", "--host", "127.0.0.1", "--port", str(port)],
            lambda photo: {"photo": [photo]},
        ),
    }  # fmt: skip


@contextmanager
def running(peer: Any, folder: Path) -> Iterator[Callable[[int], None]]:
    """Start a server that `known` describes; yield what asks it for so many photos and waits for the answers."""
    path, command, body = peer
    port = free_port()
    quiet = {
        "BENTOML_DO_NOT_TRACK": "1",
        "PEER_FOLDER": str(folder),
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    environment = os.environ | quiet | {"PYTHONPATH": str(ROOT)}
    with open(folder / "peer.log", "ab") as log:
        server = subprocess.Popen(
            command(folder, port), cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    sources, address = itertools.cycle(sources_in(folder)), f"http://127.0.0.1:{port}{path}"

    def ask(photo: str) -> None:
        requests.post(address, json=body(photo), timeout=ANSWER_SECONDS).raise_for_status()

    def answers() -> bool:
        if server.poll() is not None:
            raise RuntimeError(f"a server ended: {(folder / 'peer.log').read_text()[-2000:]}")
        with suppress(requests.RequestException):
            ask(next(sources))
            return True
        return False

    def work(some: int) -> None:
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(ask, itertools.islice(sources, some)))

    try:
        if not wait_until(answers, START_SECONDS):
            raise RuntimeError(f"a server did not answer: {(folder / 'peer.log').read_text()[-2000:]}")
        work(4 * WARM_UP)
        yield work
    finally:
        _end(server)


def _end(server: subprocess.Popen) -> None:
    """End a server and all that it started: Ray and BentoML put workers in sessions of their own."""
    started = [server.pid, *descendants(server.pid)]
    server.terminate()
    with suppress(subprocess.TimeoutExpired):
        server.wait(20)
    for pid in started:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.wait()
