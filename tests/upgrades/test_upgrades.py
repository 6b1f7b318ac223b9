"""An installation of an earlier version is brought up to date by the steps of docs/upgrade.md, and its photos open.

Each fixture holds the tables and the storage that an earlier version left (`python -m tests.upgrades.make`): one for each
milestone at which tables had changed, not for each commit that has a migration.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from local import servers
from tests.upgrades import make

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("upgrades")]

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = sorted(make.FOLDER.glob("*.tar.gz"))
# The last version before originals were sealed: 14 photos stayed as they were after an upgrade, and nothing said so.
BEFORE_SEALING, PLAIN = "ad1dd30", 14
OPEN = """
import django; django.setup()
from django.conf import settings
from django.test import Client
from django.urls import reverse
from teleder.cases.models import Photo
shown = 0
for photo in Photo.objects.exclude(display_key="").select_related("submission__case__patient"):
    client = Client(SERVER_NAME="localhost")
    client.force_login(photo.submission.case.patient)
    answer = client.get(reverse("web:photo", args=[photo.pk, "display"]))
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert answer.status_code == 200 and content.startswith(b"\\xff\\xd8"), (photo.pk, answer.status_code)
    shown += 1
print(shown)
"""


class Upgrade:
    """An earlier installation: its database, its storage, and the commands of this version for it."""

    def __init__(self, url: str, media: Path) -> None:
        self.url = url
        self.environment = os.environ | {
            "DATABASE_URL": url,
            "TELEDER_STORAGE": media.as_uri(),
            "TELEDER_PHOTO_KEYS": make.KEY,
            "TELEDER_LOG_LEVEL": "ERROR",
            "DJANGO_SETTINGS_MODULE": "teleder.settings",
        }

    def run(self, *words: str) -> subprocess.CompletedProcess:
        command = [sys.executable, *words]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )

    def manage(self, *words: str) -> str:
        """Run a command that must succeed; return what it prints."""
        done = self.run("manage.py", *words)
        assert done.returncode == 0, f"{words}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
        return done.stdout


@pytest.fixture
def earlier(request, tmp_path) -> Iterator[Upgrade]:
    """The installation of a fixture, in a database of its own."""
    name = f"upgrade_{request.param.name.partition('.')[0]}"
    with tarfile.open(request.param) as fixture:
        fixture.extractall(tmp_path, filter="data")
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    try:
        address = urlsplit(url)._replace(path=f"/{name}").geturl()
        load = [
            servers.postgres_binaries() / "psql",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            f"--dbname={address}",
        ]
        subprocess.run([*load, f"--file={tmp_path}/tables.sql"], check=True, stdout=subprocess.DEVNULL)
        yield Upgrade(address, tmp_path / "media")
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_there_are_fixtures_from_before_and_after_originals_were_sealed():
    assert len(FIXTURES) >= 4 and BEFORE_SEALING in {file.name.partition(".")[0] for file in FIXTURES}
    assert sum(file.stat().st_size for file in FIXTURES) < 4 * 1024 * 1024


@pytest.mark.parametrize("earlier", FIXTURES, indirect=True, ids=lambda file: file.name.partition(".")[0])
def test_an_earlier_installation_is_upgraded_and_its_photos_open(earlier, request):
    earlier.manage("migrate", "--verbosity", "0")
    earlier.manage("init_storage")
    record = earlier.run("manage.py", "check_record")
    if BEFORE_SEALING in request.node.name:
        assert record.returncode == 1 and "BROKEN originals are sealed" in record.stdout
        doctor = earlier.run("manage.py", "doctor")
        assert f"{PLAIN} photos are kept as they came" in doctor.stdout
        assert f"{PLAIN} of {PLAIN} originals sealed" in earlier.manage("rotate_photo_keys")
    else:
        assert "originals are sealed" not in record.stdout
        assert earlier.manage("rotate_photo_keys").startswith("0 of 0")
    earlier.manage("check_files")
    earlier.manage("sweep", "--once")  # tells what waited to be told
    record = earlier.run("manage.py", "check_record")
    assert record.returncode == 0, record.stdout
    restored = earlier.run("-m", "drills.restored")
    assert restored.returncode == 0, restored.stdout + restored.stderr[-1500:]
    shown = earlier.run("-c", OPEN)
    assert shown.returncode == 0 and int(shown.stdout) >= PLAIN - 2, shown.stdout + shown.stderr[-1500:]
