"""Drills of what lies on disk: R7 no space left for photos or for the database, R18 backup and restore."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from drills import people
from drills.client import photo
from drills.oracle import Figures
from drills.run import Run, drill, wait_until
from drills.system import ROOT, System, mount_limited, unmount
from local import processes, servers

FULL_SECONDS = 10
RESTORE_SECONDS = 30 * 60
ROOM_MEGABYTES = 64
HEAL_SECONDS = 60
ERASE_SECONDS = 60
ERASED = "erased@example.com"
NO_SMALL_DISK = "this machine lets nobody here mount a small file system (user namespaces are off)"


@drill("R7", "no space left for photos", guard="disk-full")
def full_disk(run: Run) -> Figures:
    clients = run.clients()
    if not run.system.media_is_limited:
        return Figures(not_run=[NO_SMALL_DISK])
    ballast = run.system.media / "ballast"
    clients.send(2)
    _fill(ballast)
    sending = clients.sending(run.few_or_many(4, 40), threads=4)
    time.sleep(FULL_SECONDS)
    ballast.unlink()
    sending.join()
    found = run.finish(clients, bound=float("inf"))
    found.notes.append(f"{clients.refusals[507]} answers 507")
    if not clients.refusals[507]:
        found.broken.append("a full disk was not told as such")
    return found


@drill("R7-database", "no space left for the database", guard="database-full")
def full_database(run: Run) -> Figures:
    """Rows first, then the write-ahead log, which brings PostgreSQL down; whoever keeps it up starts it again."""
    clients = run.clients()
    with _on_a_small_disk(run.system) as folder:
        if folder is None:
            return Figures(not_run=[NO_SMALL_DISK])
        clients.send(2)
        _fill(folder / "ballast")
        sending = clients.sending(run.few_or_many(8, 60), threads=4)
        time.sleep(FULL_SECONDS)
        fell = _use_up_the_log(run.system)
        time.sleep(FULL_SECONDS / 2)
        (folder / "ballast").unlink()
        _start_if_it_fell(run.system)
        back = time.monotonic()
        sending.join()
        found = run.finish(clients, bound=float("inf"))
        seconds = time.monotonic() - back
    refused = clients.refusals[503] + clients.refusals[507]
    found.notes.append(f"{refused} answers 503 or 507; PostgreSQL {'fell' if fell else 'did not fall'}")
    found.notes.append(f"all finished {seconds:.0f} s after there was room again")
    if not refused:
        found.broken.append("a full disk was not told as such")
    if seconds > HEAL_SECONDS + run.few_or_many(0, 120):
        found.late.append(f"it did not heal within {HEAL_SECONDS} s")
    return found


@contextmanager
def _on_a_small_disk(system: System) -> Iterator[Path | None]:
    """Move the database to a disk that has little room, and back at the end."""
    folder = system.folder / "database/postgres"
    kept, back = folder.with_name("kept"), folder.with_name("back")
    system.stop_server("database")
    folder.rename(kept)
    folder.mkdir(mode=0o700)
    used = sum(file.stat().st_size for file in kept.rglob("*") if file.is_file()) // 2**20
    limited = mount_limited(folder, used + ROOM_MEGABYTES)
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    system.start_server("database")
    try:
        yield folder if limited else None
    finally:
        system.stop_server("database")
        shutil.copytree(folder, back)
        if limited:
            unmount(folder)
        shutil.rmtree(folder)
        shutil.rmtree(kept)
        back.rename(folder)
        system.start_server("database")


def _use_up_the_log(system: System) -> bool:
    """Begin new segments of the log until there is no room for another; whether PostgreSQL fell."""
    import psycopg

    try:
        with psycopg.connect(system.urls["database"], autocommit=True) as connection:
            for _ in range(100):
                connection.execute("CREATE TABLE IF NOT EXISTS drill_log (); DROP TABLE drill_log")
                connection.execute("SELECT pg_switch_wal()")
    except psycopg.Error:
        return True
    return False


def _start_if_it_fell(system: System) -> None:
    """What a service manager does (docker-compose.yml: `restart: unless-stopped`)."""
    if not system.is_up("database"):
        system.forget_server("database")
        system.start_server("database")


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            try:
                file.write(b"x" * 65536)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    while True:
                        file.write(b"x" * 512)
                raise


@drill("R18", "backup and restore of database and photos", guard="whole-copy")
def backup(run: Run) -> Figures:
    """Somebody is in the backup and is erased after it: restored, she must not come back."""
    clients = run.clients()
    erased = run.clients()
    erased.send_one(people.patient(ERASED), (photo(),))
    sending = clients.sending(run.few_or_many(6, 60), threads=2)
    time.sleep(3)
    folder = run.system.folder / "backup"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    _postgres("pg_dump", "--format=custom", f"--file={folder}/database", run.system.urls["database"])
    copy_media(run.system.media, folder / "media")
    sending.join()
    hers = _erase_now(ERASED)
    run.system.mailbox.forget(ERASED)
    found = run.finish(clients, bound=float("inf"))
    began = time.monotonic()
    faults = _restored(run, folder, hers)
    seconds = time.monotonic() - began
    found.notes.append(f"restored and checked in {seconds:.0f} s while patients sent")
    found.broken += faults
    if seconds > RESTORE_SECONDS:
        found.late.append("the restore took too long")
    return found


def copy_media(media: Path, to: Path) -> None:
    """Copy after the database: files are written before their rows."""
    shutil.copytree(media, to, ignore=shutil.ignore_patterns("tmp*"))


def _erase_now(email: str) -> list[str]:
    """Let the sweeper erase somebody whose days to think it over have passed; return the ids of person and photos."""
    from django.db.models.functions import Now

    from teleder.accounts.models import User
    from teleder.cases.models import Photo
    from teleder.privacy import erasure
    from teleder.privacy.models import Erasure, Tombstone, Why
    from teleder.privacy.policy import policy

    person = User.objects.get(email=email)
    photos = Photo.objects.filter(submission__case__patient=person)
    ids = [str(pk) for pk in (person.pk, *photos.values_list("pk", flat=True))]
    erasure.ask(person, why=Why.REQUEST)
    patience = timedelta(days=policy().open_case_days + 1)
    Erasure.objects.filter(person=person).update(due_at=Now() - patience)
    wait_until(lambda: not User.objects.filter(pk=person.pk).exists(), ERASE_SECONDS)
    wait_until(lambda: not Tombstone.objects.filter(listed_at=None).exists(), ERASE_SECONDS)
    return ids


def _restored(run: Run, folder: Path, erased: list[str]) -> list[str]:
    """Put the backup into an empty database as docs/running.md says; return what does not fit together there."""
    url = f"{run.system.urls['database']}_restored"
    _postgres("dropdb", "--if-exists", f"--maintenance-db={run.system.urls['database']}", "teleder_restored")
    _postgres("createdb", f"--maintenance-db={run.system.urls['database']}", "teleder_restored")
    _postgres("pg_restore", "--no-owner", "--no-privileges", f"--dbname={url}", f"{folder}/database")
    owner = os.environ | {"DATABASE_URL": url, "TELEDER_MEDIA_ROOT": str(folder / "media")}
    web = owner | {"DATABASE_URL": f"{run.system.environment['DATABASE_URL']}_restored"}
    if faults := _faults_of(("manage.py", "audit", "protect", processes.ROLE), owner):
        return faults
    steps = (
        ("manage.py", "retention", "--reapply", str(run.system.media.parent / "erased/list.jsonl")),
        ("manage.py", "check_record"),
        ("manage.py", "audit", "verify"),
        ("-m", "drills.restored", *erased),
    )
    return [fault for step in steps for fault in _faults_of(step, web)]


def _faults_of(step: tuple[str, ...], environment: dict[str, str]) -> list[str]:
    """Return what a step complains of."""
    done = subprocess.run(
        [sys.executable, *step], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return [] if done.returncode == 0 else (done.stdout[-500:] or done.stderr[-500:]).splitlines()


def _postgres(program: str, *arguments: str) -> None:
    subprocess.run([servers.postgres_binaries() / program, *arguments], check=True)
