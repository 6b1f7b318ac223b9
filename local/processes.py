"""The processes of teleder: what each is called, how it is started, and a supervisor for one machine.

docker-compose.yml runs the same commands (tests/local/test_compose.py compares them).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inference_worker import contract
from local.servers import die_with_parent

STOP_SECONDS = 20
RESTART_SECONDS = 3

# Program and arguments as in a shell, without the folder of the program.
COMMANDS: dict[str, list[str]] = {
    "web": [
        *"granian --interface wsgi --workers 2 --blocking-threads 4".split(),
        *"--no-ws --backpressure 64 teleder.wsgi:application".split(),
    ],
    "results": (
        "celery -A teleder.celery worker -Q results -P prefork -c 1 --without-mingle --without-gossip -n results@%h"
    ).split(),
    "sweeper": ["python", "manage.py", "sweep"],
    "beat": "celery -A teleder.celery beat --schedule /tmp/teleder-beat".split(),
    "inference": [
        *"celery -A inference_worker.app worker -P prefork -c 1".split(),
        *f"--without-mingle --without-gossip -n inference@%h -Q {','.join(contract.QUEUES.values())}".split(),
    ],
}


def command(name: str) -> list[str]:
    """Return the command of a process with its program found beside this Python."""
    program, *arguments = COMMANDS[name]
    return [str(Path(sys.executable).parent / program), *arguments]


@dataclass
class Supervisor:
    """Starts processes, writes each one's log to a file, starts again what ends by itself."""

    root: Path
    logs: Path
    environment: Mapping[str, str]
    say: Callable[[str], None] = print
    running: dict[str, subprocess.Popen] = field(default_factory=dict)
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)

    def start(self, name: str, *extra: str) -> None:
        self.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.logs / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*command(name), *extra],
                cwd=self.root,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent if sys.platform == "linux" else None,
            )
        self.extra[name] = extra

    def watch(self) -> None:
        """Return when asked to stop; until then start again whatever ended."""
        while not self.stopping.wait(1):
            for name, process in list(self.running.items()):
                if process.poll() is not None:
                    self.say(f"{name} ended ({process.returncode}); starting it again. Log: {self.logs}/{name}.log")
                    time.sleep(RESTART_SECONDS)
                    self.start(name, *self.extra[name])

    def stop(self) -> None:
        """Ask all to end (SIGTERM: Celery finishes what it has begun), then end the rest."""
        self.stopping.set()
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for process in self.running.values():
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
