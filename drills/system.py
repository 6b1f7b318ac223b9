"""The complete system on loopback, and what a drill does to it."""

from __future__ import annotations

import itertools
import json
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from contract.environment import PROCESSES
from drills.client import wait_until
from drills.limits import MemoryGroup
from drills.mail import ON_CALL, Mailbox
from local import processes, servers
from local.processes import WORKERS

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 120
STOP_SECONDS = 30
MEDIA_MEGABYTES = 512
WORKER_MEGABYTES = 1500
ZONE = "Europe/Berlin"  # one with daylight saving: Tokyo has none
NAMES = ("web", "results", *WORKERS, "sweeper", "beat", "watch")


class System:
    """PostgreSQL, Valkey, mail server, and the processes of teleder as `./run demo` starts them."""

    def __init__(self, folder: Path, without: str = "") -> None:
        self.folder, self.without = folder, without
        self.armed, self.media = folder / "armed", folder / "media"
        self.armed.mkdir(parents=True)
        self.media.mkdir()
        self.media_is_limited = mount_limited(self.media, MEDIA_MEGABYTES)
        self.worker_group = MemoryGroup.create(folder.name, WORKER_MEGABYTES)
        self.ports = {name: servers.free_port() for name in ("database", "broker", "web")}
        os.environ["TELEDER_POSTGRES_PORT"] = str(self.ports["database"])
        os.environ["TELEDER_VALKEY_PORT"] = str(self.ports["broker"])
        self.mailbox = Mailbox()
        self.stacks: dict[str, ExitStack] = {}
        self.supervisor: processes.Supervisor | None = None

    # --- Start and stop -----------------------------------------------------------------------------------
    def start(self) -> None:
        self.urls = {name: self.start_server(name) for name in ("database", "broker")}
        self.environment = self._environment()
        os.environ.update(self.environment)
        for command in (["migrate", "--verbosity", "0"], ["init_storage"]):
            subprocess.run(
                [sys.executable, "manage.py", *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
            )
        self.environment = processes.restricted(self.environment)
        self.supervisor = self.start_processes(NAMES)
        if not wait_until(self.is_ready, READY_SECONDS):
            raise servers.ServerError(f"The web did not become ready; see {self.folder}/logs/web.log")

    def start_processes(
        self, names: tuple[str, ...], label: str = "", root: Path = ROOT, **more: str
    ) -> processes.Supervisor:
        """Start processes, from another tree's code if `root` is given, and restart those that end."""
        commands = {
            name: line.replace(f" -n {name}@%h", "").replace("-A inference_worker.app", "-A drills.worker")
            for name, line in processes.COMMANDS.items()
        }
        # Stubs in place of the networks (drills/worker.py): the rest of the workers is the real one.
        for name in WORKERS if self.worker_group else ():
            commands[name] = f"python {ROOT}/drills/limits.py {self.worker_group.folder} {commands[name]}"
        if self.without == "respawn":
            commands["web"] = commands["web"].replace(" --respawn-failed-workers", "")
        commands["beat"] = shlex.join(shlex.split(commands["beat"])[:-2])
        supervisor = processes.Supervisor(
            root,
            self.folder / f"logs{label}",
            self.environment | more,
            say=lambda line: None,
            commands=commands,
        )
        started = threading.Event()
        # This thread must outlive the processes: Linux ends a child when the thread that started it ends.
        threading.Thread(
            target=self._run_processes, args=(supervisor, names, label, started), daemon=True
        ).start()
        started.wait()
        return supervisor

    def _run_processes(
        self,
        supervisor: processes.Supervisor,
        names: tuple[str, ...],
        label: str,
        started: threading.Event,
    ) -> None:
        for name in names:
            supervisor.start(name, *self._extra(name, label))
        started.set()
        supervisor.watch()
        while supervisor.running:
            time.sleep(0.1)

    def _extra(self, name: str, label: str) -> tuple[str, ...]:
        if name == "web":
            return ("--host", "127.0.0.1", "--port", str(self.ports["web"]))
        if name == "beat":
            return ("--schedule", str(self.folder / f"beat{label}"))
        return ("-n", f"{name}{label}@drills") if name in {"results", *WORKERS} else ()

    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "DATABASE_URL": self.urls["database"],
            "REDIS_URL": self.urls["broker"],
            **self.role_urls,
            "DJANGO_SETTINGS_MODULE": "drills.settings",
            "DRILLS_ARMED": str(self.armed),
            "DRILLS_WITHOUT": self.without,
            "OMP_NUM_THREADS": "1",  # drills/worker.py loads numpy before the product limits it
            PROCESSES: os.environ.get(PROCESSES, "1"),
            "TELEDER_HOLD_SECONDS": "2",  # an answer waits to be sent, but no drill waits a minute
            # R8 runs up to three workers: with places for one, two photos that hang would leave the spare one idle.
            "TELEDER_INFERENCE_SLOTS": os.environ.get("TELEDER_INFERENCE_SLOTS", "2"),
            "TELEDER_EMAIL_URL": self.mailbox.url,
            "TELEDER_WATCH_MAIL": ON_CALL,
            "TELEDER_INSECURE_COOKIES": "1",
            "TELEDER_STORAGE": self.media.as_uri(),
            "TELEDER_PUBLIC_URL": self.url,
            "TELEDER_SECRET_KEY": "drills-only",
            "TELEDER_PHOTO_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
            "TELEDER_STATIC_ROOT": str(self.folder / "static"),
            "TZ": ZONE,
        }

    def first_exception(self) -> str:
        """Return the log line of the web's first unexpected exception with its types and places, if there is one."""
        for file in sorted(self.folder.glob("logs*/web.log")):
            lines = iter(file.read_text(errors="replace").splitlines())
            for line in lines:
                if " ERROR django.request " in line:
                    places = itertools.takewhile(lambda each: each.startswith("  "), lines)
                    return "; ".join([line, *map(str.strip, places)])
        return "no log of the web has an exception"

    def stop(self) -> None:
        if self.supervisor:
            end(self.supervisor)
        for stack in self.stacks.values():
            stack.close()
        self.mailbox.shutdown()
        if self.media_is_limited:
            unmount(self.media)
        if self.worker_group:
            self.worker_group.remove()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['web']}"

    def is_ready(self) -> bool:
        """Return whether the web reports that database and storage can be written."""
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/readyz", timeout=10):  # noqa: S310
            return True
        return False

    # --- The two servers ----------------------------------------------------------------------------------
    def start_server(self, name: str) -> str:
        """Start "database" or "broker" (again), on the same port with the same files; return its address."""
        stack = self.stacks[name] = ExitStack()
        other = {"database": "REDIS_URL", "broker": "DATABASE_URL"}[name]
        found = stack.enter_context(servers.running(self.folder / name, given={other: "none"}))
        if name == "broker":
            self.role_urls = found.role_urls
        return {"database": found.database_url, "broker": found.redis_url}[name]

    def stop_server(self, name: str, how: int = signal.SIGINT) -> None:
        """SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one, a crash; SIGKILL is for the broker."""
        os.kill(self.pid_of(name), how)
        self.stacks.pop(name).close()

    def restart_if_stopped(self, name: str) -> None:
        """Restart a stopped server, as a service manager does (docker-compose.yml: `restart: unless-stopped`)."""
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.ports[name])) == 0:
                return
        self.stacks.pop(name).close()
        self.start_server(name)

    def pid_of(self, name: str) -> int:
        if name == "database":
            return int((self.folder / "database/postgres/postmaster.pid").read_text().split()[0])
        return int(self.broker().info("server")["process_id"])

    def broker(self):
        """Return a client with all rights; the roles of our processes have fewer."""
        import redis

        return redis.Redis.from_url(self.urls["broker"])

    # --- Our processes ------------------------------------------------------------------------------------
    def pids(self, name: str) -> list[int]:
        """Return a process and its descendants; the parent first."""
        process = self.supervisor.running[name]
        return [process.pid, *descendants(process.pid)] if process.poll() is None else []

    def kill_one(self, rng: random.Random, names: tuple[str, ...] = NAMES) -> str:
        """kill -9 one random process, parent or child; return the name of the process it belonged to.

        Chooses again if that process does not exist or has just ended, so that every counted kill was one.
        """
        while True:
            name = rng.choice(names)
            if pids := self.pids(name):
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(pids), signal.SIGKILL)
                    return name
            time.sleep(0.01)

    def terminate(self, name: str) -> float:
        """Send SIGTERM as a deploy does; return the seconds until the process ended. It is restarted."""
        process, began = self.supervisor.running[name], time.monotonic()
        process.send_signal(signal.SIGTERM)
        while process.poll() is None and time.monotonic() < began + READY_SECONDS:
            time.sleep(0.05)
        return time.monotonic() - began

    @contextmanager
    def leaving_out(self, *names: str) -> Iterator[None]:
        """Stop some of our processes for a while."""
        ended = [self.supervisor.running.pop(name) for name in names]
        for process in ended:
            process.send_signal(signal.SIGTERM)
        for process in ended:
            process.wait(STOP_SECONDS)
        try:
            yield
        finally:
            for name in names:
                self.supervisor.start(name, *self.supervisor.extra[name])

    @contextmanager
    def beside(self, names: tuple[str, ...], label: str, **how: object) -> Iterator[None]:
        """Run more processes for a while (`start_processes`)."""
        supervisor = self.start_processes(names, label, **how)
        try:
            yield
        finally:
            end(supervisor)

    def release_held(self) -> int:
        """Send the results that workers held back; return their number."""
        from contract import messages, messaging
        from teleder.celery import app

        files = list(self.armed.glob("held-*"))
        for file in files:
            message = json.loads(file.read_text())
            app.send_task(messages.RESULTS, kwargs=message, queue=messaging.queue(messages.RESULTS_QUEUE))
            file.unlink()
        return len(files)

    def arm(self, step: str) -> Path:
        file = self.armed / step
        file.touch()
        return file


def end(supervisor: processes.Supervisor) -> None:
    supervisor.stop()
    supervisor.running.clear()


def mount_limited(folder: Path, megabytes: int) -> bool:
    """Mount a file system of `megabytes` on a folder; return whether this machine allows it."""
    options = f"size={megabytes}m,mode=700"
    command = ["mount", "-t", "tmpfs", "-o", options, "drills", str(folder)]
    return os.geteuid() == 0 and not subprocess.run(command, capture_output=True, check=False).returncode


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=False)


def age(pid: int) -> float:
    """Return the age of a process in seconds, 0 if it has ended."""
    with suppress(OSError):
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
    return 0.0


def descendants(pid: int) -> list[int]:
    children = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += [int(child) for child in (task / "children").read_text().split()]
    return [each for child in children for each in (child, *descendants(child))]
