"""The processes of teleder: what each is called, how it is started, and a supervisor for one machine.

docker-compose.yml runs the same commands (tests/local/test_compose.py compares them).
"""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from contract import encryption, messages, supervise
from local import valkey
from local.servers import die_with_parent

ROOT = Path(__file__).resolve().parents[1]
ROLE, JOBS_ROLE = "teleder_web", "teleder_jobs"
JOBS = (
    "backup",
    "check_files",
    "check_record",
    "export_training",
)  # commands of manage.py that the second is for
STOP_SECONDS = 20
END_SECONDS = 5  # after SIGTERM to what hangs
RESTART_SECONDS = 3

# Mingle, gossip and heartbeats are messages between workers over Valkey, where no role may subscribe or publish.
CELERY_WORKER = "worker -P prefork --without-mingle --without-gossip --without-heartbeat"
ONE_CHILD = CELERY_WORKER.replace("prefork", "prefork -c 1")

_OF_ORIGINALS = [messages.QUEUES[stage] for stage in messages.FROM_ORIGINAL]
_OF_NETWORKS = [queue for stage, queue in messages.QUEUES.items() if stage not in messages.FROM_ORIGINAL]

# As in a shell; the program is looked for beside this Python.
COMMANDS = {
    "web": (
        # Asked to end while it starts, Granian would wait for ever for a worker that did not hear of it.
        # Backpressure counts connections, idle ones too: a browser keeps some open, and no place is left for the next.
        # Without a respawn, the death of one child ends the other one and the parent: no page for 4 to 8 s.
        "granian --interface wsgi --workers 2 --blocking-threads 4 --no-ws --backpressure 512 --workers-kill-timeout 8 "
        "--respawn-failed-workers teleder.wsgi:application"
    ),
    "results": f"celery -A teleder.celery {ONE_CHILD} -n results@%h -Q {messages.RESULTS_QUEUE},{messages.WEB_QUEUE}",
    "sweeper": "python manage.py sweep",
    "beat": "celery -A teleder.celery beat --schedule /tmp/teleder-beat",
    "watch": "python manage.py watch",
    # A process of its own: photos can be seen while the networks are busy or down.
    "prepare": (f"celery -A inference_worker.app {ONE_CHILD} -n prepare@%h -Q {','.join(_OF_ORIGINALS)}"),
    # As many children as `environment.inference_processes` says.
    "inference": f"celery -A inference_worker.app {CELERY_WORKER} -n inference@%h -Q {','.join(_OF_NETWORKS)}",
}
WORKERS = ("prepare", "inference")
# As whom each process talks to Valkey (docker/valkey.conf).
VALKEY_ROLES = (
    {name: name for name in COMMANDS} | dict.fromkeys(WORKERS, "worker") | {"watch": "beat"}
)  # it never asks
# The variable that names each one's sign of life: a file, or of the web a folder.
SIGNS = dict.fromkeys(("results", *WORKERS), "TELEDER_WORKER_HEARTBEAT") | {
    "web": "TELEDER_WEB_HEARTBEAT",
    "sweeper": "TELEDER_SWEEP_HEARTBEAT",
    "beat": "TELEDER_BEAT_HEARTBEAT",
    "watch": "TELEDER_WATCH_HEARTBEAT",
}
# A process that decodes uploads holds no password and no way into the database. Nor is it told of
# Django's settings: Celery would load them.
OF_THE_WEB = (
    "DATABASE_DIRECT_PASSWORD",
    "DATABASE_DIRECT_URL",
    "DATABASE_PASSWORD",
    "DATABASE_URL",
    "DJANGO_SETTINGS_MODULE",
    "PGPASSWORD",
    "TELEDER_EMAIL_PASSWORD",
    "TELEDER_EMAIL_URL",
    "TELEDER_SECRET_KEY",
    "TELEDER_SECRET_KEY_FALLBACKS",
)


