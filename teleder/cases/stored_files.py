"""Reads a stored file only if its key is one of the photo and stage it is asked for (`contract.storage.keys`), and gives it
away only if it is the file that was written: nobody sees another person's photo, whatever became of the disk."""

from __future__ import annotations

import logging
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from contract.messages import Stage
from contract.storage import (
    FileDamagedError,
    FileMissingError,
    StorageError,
    StorageKeyError,
    StorageUnavailableError,
    is_same,
)
from contract.storage.keys import ORIGINAL, is_of
from teleder.cases import storage_mark
from teleder.cases.models import DamagedFile, StoredFile

log = logging.getLogger(__name__)
# Below whose folder a file stands.
MADE_BY = {
    StoredFile.ORIGINAL: ORIGINAL,
    **dict.fromkeys(
        (StoredFile.DISPLAY, StoredFile.ANALYSIS, StoredFile.THUMBNAIL, StoredFile.VEILED), Stage.PREPARE
    ),
    StoredFile.FULL: Stage.FULL,
    **dict.fromkeys((StoredFile.MASK, StoredFile.ATTRIBUTION), Stage.ANALYSE),
}


def require_own(photo: UUID, stage: str, key: str) -> str:
    """Return the key. Raises StorageKeyError for one that is not of this photo and stage."""
    if is_of(photo, stage, key):
        return key
    if key:
        log.warning("photo %s has a key that is none of its own", photo)
    raise StorageKeyError("a key that is none of its photo")


def read_whole(photo: UUID, name: StoredFile, key: str, sha256: str) -> bytes:
    """Return a file of this photo. Raises StorageError: of these, FileDamagedError for one with another hash."""
    content = settings.PHOTO_STORAGE.read(require_own(photo, MADE_BY[name], key))
    if not is_same(content, sha256):
        raise FileDamagedError(key)
    return content


def read_file(photo: UUID, name: StoredFile, key: str, sha256: str) -> bytes:
    """As `read_whole`; a file that is damaged or gone is noted. Raises StorageError."""
    try:
        return read_whole(photo, name, key, sha256)
    except (FileDamagedError, FileMissingError):
        storage_mark.require_mark()  # where the disk is not mounted, nothing is missing
        note_damage(photo, name)
        raise


def note_damage(photo: UUID, name: str) -> None:
    """Tell the board, and let the sweeper look at the file (`pipeline.mending`)."""
    log.error("photo %s: the file %s is not as it was written", photo, name)
    try:
        with transaction.atomic():
            DamagedFile.objects.bulk_create([DamagedFile(photo_id=photo, name=name)], ignore_conflicts=True)
    except IntegrityError:
        log.info("photo %s was erased meanwhile", photo)


def size_of(photo: UUID, stage: str, key: str) -> int:
    """Return the bytes of a file, 0 for one that is not there or not this photo's. Raises StorageUnavailableError."""
    try:
        return settings.PHOTO_STORAGE.size(require_own(photo, stage, key))
    except StorageUnavailableError:
        raise
    except StorageError:
        return 0
