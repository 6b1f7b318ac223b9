"""Opens a stored file only if its key is one of the photo and stage it is asked for (`contract.storage.keys`)."""

from __future__ import annotations

import logging
from uuid import UUID

from django.conf import settings

from contract.storage import OpenFile, StorageError, StorageKeyError, StorageUnavailableError
from contract.storage.keys import is_of

log = logging.getLogger(__name__)


def require_own(photo: UUID, stage: str, key: str) -> str:
    """Return the key. Raises StorageKeyError for one that is not of this photo and stage."""
    if is_of(photo, stage, key):
        return key
    if key:
        log.warning("photo %s has a key that is none of its own", photo)
    raise StorageKeyError("a key that is none of its photo")


def open_file(photo: UUID, stage: str, key: str, start: int = 0, stop: int | None = None) -> OpenFile:
    """Open a file of this photo for reading. Raises StorageError."""
    return settings.PHOTO_STORAGE.open(require_own(photo, stage, key), start, stop)


def size_of(photo: UUID, stage: str, key: str) -> int:
    """Return the bytes of a file, 0 for one that is not there or not this photo's. Raises StorageUnavailableError."""
    try:
        return settings.PHOTO_STORAGE.size(require_own(photo, stage, key))
    except StorageUnavailableError:
        raise
    except StorageError:
        return 0