def command(name: str, commands: Mapping[str, str] = COMMANDS) -> list[str]:
    """Return the command of a process with its program found beside this Python."""
    program, *arguments = shlex.split(commands[name])
    return [str(Path(sys.executable).parent / program), *arguments]


def environment_of(name: str, everything: Mapping[str, str]) -> dict[str, str]:
    """Return what a process is told of the environment: as REDIS_URL the address of its role, where there is one."""
    withheld = {valkey.variable(role) for role in valkey.ROLES}
    if name in WORKERS:
        withheld |= set(OF_THE_WEB)
    if name == "inference":
        withheld.add(encryption.NAME)  # of the originals, which it never reads
    told = {key: value for key, value in everything.items() if key.removesuffix("_FILE") not in withheld}
    if own := everything.get(valkey.variable(VALKEY_ROLES[name])):
        told.pop("REDIS_URL_FILE", None)
        told["REDIS_URL"] = own
    return told


def restricted(everything: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with a database role that may only add to the audit log; it is made first.

    As in the compose file: who owns the tables brings them up to date, web and workers are somebody else.
    """
    return _with_role(everything, ROLE)


def for_jobs(everything: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the role of exports, backups and checks, which gets a new password each time."""
    return _with_role(everything, JOBS_ROLE, "--jobs")


def _with_role(everything: Mapping[str, str], role: str, *options: str) -> dict[str, str]:
    password = secrets.token_urlsafe(24)
    subprocess.run(
        [sys.executable, "manage.py", "audit", "protect", role, *options],
        cwd=ROOT,
        env={**everything, "TELEDER_ROLE_PASSWORD": password},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    owned = urlsplit(everything["DATABASE_URL"])
    # All but who logs in stays: a port that is not named, a socket's folder, options such as sslmode.
    address = owned._replace(netloc=f"{role}:{password}@{owned.netloc.rpartition('@')[2]}")
    return {**everything, "DATABASE_URL": address.geturl()}


@dataclass
class Supervisor:
    """Starts processes, writes each one's log to a file, starts again what ends by itself, ends what hangs."""

    root: Path
    logs: Path
    environment: Mapping[str, str]
    say: Callable[[str], None] = print
    commands: Mapping[str, str] = field(default_factory=lambda: COMMANDS)
    running: dict[str, subprocess.Popen] = field(default_factory=dict)
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    silent_seconds: float = supervise.SILENT_SECONDS
    signs: dict[str, supervise.Sign] = field(default_factory=dict)

    def start(self, name: str, *extra: str) -> None:
        self.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        sign = self.signs[name] = supervise.Sign(self.logs.resolve() / f"{name}.alive")
        sign.forget()
        with (self.logs / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*command(name, self.commands), *extra],
                cwd=self.root,
                env=environment_of(name, self.environment) | {SIGNS[name]: str(sign.path)},
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
                    self.say(
                        f"{name} ended ({process.returncode}); starting it again. Log: {self.logs}/{name}.log"
                    )
                    _kill_group(process)
                    if not self.stopping.wait(RESTART_SECONDS):
                        self.start(name, *self.extra[name])
                else:
                    self._end_if_it_hangs(name, process)

    def _end_if_it_hangs(self, name: str, process: subprocess.Popen) -> None:
        self.signs[name].silent_seconds = self.silent_seconds
        for pid in self.signs[name].look():
            self.say(f"{name} gives no sign of life; ending it. Log: {self.logs}/{name}.log")
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                if pid != supervise.WHOLE:
                    os.kill(pid, signal.SIGKILL)  # the web replaces it
                else:
                    process.terminate()
                    process.wait(END_SECONDS)
            if pid == supervise.WHOLE:
                _kill_group(process)

    def stop(self) -> None:
        """Ask all to end (SIGTERM: Celery finishes what it has begun), then end the rest."""
        self.stopping.set()
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for process in self.running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, end - time.monotonic()))
            _kill_group(process)


def _kill_group(process: subprocess.Popen) -> None:
    """End a process and what it has left behind: a killed Celery parent leaves its children."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
