"""What `manage.py doctor` asks of what is kept: photos, keys, backups, and PostgreSQL's log of all changes."""

from __future__ import annotations

import shutil
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.utils import timezone

from contract import encryption
from contract.storage import FileStorage, StorageError
from teleder.accounts.models import Clinic
from teleder.backups.models import is_overdue, newest_verified
from teleder.cases import originals, storage_mark
from teleder.cases.models import Photo
from teleder.web.operations.findings import Found, State, ago

FREE_BYTES = 5 * 1024**3


def storage() -> Found:
    place = settings.PHOTO_STORAGE
    try:
        storage_mark.require_mark()
        place.check()
    except StorageError as error:
        yield (
            State.FAULT,
            f"photos cannot be stored ({type(error).__name__}: {error})",
            "Mount the disk or start the S3 server; after an installation run `manage.py init_storage`.",
        )
        return
    if not isinstance(place, FileStorage):
        yield State.FINE, "the storage holds this database's mark and takes files"
        return
    free = shutil.disk_usage(place.root).free
    words = f"the folder holds this database's mark and takes files; {free / 1024**3:.0f} GB are free"
    if free < FREE_BYTES:
        yield State.NOTE, words, "Make the disk larger, or move the photos (`manage.py move_storage`)."
    else:
        yield State.FINE, words


def keys() -> Found:
    photo = Photo.objects.order_by("-pk").first()
    if photo is None:
        yield State.FINE, f"{len(settings.PHOTO_KEYS.by_name)} keys; no photo is there to try them on"
        return
    lost = Photo.objects.exclude(sealed_by__in=["", *settings.PHOTO_KEYS.by_name]).count()
    if lost:
        yield (
            State.FAULT,
            f"{lost} photos were sealed with a key that is not in TELEDER_PHOTO_KEYS",
            "Add the earlier key again, behind the first.",
        )
        return
    if plain := Photo.objects.unsealed().count():
        yield (
            State.FAULT,
            f"{plain} photos are kept as they came, from before originals were sealed",
            "Run `manage.py rotate_photo_keys`.",
        )
        return
    try:
        originals.read(photo.pk, photo.original_key)
    except encryption.LockedOriginalError:
        yield (
            State.FAULT,
            "the newest photo does not open",
            "Set TELEDER_PHOTO_KEYS as it was; `manage.py check_record` looks at all photos.",
        )
    except StorageError as error:
        yield (
            State.FAULT,
            f"the newest photo cannot be read ({type(error).__name__})",
            "See the storage above.",
        )
    else:
        yield State.FINE, f"{len(settings.PHOTO_KEYS.by_name)} keys; the newest photo opens"


def backup() -> Found:
    newest = Clinic.objects.values_list(newest_verified(), flat=True).first()
    if not settings.BACKUP and newest is None:
        yield (
            State.NOTE,
            "no backup is made by `manage.py backup`",
            "Set TELEDER_BACKUP (docs/running.md, Backup and restore).",
        )
    elif is_overdue(newest, timezone.now()):
        yield (
            State.FAULT,
            f"the newest verified backup was begun {ago(newest)}",
            "Run `manage.py backup create` and read what it says.",
        )
    else:
        yield State.FINE, f"the newest verified backup was begun {ago(newest)}"


def log_kept() -> tuple[bool, datetime | None, bool]:
    """Return whether PostgreSQL keeps its log elsewhere, when it last did so, and whether it failed since."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('archive_mode') <> 'off', last_archived_time, "
            "coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) FROM pg_stat_archiver"
        )
        return cursor.fetchone()


def log() -> Found:
    is_on, newest, fails = log_kept()
    if fails and is_on:
        yield (
            State.FAULT,
            f"PostgreSQL cannot keep its log elsewhere; the last part was kept {ago(newest)}",
            "Make room in the place of the log, or mount it (docs/running.md, To a moment): it fills the database's disk meanwhile.",
        )
    elif is_on:
        yield State.FINE, f"the last part of PostgreSQL's log was kept {ago(newest)}"
    else:
        yield State.FINE, "PostgreSQL keeps no log elsewhere by itself; a restore goes back to a backup"
