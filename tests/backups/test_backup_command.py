"""`manage.py backup`: from a running system into an empty database, with PostgreSQL's own programs."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from contract.storage import FileStorage
from teleder.backups import archive, database
from teleder.backups.models import Backup
from teleder.cases.models import Photo
from tests.conftest import rewrite

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place(settings, tmp_path) -> FileStorage:
    settings.BACKUP = (tmp_path / "backups").as_uri()
    return FileStorage(tmp_path / "backups")


@pytest.fixture
def marked(transactional_db) -> None:
    call_command("init_storage")


@pytest.fixture
def empty_database():
    """The address of a database without tables, beside the tests' own."""
    own = connection.settings_dict
    name = f"{own['NAME']}_restored"
    credentials = f"{own['USER']}:{own['PASSWORD']}@" if own["PASSWORD"] else f"{own['USER']}@"
    base = f"postgresql://{credentials}{own['HOST'] or 'localhost'}:{own['PORT'] or 5432}"

    def ask(statement: str) -> None:
        with psycopg.connect(f"{base}/{own['NAME']}", autocommit=True) as asking:
            asking.execute(statement)

    ask(f'DROP DATABASE IF EXISTS "{name}"')
    ask(f'CREATE DATABASE "{name}"')
    yield f"{base}/{name}"
    ask(f'DROP DATABASE "{name}" WITH (FORCE)')


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_submission_comes_back_with_its_photo(
    marked, place, dana, alices_submission, empty_database, tmp_path, capsys, settings
):
    call_command("backup", "create")
    assert "verified, every byte" in capsys.readouterr().out
    row = Backup.objects.get()
    assert (row.faults, row.files > 0, row.verified_at is not None) == (0, True, True)
    media = tmp_path / "restored"
    done = manage(
        "backup",
        "restore",
        "--at",
        place.root.as_uri(),
        DATABASE_URL=empty_database,
        TELEDER_STORAGE=media.as_uri(),
        TELEDER_ERASED_LIST=str(tmp_path / "erased.jsonl"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with psycopg.connect(empty_database) as restored:
        found = restored.execute("SELECT id::text, original_key FROM cases_photo").fetchall()
    photo = Photo.objects.get()
    assert found == [(str(photo.pk), photo.original_key)]
    same = FileStorage(media).read(photo.original_key) == settings.PHOTO_STORAGE.read(photo.original_key)
    assert same and "0 are lost" in done.stdout


def test_a_database_with_tables_is_not_overwritten(marked, place, capsys):
    call_command("backup", "create")
    with pytest.raises(CommandError, match="not empty"):
        call_command("backup", "restore")


def test_a_changed_byte_ends_with_1_and_the_next_backup_mends_it(
    marked, place, alices_submission, capsys, settings
):
    call_command("backup", "create")
    photo = Photo.objects.get()
    stored = settings.PHOTO_STORAGE.read(photo.original_key)
    place.write(archive.stored_at(sha256(stored).hexdigest()), b"wrong")
    with pytest.raises(CommandError, match="1 faults"):
        call_command("backup", "verify")
    assert f"{photo.original_key}: changed" in capsys.readouterr().out
    call_command("backup", "list")
    assert "1 faults" in capsys.readouterr().out
    rewrite(Backup.objects.all(), name="20260101T000000Z")  # its second may not be over
    place.delete_all("backups")
    call_command("backup", "create")
    call_command("backup", "verify")


def test_a_dump_that_was_cut_is_not_taken_for_whole(marked, tmp_path):
    whole = b"".join(database.dump())
    assert database.can_be_read([whole])
    assert not database.can_be_read([whole[: len(whole) // 2]])
    assert not database.can_be_read([b"nothing of the kind"])


def test_a_program_that_is_missing_is_named(marked, place, monkeypatch, tmp_path):
    monkeypatch.setenv("TELEDER_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(CommandError, match="pg_dump does not start"):
        call_command("backup", "create")
    assert not Backup.objects.exists()


def test_a_failed_dump_says_why_without_the_password(marked, place, monkeypatch):
    monkeypatch.setattr(database, "_address", lambda: ("--no-password", "--dbname=nowhere-at-all"))
    with pytest.raises(CommandError, match="pg_dump failed"):
        call_command("backup", "create")


def test_no_place_is_asked_for(db, settings):
    settings.BACKUP = ""
    with pytest.raises(CommandError, match="TELEDER_BACKUP"):
        call_command("backup", "create")


# --- Told to people ---------------------------------------------------------------------------------------
@pytest.fixture
def adams(db, client, adam):
    client.force_login(adam)
    return client


def board(adams) -> str:
    return adams.get(reverse("web:operations")).content.decode()


def backed_up(hours_ago: float, **values: object) -> None:
    at = timezone.now() - timedelta(hours=hours_ago)
    Backup.objects.create(
        **{"name": f"{hours_ago}", "place": "p", "started_at": at, "finished_at": at, "verified_at": at}
        | values
    )


def test_the_board_turns_red_when_the_newest_verified_backup_is_old(adams, settings):
    settings.BACKUP = "file:///backups"
    assert "There is no verified backup." in board(adams)
    backed_up(40)
    assert "The last verified backup is" in board(adams)
    backed_up(2, verified_at=None)  # one that nobody could read says nothing
    backed_up(3, faults=2)
    assert "The last verified backup is" in board(adams)
    backed_up(1)
    assert "verified backup" not in board(adams)


def test_who_backs_up_otherwise_has_no_alarm(adams, settings):
    settings.BACKUP = ""
    assert "verified backup" not in board(adams)
