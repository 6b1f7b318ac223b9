"""`./run demo`: the whole system on this machine, seeded, on loopback."""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from contract.environment import PROCESSES, inference_processes
from local import servers
from local.processes import Supervisor, restricted

ROOT = Path(__file__).resolve().parents[1]
STATE = Path(os.environ.get("TELEDER_DEMO_FOLDER") or ROOT / ".teleder")
FIRST_PORT = 8000
READY_SECONDS = 60
STEPS, PHOTOS = 6, 36
MOST_PROCESSES = 2  # of the networks, unless set: 1.8 GB for the whole demo

WELCOME = """
  teleder is running:  {url}

  log in as            alice@example.com   patient (Japanese)
                       bob@example.com     patient (English)
                       dana@example.com    dermatologist
                       adam@example.com    admin
  password             teleder-demo-2026   (staff need no second factor here; elsewhere they must)

  Try: log in as bob, start a consultation, answer "yes" to fever: the advice follows the last question. Send a photo
  from {photos} or one of your own. Then log in as dana: the worklist
  shows it, most urgent first; claim it, look at the mask (m) and the boxes (b), sign an answer.
  Mails are files in {mail}; the newest one, also with the code of a sign-up:
  tail -n 30 "$(ls -t {mail}/* | head -1)"
  From another machine: ssh -L {port}:localhost:{port} THIS_MACHINE, then the same address there. It has no other name and no path.

  API  {url}/api/docs     logs  {logs}     Ctrl-C stops everything; the data stays.
  Not a certified medical device. The AI is a demonstration model.
"""


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    STATE.mkdir(exist_ok=True, mode=0o700)
    if options.reset:
        # Refused while another process uses the servers.
        with servers.running(STATE / "servers", given={"DATABASE_URL": "none", "REDIS_URL": "none"}):
            shutil.rmtree(STATE)
        STATE.mkdir(mode=0o700)
    print(
        "starting the demo: the first start takes one to three minutes, a later one less than one", flush=True
    )
    try:
        with ExitStack() as stack:
            with step(1, "PostgreSQL and Valkey, some seconds"):
                found = stack.enter_context(servers.running(STATE / "servers", say=print))
            return _serve(found, options)
    except KeyboardInterrupt:
        print("\nstopped; the data is kept in .teleder/")
        return 0


@contextmanager
def step(number: int, what: str) -> Iterator[None]:
    """Say before what may take long what it is, and afterwards how long it took."""
    began = time.monotonic()
    print(f"step {number} of {STEPS}: {what} …", flush=True)
    yield
    print(f"  done in {time.monotonic() - began:.0f} s", flush=True)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run demo")
    parser.add_argument("--reset", action="store_true", help="begin with empty data")
    parser.add_argument(
        "--no-inference", action="store_true", help="without the AI: people answer all the same"
    )
    parser.add_argument(
        "--port", type=int, default=int(os.environ.get("TELEDER_PORT", 0)), help="default: a free one"
    )
    return parser.parse_args(arguments)


def _serve(found: servers.Servers, options: argparse.Namespace) -> int:
    port = options.port or _port_from(FIRST_PORT)
    environment = os.environ | settings(found, f"http://localhost:{port}")
    prepare(environment)
    if "DATABASE_URL" not in os.environ:
        environment = restricted(environment)
    supervisor = Supervisor(root=ROOT, logs=STATE / "logs", environment=environment)
    try:
        with step(5, "web and workers, up to half a minute"):
            supervisor.start("web", "--host", "127.0.0.1", "--port", str(port))
            supervisor.start("beat", "--schedule", str(STATE / "beat"))
            for name in (
                "results",
                "sweeper",
                "watch",
                "prepare",
                *([] if options.no_inference else ["inference"]),
            ):
                supervisor.start(name)
            _wait_until_ready(f"http://127.0.0.1:{port}/readyz", supervisor)
        with step(6, "examining the installation (manage.py doctor), some seconds"):
            # What it finds is printed; the demo runs all the same, so that the board can be read, too.
            quiet = environment | {"TELEDER_LOG_LEVEL": "ERROR"}
            subprocess.run(
                [sys.executable, "manage.py", "doctor", "--brief"], cwd=ROOT, env=quiet, check=False
            )
        places = {
            "photos": STATE / "photos",
            "mail": shlex.quote(str(STATE / "mail")),
            "logs": supervisor.logs,
        }
        print(WELCOME.format(url=f"http://localhost:{port}", port=port, **places), flush=True)
        supervisor.watch()
    finally:
        supervisor.stop()
    return 0


def settings(found: servers.Servers, url: str) -> dict[str, str]:
    """Return the environment of the demo's processes."""
    (STATE / "mail").mkdir(exist_ok=True, mode=0o700)
    return {
        "DJANGO_SETTINGS_MODULE": "teleder.settings",
        PROCESSES: os.environ.get(PROCESSES) or str(min(MOST_PROCESSES, inference_processes())),
        "DATABASE_URL": found.database_url,
        "REDIS_URL": found.redis_url,
        **found.role_urls,
        "TELEDER_SECRET_KEY": _secret("secret-key", lambda: secrets.token_urlsafe(50)),
        "TELEDER_PHOTO_KEYS": _secret(
            "photo-key", lambda: base64.b64encode(secrets.token_bytes(32)).decode()
        ),
        "TELEDER_STORAGE": (STATE / "media").as_uri(),
        "TELEDER_STATIC_ROOT": str(STATE / "static"),
        "TELEDER_EMAIL_URL": f"file://{STATE / 'mail'}",
        "TELEDER_PUBLIC_URL": url,
        "TELEDER_INSECURE_COOKIES": "1",
        "TELEDER_STAFF_SECOND_FACTOR": "0",
    }


def _secret(name: str, draw: Callable[[], str]) -> str:
    file = STATE / name
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(draw())
    return file.read_text()


def prepare(environment: dict[str, str]) -> None:
    """Bring tables, style sheets and made-up people up to date."""
    if not (STATE / "photos" / "manifest.csv").exists():
        with step(2, f"drawing {PHOTOS} photos, up to a minute, the first time only"):
            options = ("--out", STATE / "photos", "--count", PHOTOS, "--seed", 7)
            _python(environment, "-m", "training.phantom", *options)
    quiet = environment | {"TELEDER_LOG_LEVEL": "WARNING"}
    with step(3, "tables of the database and style sheets, up to a minute the first time"):
        _python(quiet, "manage.py", "migrate", "--verbosity", "0")
        _python(quiet, "manage.py", "init_storage")
        _python(quiet, "manage.py", "collectstatic", "--no-input", "--verbosity", "0")
    with step(4, "made-up people and cases, some seconds"):
        _python(quiet, "manage.py", "demo", "--photos", STATE / "photos")


def _python(environment: dict[str, str], *arguments: object) -> None:
    done = subprocess.run([sys.executable, *map(str, arguments)], cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise servers.ServerError(f"failed: {' '.join(map(str, arguments))} (see above)")


def _port_from(first: int) -> int:
    """Return the first free port from `first` on, so that the address stays the same from day to day."""
    for port in range(first, first + 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return servers.free_port()


def _wait_until_ready(url: str, supervisor: Supervisor) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and supervisor.running["web"].poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310  (our own loopback address)
            return
        except OSError:  # not listening yet, or not well yet
            time.sleep(0.2)
    log = supervisor.logs / "web.log"
    raise servers.ServerError(f"The web did not become ready; the end of {log}:\n{log.read_text()[-2000:]}")
