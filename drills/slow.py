"""R5-slow: parts answer late and none is away: the broker after a second, the disk after 100 ms, the workers' CPU a quarter."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from drills import slow_disk
from drills.client import wait_until
from drills.damage import alarms
from drills.oracle import Figures, percentile_95
from drills.people import with_token
from drills.run import Run, drill
from drills.system import NAMES, System
from local import servers
from local.processes import WORKERS

BROKER_SECONDS, CPU_SHARE, SLICE_SECONDS = 1.0, 0.25, 0.2
SLOW_SECONDS, TOLD_SECONDS, OVER_SECONDS = 20, 15, 60
SUBMIT_P95_SECONDS = 4.0
TOLD = "The message broker does not answer"


@drill("R5-slow", "a slow broker, disk and processor delay and lose nothing", guard="slow-broker")
def slow(run: Run) -> Figures:
    system, clients = run.system, run.clients()
    admin = with_token("slow-admin@example.com", "admin")
    with _late(system.ports["broker"]) as line, _behind(system, line):
        line.seconds, began = BROKER_SECONDS, time.monotonic()
        sending = clients.sending(run.few_or_many(6, 60), threads=2)
        is_told = wait_until(lambda: _is_told(system, admin), TOLD_SECONDS, every=0.5)
        told = time.monotonic() - began
        time.sleep(max(0.0, began + SLOW_SECONDS - time.monotonic()))
        line.seconds, back = 0.0, time.monotonic()
        sending.join()
        p95 = percentile_95([each.answered_in for each in clients.accepted])
        is_over = wait_until(lambda: not _is_told(system, admin), OVER_SECONDS, every=0.5)
        over = time.monotonic() - back
    armed = system.arm(slow_disk.ARMED)
    with _quarter_of_the_cpu(system):
        clients.send(run.few_or_many(6, 60), threads=2)
        time.sleep(SLOW_SECONDS / 2)
    armed.unlink(missing_ok=True)
    found = run.finish(clients, bound=float("inf"))
    found.notes.append(f"submit answered in {p95:.2f} s (p95) while the broker took {BROKER_SECONDS:.0f} s")
    if is_told:
        found.notes.append(f"broker told after {told:.0f} s, no longer told {over:.0f} s after")
    else:
        found.broken.append(f"a slow broker was not told within {TOLD_SECONDS} s")
    if not is_over:
        found.broken.append(f"still told {OVER_SECONDS} s after")
    if p95 > SUBMIT_P95_SECONDS:
        found.broken.append(f"patients waited for the broker: {p95:.0f} s")
    if found.unavailable:
        found.broken.append("the AI was declared unavailable because of a slow part")
    return found


def _is_told(system: System, admin) -> bool:
    return any(line.startswith(TOLD) for line in alarms(system.url, admin))


class Line:
    """A TCP line to a port of loopback; each piece of data waits `seconds` before it goes on."""

    def __init__(self, target: int) -> None:
        self.target, self.seconds, self.open = target, 0.0, True
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while self.open:
                here, _address = self.listener.accept()
                there = socket.create_connection(("127.0.0.1", self.target))
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                time.sleep(self.seconds / 2)  # there and back
                other.sendall(data)
        for each in (one, other):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.open = False
        self.listener.close()


@contextmanager
def _late(target: int) -> Iterator[Line]:
    line = Line(target)
    try:
        yield line
    finally:
        line.close()


@contextmanager
def _behind(system: System, line: Line) -> Iterator[None]:
    """Run all processes with the line between them and the broker."""
    urls = {"REDIS_URL": system.urls["broker"]} | system.role_urls
    urls = {name: url.replace(f":{line.target}/", f":{line.port}/") for name, url in urls.items()}
    with system.leaving_out(*NAMES), system.beside(NAMES, "late", **urls):
        if not wait_until(system.is_ready, OVER_SECONDS):
            raise servers.ServerError("the web did not become ready behind the slow line")
        yield


@contextmanager
def _quarter_of_the_cpu(system: System) -> Iterator[None]:
    """Let the workers run for a quarter of each slice of time and stand still for the rest."""
    over = threading.Event()

    def throttle() -> None:
        while not over.is_set():
            pids = [pid for name in WORKERS for pid in system.pids(name)]
            for number, seconds in (
                (signal.SIGSTOP, SLICE_SECONDS * (1 - CPU_SHARE)),
                (signal.SIGCONT, SLICE_SECONDS * CPU_SHARE),
            ):
                for pid in pids:
                    with suppress(ProcessLookupError):
                        os.kill(pid, number)
                time.sleep(seconds)

    thread = threading.Thread(target=throttle, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
