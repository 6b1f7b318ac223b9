"""The documented start, without an engine: .env, docker/secrets.sh, each Dockerfile replayed in an empty folder with a fresh
virtual environment, then each command of docker-compose.yml until its own health check passes, behind the proxy.

What it does not show: that the base images hold what the steps use, networks, limits and volumes. The image for GPUs is
not replayed (5.6 GB).
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import requests
import yaml

from drills.mail import Mailbox
from local import proxy, servers, valkey
from tests.live import dockerfiles
from tests.live.dockerfiles import ROOT, Image

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("images")]  # replayed once

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OF_IMAGES = ("teleder-web", "teleder-worker", "teleder-backup")
COMMANDS = {name: row for name, row in COMPOSE.items() if row.get("image", "").partition(":")[0] in OF_IMAGES}
ALIVE_SECONDS = 120


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> dict[str, Image]:
    """Each image that compose builds on Python, by its name, replayed."""
    builds = {row["image"].partition(":")[0]: row["build"] for row in COMMANDS.values()}

    def build(name: str) -> Image:
        file, arguments = ROOT / builds[name]["dockerfile"], builds[name].get("args", {})
        return dockerfiles.replay(file, tmp_path_factory.mktemp(name), **arguments)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(builds, pool.map(build, builds), strict=True))


@pytest.mark.parametrize("name", ["postgres", "proxy"])
def test_the_other_images_are_built_and_do_not_begin_as_root(name, tmp_path):
    image = dockerfiles.replay(ROOT / "docker" / f"{name}.Dockerfile", tmp_path)
    assert image.user.partition(":")[0] in ("postgres", "10001")
    assert (tmp_path / {"postgres": "log", "proxy": "certificates"}[name]).is_dir()


def test_every_module_of_an_image_can_be_imported_in_it(images):
    """Without a setting: what reads the environment while it is imported is left to the commands below."""
    ask = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    for name, modules in {
        "teleder-web": ["contract.messages", "contract.storage", "granian", "typst", "pylopdf_fonts_jp"],
        "teleder-worker": [
            "contract.messages",
            "decoding.sandbox",
            "inference_worker.models",
            "openvino",
            "cv2",
        ],
        "teleder-backup": ["contract.storage", "psycopg", "obstore"],
    }.items():
        image = images[name]
        done = subprocess.run(
            [image.root / "venv/bin/python", "-c", ask, *modules],
            cwd=image.folder,
            env=image.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stderr[-1000:]}"


class Installation:
    """One installation of the compose file on this machine: its .env, secrets, servers, folders and processes."""

    def __init__(self, folder: Path, images: dict[str, Image]) -> None:
        self.folder, self.images = folder, images
        self.running: dict[str, subprocess.Popen] = {}
        self.web_port, self.valkey_port = servers.free_port(), servers.free_port()
        self.places: dict[str, str] = {}  # what compose names, and where it is here
        self.dotenv: dict[str, str] = {}

    def write_dotenv(self, **settings: str) -> None:
        """.env.example with what its reader has to fill in."""
        lines = (ROOT / ".env.example").read_text().splitlines()
        known = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]\w*=", line))
        self.dotenv = known | settings
        text = "".join(f"{name}={value}\n" for name, value in self.dotenv.items())
        (self.folder / ".env").write_text(text)

    def interpolated(self, text: str) -> str:
        """As compose does, and with the addresses and folders of this machine."""

        def value(found: re.Match) -> str:
            name, operator, default = found["name"], found["operator"], found["default"] or ""
            given = self.dotenv.get(name, "")
            assert given or operator != ":?", f"{name}: {default}"
            return given or (default if operator else "")

        text = re.sub(r"\$\{(?P<name>\w+)(?:(?P<operator>:[-?])(?P<default>[^}]*))?\}", value, text).replace(
            "$$", "$"
        )
        for name, here in self.places.items():
            text = text.replace(name, here)
        return text

    def told(self, name: str) -> dict[str, str]:
        """What a container of the service has in its environment."""
        row = COMPOSE[name]
        given = self.dotenv if "env_file" in row else {}
        given = given | {key: str(value) for key, value in row["environment"].items()}
        given = self.images[row["image"].partition(":")[0]].variables | given
        image = self.images[row["image"].partition(":")[0]]
        own = {key: self.interpolated(self._own_tmp(name, value)) for key, value in given.items()}
        return image.environment | own

    def _own_tmp(self, name: str, text: str) -> str:
        """A container has a /tmp of its own."""
        return re.sub(r"(?<![\w.])/tmp/", f"{self.tmp(name)}/", text)

    def tmp(self, name: str) -> Path:
        (self.folder / "tmp" / name).mkdir(parents=True, exist_ok=True)
        return self.folder / "tmp" / name

    def words(self, name: str, command: str | list[str]) -> list[str]:
        """Return a command of compose as this machine runs it."""
        text = command if isinstance(command, list) else shlex.split(command)
        words = [self.interpolated(self._own_tmp(name, word)) for word in text]
        return [word.replace("8000", str(self.web_port)) for word in words]

    def folder_of(self, name: str) -> Path:
        return self.images[COMPOSE[name]["image"].partition(":")[0]].folder

    def run(self, name: str, command: str | list[str]) -> subprocess.CompletedProcess:
        """Run a command to its end, as `docker compose run --rm NAME COMMAND` does."""
        return subprocess.run(
            self.words(name, command),
            cwd=self.folder_of(name),
            env=self.told(name),
            capture_output=True,
            text=True,
            check=False,
            timeout=ALIVE_SECONDS,
        )

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                self.words(name, COMPOSE[name]["command"]),
                cwd=self.folder_of(name),
                env=self.told(name),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_healthy(self, name: str) -> bool:
        """Ask by the service's own health check."""
        kind, *words = COMPOSE[name]["healthcheck"]["test"]
        if kind == "CMD-SHELL":
            words = ["sh", "-c", *words]
        return self.run(name, words).returncode == 0

    def stop(self) -> None:
        for process in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def valkey_of_the_compose_file(folder: Path, port: int, environment: dict[str, str]) -> Iterator[None]:
    """docker/valkey.sh as the container runs it, on a port of loopback."""
    program = folder / "programs" / "valkey-server"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nexec {valkey.binary()} "$@" --port {port} --bind 127.0.0.1 --dir {folder}\n'
    )
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    with (folder / "valkey.log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", ROOT / "docker/valkey.sh"], env=environment | {"PATH": path}, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def installation(images, tmp_path) -> Iterator[Installation]:
    """Everything but our own processes: secrets, empty servers, a mail server, the proxy."""
    found = Installation(tmp_path, images)
    subprocess.run(["sh", ROOT / "docker/secrets.sh"], cwd=tmp_path, capture_output=True, check=True)
    secrets = tmp_path / "secrets"
    for name in ("media", "erased", "backups", "proxy", "valkey"):
        (tmp_path / name).mkdir()
    with (
        Mailbox() as mailbox,
        proxy.running(tmp_path / "proxy", web=f"127.0.0.1:{found.web_port}") as front,
        servers.running(tmp_path / "servers", durable=False, given={"REDIS_URL": "none"}) as database,
    ):
        with psycopg.connect(database.database_url, autocommit=True) as owner:
            password = (secrets / "postgres_password").read_text()
            owner.execute(f"ALTER ROLE teleder PASSWORD '{password}'")
        at = re.search(r"@([\d.]+:\d+)/", database.database_url)[1]
        found.places = {
            "postgres:5432": at,
            "valkey:6379": f"127.0.0.1:{found.valkey_port}",
            "web:8000": f"127.0.0.1:{found.web_port}",
            "/run/secrets": str(secrets),
            **{f"file:///{name}": (tmp_path / name).as_uri() for name in ("media", "backups")},
            "/erased/": f"{tmp_path}/erased/",
        }
        found.write_dotenv(
            TELEDER_EMAIL_URL=mailbox.url,
            TELEDER_HOSTS="localhost",
            TELEDER_PUBLIC_URL=f"https://localhost:{front.https_port}",
        )
        found.front = front
        told = {name: found.interpolated(value) for name, value in COMPOSE["valkey"]["environment"].items()}
        with valkey_of_the_compose_file(tmp_path / "valkey", found.valkey_port, told):
            try:
                yield found
            finally:
                found.stop()


