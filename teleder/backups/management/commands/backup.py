"""`manage.py backup create | verify | list | prune | restore`: see docs/running.md, "Backup and restore"."""

from __future__ import annotations

import logging
import os
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, close_old_connections, connection

from contract import storage
from contract.environment import InvalidSettingError
from teleder.backups import archive, database
from teleder.backups.archive import Manifest
from teleder.backups.models import Backup
from teleder.cases import storage_mark
from teleder.cases.models import StorageMark
from teleder.privacy.policy import retention_policy

log = logging.getLogger(__name__)

HEARTBEAT = "TELEDER_BACKUP_HEARTBEAT"  # a file that `--every` touches while it waits and works
HEARTBEAT_SECONDS = 30
AGAIN_SECONDS = 15 * 60  # after a failure
REPORT_EVERY = 1000


class Command(BaseCommand):
    help = "Backs up database and photos together, reads a backup again, and restores one into an empty database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser(
            "create", help="make a backup, read it again, remove those that are too old"
        )
        create.add_argument("--every", type=float, metavar="HOURS", help="go on for ever, as a service")
        verify = verbs.add_parser(
            "verify", help="read all of a backup again: exit 1 where a byte is not as it was"
        )
        verbs.add_parser("list", help="name the backups, the oldest first")
        prune = verbs.add_parser("prune", help="remove backups older than the retention policy's backup_days")
        restore = verbs.add_parser(
            "restore", help="into an empty database and TELEDER_STORAGE, then check the record"
        )
        restore.add_argument(
            "--moment", type=_moment, metavar="TIME", help="the last backup that began before this time"
        )
        for parser in (verify, restore):
            parser.add_argument("name", nargs="?", help="default: the newest")
        for parser in (create, verify, prune, restore):
            parser.add_argument(
                "--at", default=settings.BACKUP, help=f"default: TELEDER_BACKUP. {storage.EXAMPLES}"
            )
        verbs.choices["list"].add_argument("--at", default=settings.BACKUP, help="default: TELEDER_BACKUP")

    def handle(self, *, verb: str, at: str, **options: Any) -> None:
        if not at:
            raise CommandError("Say where backups are: set TELEDER_BACKUP, or write --at file:///folder.")
        try:
            place = storage.from_url(at)
        except (storage.StorageSettingError, InvalidSettingError) as error:
            raise CommandError(str(error)) from None
        with _told():
            getattr(self, verb)(place, **options)

    # --- Verbs ------------------------------------------------------------------------------------------------
    def create(self, place: storage.Storage, *, every: float | None, **_: Any) -> None:
        if every is None:
            self._make(place)
            return
        while True:
            began = time.monotonic()
            try:
                with _told():
                    self._make(place)
                wait = every * 3600 - (time.monotonic() - began)
            except CommandError as error:
                log.error("the backup failed: %s", error)
                wait = AGAIN_SECONDS
            close_old_connections()
            end = time.monotonic() + wait
            while time.monotonic() < end:
                _beat()
                time.sleep(min(HEARTBEAT_SECONDS, max(0.0, end - time.monotonic())))

    def _make(self, place: storage.Storage) -> None:
        now = datetime.now(UTC)
        last = Backup.objects.filter(place=str(place), verified_at__isnull=False).first()
        manifest = archive.create(
            settings.PHOTO_STORAGE,
            place,
            database.dump(),
            now=now,
            anew=last is not None and last.faults > 0,
            told=self._count,
        )
        row, _is_new = Backup.objects.update_or_create(
            place=str(place),
            name=manifest.name,
            defaults={
                "started_at": manifest.started_at,
                "finished_at": datetime.now(UTC),
                "files": manifest.count,
                "bytes": manifest.bytes,
            },
        )
        self.stdout.write(
            f"{row.name}: {row.files} files of photos, {row.bytes / 1e6:.1f} MB with the database"
        )
        self.verify(place, name=row.name)
        self.prune(place)

    def verify(self, place: storage.Storage, *, name: str | None, **_: Any) -> None:
        manifest = _chosen(place, name)
        _beat()
        found = list(archive.damaged_pieces(place, manifest, database.can_be_read))
        Backup.objects.update_or_create(
            place=str(place),
            name=manifest.name,
            defaults={"verified_at": datetime.now(UTC), "faults": len(found)},
            create_defaults={
                "started_at": manifest.started_at,
                "finished_at": manifest.started_at,
                "verified_at": datetime.now(UTC),
                "faults": len(found),
                "files": manifest.count,
                "bytes": manifest.bytes,
            },
        )
        for fault in found:
            self.stdout.write(fault)
        if found:
            raise CommandError(
                f"{manifest.name}: {len(found)} faults. Use another backup; the next one copies everything anew. "
                "Look at the disk or bucket it lies on."
            )
        self.stdout.write(f"{manifest.name}: verified, every byte of database and photos is as it was")

    def list(self, place: storage.Storage, **_: Any) -> None:
        rows = {row.name: row for row in Backup.objects.filter(place=str(place))}
        for name in (found := archive.finished_backups(place)):
            row = rows.get(name)
            state = "not verified" if row is None or row.verified_at is None else "verified"
            self.stdout.write(f"{name}  {f'{row.faults} faults' if row and row.faults else state}")
        self.stdout.write(f"{len(found)} backups at {place}")

    def prune(self, place: storage.Storage, **_: Any) -> None:
        days = retention_policy().backup_days
        gone, files = archive.prune(place, older_than=datetime.now(UTC) - timedelta(days=days))
        Backup.objects.filter(place=str(place), name__in=gone).delete()
        if gone:
            self.stdout.write(
                f"removed what is older than {days} days: {', '.join(gone)}, and {files} files of photos"
            )

    def restore(self, place: storage.Storage, *, name: str | None, moment: datetime | None, **_: Any) -> None:
        """Refuses a database with tables: what is there is never overwritten."""
        if not database.is_empty():
            raise CommandError(
                "The database is not empty. Make a new one (createdb), and name it in DATABASE_URL."
            )
        manifest = _chosen(place, name, moment)
        self.stdout.write(f"{manifest.name}: the database …")
        database.fill_from(archive.database_of(place, manifest))
        connection.close()
        call_command("migrate", verbosity=0)
        self.stdout.write("the photos …")
        target = settings.PHOTO_STORAGE
        storage_mark.mark(target, StorageMark.objects.get_or_create(only=True)[0])
        count, lost = archive.restore_files(place, manifest, target)
        for key in lost:
            self.stderr.write(f"missing or damaged in the backup: {key}")
        self.stdout.write(f"{count} files of photos are at {target}, {len(lost)} are lost")
        if Path(settings.ERASED_LIST).exists():
            call_command("retention", reapply=Path(settings.ERASED_LIST), stdout=self.stdout)
        self.stdout.write(
            "Next, as the tables' owner: `manage.py audit protect ROLE`. Then `manage.py doctor`, and start everything."
        )
        call_command("check_record", stdout=self.stdout)

    def _count(self, count: int) -> None:
        if count % REPORT_EVERY == 0:
            _beat()
            self.stdout.write(f"{count} files of photos …")


def _chosen(place: storage.Storage, name: str | None, moment: datetime | None = None) -> Manifest:
    """Return the backup of this name, or the newest that began before a moment. Raises BackupError."""
    if name is None:
        found = [
            each
            for each in archive.finished_backups(place)
            if moment is None or each <= moment.strftime(archive.FORM)
        ]
        if not found:
            raise archive.BackupError(
                f"there is no finished backup{' of that time' if moment else ''} at {place}"
            )
        name = found[-1]
    return archive.manifest_of(place, name)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _beat() -> None:
    if path := os.environ.get(HEARTBEAT):
        Path(path).touch()


@contextmanager
def _told() -> Iterator[None]:
    """Turn what can go wrong into one sentence."""
    try:
        yield
    except (archive.BackupError, database.ProgramError, storage_mark.NotOursError) as error:
        raise CommandError(str(error)) from None
    except storage.StorageError as error:
        raise CommandError(f"{type(error).__name__}: {error}") from None
    except DatabaseError as error:
        raise CommandError(f"the database failed ({type(error).__name__})") from None
