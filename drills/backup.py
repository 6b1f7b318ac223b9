"""Drills of backup and restore (R18) as docs/running.md says: from a dump, and to a point in time from the log."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from drills import people
from drills.client import photo, wait_until
from drills.oracle import Figures
from drills.run import Run, drill
from drills.system import ROOT
from local import processes, servers

RESTORE_SECONDS = 30 * 60
LOSS_SECONDS = 5 * 60
ERASE_SECONDS = 60
ERASED = "erased@example.com"
COPY_EACH_SECONDS = 5  # a clinic may copy every four minutes
STALE_SECONDS = 4
COMMIT = timedelta(seconds=1)  # the longest time from a row's timestamp to its commit


@drill("R18", "backup and restore of database and photos", guard="whole-copy")
def backup(run: Run) -> Figures:
    """One patient is erased after the backup: the restore must not bring her back."""
    clients = run.clients()
    erased = run.clients()
    erased.send_one(people.with_token(ERASED, "patient"), (photo(),))
    sending = clients.sending(run.few_or_many(6, 60), threads=2)
    time.sleep(3)
    folder = run.system.folder / "backup"
    shutil.rmtree(folder, ignore_errors=True)
    faults = take(run, folder)
    sending.join()
    hers = _erase_now(ERASED)
    run.system.mailbox.forget(ERASED)
    found = run.finish(clients, bound=float("inf"))
    began = time.monotonic()
    faults += _restored(run, folder, hers)
    seconds = time.monotonic() - began
    found.notes.append(f"restored and checked in {seconds:.0f} s; backed up while patients sent")
    found.broken += faults
    if seconds > RESTORE_SECONDS:
        found.late.append("the restore took too long")
    return found


def take(run: Run, folder: Path) -> list[str]:
    """Back up database and photos by the role of jobs; return the faults that the command names."""
    jobs = processes.for_jobs(os.environ | {"DATABASE_URL": run.system.urls["database"]})
    return _faults_of(("manage.py", "backup", "create", "--at", folder.as_uri()), jobs)


def _erase_now(email: str) -> list[str]:
    """Let the sweeper erase a person at once; return the ids of the person and the photos."""
    from django.db.models.functions import Now

    from teleder.accounts.models import User
    from teleder.cases.models import Photo
    from teleder.privacy import erasure
    from teleder.privacy.models import Erasure, Tombstone, Why
    from teleder.privacy.policy import retention_policy

    person = User.objects.get(email=email)
    photos = Photo.objects.filter(submission__case__patient=person)
    ids = [str(pk) for pk in (person.pk, *photos.values_list("pk", flat=True))]
    erasure.ask(person, why=Why.REQUEST)
    patience = timedelta(days=retention_policy().open_case_days + 1)
    Erasure.objects.filter(person=person).update(due_at=Now() - patience)
    wait_until(lambda: not User.objects.filter(pk=person.pk).exists(), ERASE_SECONDS)
    wait_until(lambda: not Tombstone.objects.filter(listed_at=None).exists(), ERASE_SECONDS)
    return ids


def _restored(run: Run, folder: Path, erased: list[str]) -> list[str]:
    """Restore the backup into an empty database as docs/running.md says; return the faults found there."""
    url = f"{run.system.urls['database']}_restored"
    _postgres("dropdb", "--if-exists", f"--maintenance-db={run.system.urls['database']}", "teleder_restored")
    _postgres("createdb", f"--maintenance-db={run.system.urls['database']}", "teleder_restored")
    media = run.system.folder / "restored"
    shutil.rmtree(media, ignore_errors=True)
    owner = os.environ | {"DATABASE_URL": url, "TELEDER_STORAGE": media.as_uri()}
    restore = ("manage.py", "backup", "restore", "--at", folder.as_uri())
    for step in (restore, ("manage.py", "audit", "protect", processes.ROLE)):
        if faults := _faults_of(step, owner):
            return faults
    web = f"{run.system.environment['DATABASE_URL']}_restored"
    faults = _faults_there(run, web, media, erased)
    return faults + _faults_of(("manage.py", "check_record"), processes.for_jobs(owner))


def _faults_there(run: Run, url: str, media: Path, erased: list[str] | None = None) -> list[str]:
    environment = os.environ | {"DATABASE_URL": url, "TELEDER_STORAGE": media.as_uri()}
    steps = [
        ("manage.py", "check_record"),
        ("manage.py", "audit", "verify"),
        ("-m", "drills.restored", *(erased or [])),
    ]
    if (of_erased := run.system.media.parent / "erased/list.jsonl").exists():
        steps.insert(0, ("manage.py", "retention", "--reapply", str(of_erased)))
    return [fault for step in steps for fault in _faults_of(step, environment)]


def _faults_of(step: tuple[str, ...], environment: dict[str, str]) -> list[str]:
    """Run a step; return the end of its output if it fails."""
    done = subprocess.run(
        [sys.executable, *step], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return [] if done.returncode == 0 else (done.stdout[-500:] or done.stderr[-500:]).splitlines()


def _postgres(program: str, *arguments: str) -> None:
    subprocess.run([servers.postgres_binaries() / program, *arguments], check=True)


# --- To a point in time -----------------------------------------------------------------------------------
@drill("R18-log", "restore to a point in time after machine and disk were lost", guard="one-moment")
def log(run: Run) -> Figures:
    """Another machine receives the log and copies photos every few seconds; the restore uses only these."""
    clients = run.clients()
    folder = run.system.folder / "elsewhere"
    shutil.rmtree(folder, ignore_errors=True)
    with _received(run.system.urls["database"], folder):
        copies = Copies(run.system.media, folder / "media")
        clients.pace(per_second=1, seconds=run.few_or_many(12, 180))
        copies.stop()
        clients.pace(per_second=1, seconds=STALE_SECONDS)  # these photos are not copied
        gone = datetime.now(UTC)
    found = run.finish(clients, bound=float("inf"))
    began = time.monotonic()
    with _recovered(folder, moment_of(copies)) as url:
        loss, faults = _loss(url, copies.moment, gone)
        web = run.system.environment["DATABASE_URL"]
        web = web.replace(f":{urlsplit(web).port}/", f":{urlsplit(url).port}/")
        faults += _faults_there(run, web, folder / "media")
    seconds = time.monotonic() - began
    found.broken += faults
    found.notes.append(
        f"restored and checked in {seconds:.0f} s; what was sent in the last {loss:.0f} s is lost"
    )
    if loss > LOSS_SECONDS or seconds > RESTORE_SECONDS:
        found.late.append("too much was lost, or the restore took too long")
    return found


class Copies:
    """Copies new photos again and again; `moment` is when the last complete copy began."""

    def __init__(self, media: Path, to: Path) -> None:
        self.media, self.to, self.moment = media, to, datetime.now(UTC)
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._copy_again, daemon=True)
        self.thread.start()

    def _copy_again(self) -> None:
        while not self.ending.wait(COPY_EACH_SECONDS):
            self._copy()

    def _copy(self) -> None:
        began = datetime.now(UTC)
        for file in list(self.media.rglob("*")):
            there = self.to / file.relative_to(self.media)
            if file.is_file() and not there.exists() and not file.name.startswith("tmp"):
                there.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):  # removed meanwhile
                    shutil.copy2(file, there)
        self.moment = began

    def stop(self) -> None:
        self.ending.set()
        self.thread.join()
        self._copy()


def moment_of(copies: Copies) -> str:
    """Return the `recovery_target_time`. Files are written before their rows, so all files of that time were copied."""
    return copies.moment.isoformat()


@contextmanager
def _received(url: str, folder: Path) -> Iterator[None]:
    """Receive the log from now on, starting from a full copy of the database, until the connection is cut."""
    (folder / "log").mkdir(parents=True)
    program = servers.postgres_binaries() / "pg_receivewal"
    receiver = subprocess.Popen([program, f"--directory={folder}/log", f"--dbname={url}"])
    base = f"--pgdata={folder}/server/postgres"
    try:
        wait_until(lambda: any((folder / "log").iterdir()), 30)
        _postgres("pg_basebackup", base, "--wal-method=none", "--checkpoint=fast", f"--dbname={url}")
        yield
    finally:
        receiver.kill()
        receiver.wait()


@contextmanager
def _recovered(folder: Path, moment: str) -> Iterator[str]:
    """Start another PostgreSQL from the copy, replay the log up to a point in time, and yield its owner's URL."""
    database = folder / "server/postgres"
    for begun in (folder / "log").glob("*.partial"):
        begun.rename(begun.with_suffix(""))
    settings = {
        "restore_command": f"cp {folder}/log/%f %p",
        "recovery_target_time": moment,
        "recovery_target_action": "promote",
    }
    with (database / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    (database / "recovery.signal").touch()
    shutil.copy2(folder.parent / "database/password", folder / "server/password")
    usual = os.environ["TELEDER_POSTGRES_PORT"]
    os.environ["TELEDER_POSTGRES_PORT"] = str(servers.free_port())
    try:
        with servers.running(folder / "server", given={"REDIS_URL": "none"}) as found:
            wait_until(lambda: not _ask(found.database_url, "SELECT pg_is_in_recovery()")[0][0], 60)
            yield found.database_url
    finally:
        os.environ["TELEDER_POSTGRES_PORT"] = usual


def _ask(url: str, question: str) -> list[tuple]:
    import psycopg

    with psycopg.connect(url) as connection:
        return connection.execute(question).fetchall()


def _loss(url: str, moment: datetime, gone: datetime) -> tuple[float, list[str]]:
    """Return the age (seconds) of the oldest missing submission, and a fault if it was sent before `moment`."""
    from teleder.cases.models import Submission

    sent = Submission.objects.filter(submitted_at__lte=gone).values_list("pk", "submitted_at")
    there = {pk for (pk,) in _ask(url, "SELECT id FROM cases_submission WHERE submitted_at IS NOT NULL")}
    missing = [at for pk, at in sent if pk not in there]
    before = sum(at < moment - COMMIT for at in missing)
    faults = [f"{before} submissions sent before the copy are lost"] if before else []
    return max(((gone - at).total_seconds() for at in missing), default=0.0), faults