def test_the_documented_start_answers_at_the_address_that_is_named(installation):
    done = installation.run("migrate", COMPOSE["migrate"]["command"])
    assert done.returncode == 0, done.stderr[-2000:]  # on the first start, with an empty database
    done = installation.run("web", "python manage.py init_storage")
    assert done.returncode == 0, done.stderr[-2000:]
    started = sorted(name for name in COMMANDS if name != "migrate")
    for name in started:
        installation.start(name)
    end, unwell = time.monotonic() + ALIVE_SECONDS, set(started)
    while unwell and time.monotonic() < end:
        unwell = {name for name in unwell if not installation.is_healthy(name)}
        ended = {name for name, process in installation.running.items() if process.poll() is not None}
        assert not ended, f"{ended}: {(installation.folder / f'{ended.pop()}.log').read_text()[-1500:]}"
        time.sleep(1)
    assert not unwell, {name: (installation.folder / f"{name}.log").read_text()[-800:] for name in unwell}

    front, address = installation.front, installation.dotenv["TELEDER_PUBLIC_URL"]
    answer = requests.get(f"{address}/", verify=str(front.authority), timeout=30)
    assert answer.status_code == 200 and answer.url.startswith(f"{address}/")
    plain = requests.get(f"http://localhost:{front.http_port}/", verify=str(front.authority), timeout=30)
    assert plain.status_code == 200 and plain.url.startswith(f"{address}/")
    assert requests.get(
        f"http://127.0.0.1:{installation.web_port}/readyz", headers={"Host": "localhost"}, timeout=30
    ).ok

    # The first admin by the command of docs/running.md; the role of the web may not make one.
    names = ("EMAIL", "PASSWORD")
    admin = dict(
        zip(
            (f"DJANGO_SUPERUSER_{name}" for name in names),
            ("it@example.com", "kx7-correct-horse"),
            strict=True,
        )
    )
    installation.dotenv |= admin
    command = "python manage.py createsuperuser --no-input"
    assert installation.run("web", command).returncode != 0
    done = installation.run("migrate", command)
    assert done.returncode == 0, done.stderr[-1500:]
    backup = installation.run("backup", "python manage.py backup verify")
    assert backup.returncode == 0, backup.stderr[-1500:] + backup.stdout[-500:]


def test_an_image_holds_the_packages_of_its_lock_file_and_no_other(images):
    """The packages of an image are those of its lock file, no more: what is missing there would be missing in production."""
    for name, lock in {"teleder-web": "web", "teleder-worker": "worker", "teleder-backup": "backup"}.items():
        asked = [images[name].root / "venv/bin/python", "-m", "pip", "list", "--format=freeze"]
        installed = {
            line.partition("==")[0].lower().replace("_", "-")
            for line in subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
        }
        text = (ROOT / f"requirements-{lock}.lock").read_text()
        locked = {
            found.lower().replace("_", "-") for found in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)
        }
        assert installed - {"pip", "setuptools"} <= locked, name
