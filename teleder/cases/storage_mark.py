"""Whether the storage that is there is the one with this database's photos.

A disk that is not mounted leaves an empty folder in its place. Without a mark, uploads would go into it, and every
photo would seem lost.
"""

from __future__ import annotations

from django.conf import settings
from django.core.cache import caches

from contract.storage import MARK, KeyExistsError, Storage, StorageError, StorageUnavailableError
from teleder.cases.models import StorageMark

KNOWN = "storage.mark"
KNOWN_SECONDS = 5  # how long a process takes the storage for ours before it looks again


class NotOursError(Exception):
    """The storage belongs to another database; the message says what to do."""


def require_mark(*, at_once: bool = False) -> None:
    """Raise StorageUnavailableError where the storage has not this database's mark.

    For some seconds a process believes what it saw; `at_once` looks at the storage again, and asks the database only where
    that has changed.
    """
    known = caches["process"].get(KNOWN)
    has_changed = at_once and isinstance(known, str) and settings.PHOTO_STORAGE.mark() != known
    if known and not has_changed:
        return
    row = StorageMark.objects.first()
    wanted, found = str(row) if row else "", settings.PHOTO_STORAGE.mark()
    if not wanted or found != wanted:
        what = "no mark" if not found else "another mark" if wanted else "a mark, and the database none"
        raise StorageUnavailableError(f"{what} at {settings.PHOTO_STORAGE}")
    caches["process"].set(KNOWN, wanted, KNOWN_SECONDS)


def is_ours() -> bool:
    """Return whether uploads would be taken, as far as the mark decides."""
    try:
        require_mark()
    except StorageError:
        return False
    return True


def mark(storage: Storage, row: StorageMark) -> None:
    """Write the mark of this database into a storage. Raises NotOursError where it holds another one, and StorageError."""
    try:
        storage.create(MARK, str(row).encode())
    except KeyExistsError:
        if storage.mark() != str(row):
            raise NotOursError(
                f"{storage} belongs to another database: set TELEDER_STORAGE to the right one."
            ) from None
