"""Drills of a full disk (R7): no space left for photos, or for the database."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from drills.oracle import Figures
from drills.run import Run, drill
from drills.system import System, mount_limited, unmount

FULL_SECONDS = 10
FREE_MEGABYTES = 64
RECOVERY_SECONDS = 60
NO_SMALL_DISK = "this machine does not allow mounting a small file system (user namespaces are off)"


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
    was_ready = run.system.is_ready()
    ballast.unlink()
    sending.join()
    found = run.finish(clients, bound=float("inf"))
    found.notes.append(f"{clients.refusals[507]} answers 507")
    _check_readiness(run.system, found, was_ready)
    if not clients.refusals[507]:
        found.broken.append("a full disk was not reported as such")
    return found


@drill("R7-database", "no space left for the database", guard="database-full")
def full_database(run: Run) -> Figures:
    """First no row can be written, then no log, which stops PostgreSQL; the service manager restarts it."""
    clients = run.clients()
    with _on_a_small_disk(run.system) as folder:
        if folder is None:
            return Figures(not_run=[NO_SMALL_DISK])
        clients.send(2)
        _fill(folder / "ballast")
        sending = clients.sending(run.few_or_many(8, 60), threads=4)
        time.sleep(FULL_SECONDS)
        was_ready = run.system.is_ready()
        stopped = _use_up_the_log(run.system)
        time.sleep(FULL_SECONDS / 2)
        (folder / "ballast").unlink()
        run.system.restart_if_stopped("database")
        back = time.monotonic()
        sending.join()
        found = run.finish(clients, bound=float("inf"))
        seconds = time.monotonic() - back
        _check_readiness(run.system, found, was_ready)
    refused = clients.refusals[503] + clients.refusals[507]
    found.notes.append(f"{refused} answers 503 or 507; PostgreSQL {'stopped' if stopped else 'did not stop'}")
    found.notes.append(f"all finished {seconds:.0f} s after space was freed")
    if not refused:
        found.broken.append("a full disk was not reported as such")
    if seconds > RECOVERY_SECONDS + run.few_or_many(0, 120):
        found.late.append(f"it did not recover within {RECOVERY_SECONDS} s")
    return found


def _check_readiness(system: System, found: Figures, was_ready: bool) -> None:
    if was_ready:
        found.broken.append("/readyz said 200 while the disk was full")
    if not system.is_ready():
        found.broken.append("/readyz says 503 although space was freed")


@contextmanager
def _on_a_small_disk(system: System) -> Iterator[Path | None]:
    """Move the database to a disk with little free space, and back at the end."""
    folder = system.folder / "database/postgres"
    kept, back = folder.with_name("kept"), folder.with_name("back")
    system.stop_server("database")
    folder.rename(kept)
    folder.mkdir(mode=0o700)
    used = sum(file.stat().st_size for file in kept.rglob("*") if file.is_file()) // 2**20
    limited = mount_limited(folder, used + FREE_MEGABYTES)
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
    """Start new log segments until the disk is full; return whether PostgreSQL stopped."""
    import psycopg

    try:
        with psycopg.connect(system.urls["database"], autocommit=True) as connection:
            for _ in range(100):
                connection.execute("CREATE TABLE IF NOT EXISTS drill_log (); DROP TABLE drill_log")
                connection.execute("SELECT pg_switch_wal()")
    except psycopg.Error:
        return True
    return False


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
