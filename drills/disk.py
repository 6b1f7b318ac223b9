"""Drills of what lies on disk: R7 no space left for photos, R18 backup and restore."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from drills.oracle import Figures
from drills.run import Run, drill
from local import servers

FULL_SECONDS = 10
RESTORE_SECONDS = 30 * 60


@drill("R7", "no space left for photos", guard="disk-full")
def full_disk(run: Run) -> Figures:
    clients = run.clients()
    if not run.system.media_is_limited:
        return Figures(notes=["NOT RUN: only root can limit a file system here"])
    ballast = run.system.media / "ballast"
    clients.send(2)
    _fill(ballast)
    sending = clients.sending(run.few_or_many(4, 40), threads=4)
    time.sleep(FULL_SECONDS)
    ballast.unlink()
    sending.join()
    found = run.finish(clients, bound=float("inf"))
    found.notes.append(f"{clients.refusals[507]} answers 507")
    if clients.server_errors or not clients.refusals[507]:
        found.broken.append("a full disk was not told as such")
    return found


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
    clients = run.clients()
    sending = clients.sending(run.few_or_many(6, 60), threads=2)
    time.sleep(3)
    folder = run.system.folder / "backup"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    _postgres("pg_dump", "--format=custom", f"--file={folder}/database", run.system.urls["database"])
    copy_media(run.system.media, folder / "media")
    sending.join()
    found = run.finish(clients, bound=float("inf"))
    began = time.monotonic()
    faults = _restored(run, folder)
    seconds = time.monotonic() - began
    found.notes.append(f"restored and checked in {seconds:.0f} s while patients sent")
    found.broken += faults + (["the restore took too long"] if seconds > RESTORE_SECONDS else [])
    return found


def copy_media(media: Path, to: Path) -> None:
    """Copy after the database: files are written before their rows."""
    shutil.copytree(media, to, ignore=shutil.ignore_patterns("tmp*"))


def _restored(run: Run, folder: Path) -> list[str]:
    """Put the backup into an empty database; return what does not fit together there."""
    url = f"{run.system.urls['database']}_restored"
    _postgres("dropdb", "--if-exists", f"--maintenance-db={run.system.urls['database']}", "teleder_restored")
    _postgres("createdb", f"--maintenance-db={run.system.urls['database']}", "teleder_restored")
    _postgres("pg_restore", f"--dbname={url}", "--no-owner", f"{folder}/database")
    environment = os.environ | {"DATABASE_URL": url, "TELEDER_MEDIA_ROOT": str(folder / "media")}
    checked = subprocess.run(
        [sys.executable, "-m", "drills.restored"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return checked.stdout.splitlines() if checked.returncode == 0 else [checked.stderr[-500:]]


def _postgres(program: str, *arguments: str) -> None:
    subprocess.run([servers.postgres_binaries() / program, *arguments], check=True)
