"""Which stored file is of which photo. Every key that is stored, or that a worker names, is checked here and nowhere else.

Keys are `photos/<photo>/original/<sha256>` and `photos/<photo>/<stage>/<attempt>/<name>`; those of stages that are no
more stay as they were. Where the bytes are, and that no
link leads elsewhere, is a matter of the storage (`contract.storage`).
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from uuid import UUID

from django.conf import settings

from contract.messages import Stage
from contract.storage import OpenFile, StorageError, StorageKeyError, StorageUnavailableError

log = logging.getLogger(__name__)

ORIGINAL = "original"
CONTENT_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
# Earlier versions left here what the stage makes now.
_OLDER: dict[str, tuple[str, ...]] = {Stage.ANALYSE: ("segment", "classify")}
_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}\.[a-z]+")


def folder_of(photo: UUID, stage: Stage, attempt: int) -> str:
    """Return the only folder in which an attempt leaves its files."""
    return f"photos/{photo}/{stage}/{attempt}"


def is_made_by(photo: UUID, stage: Stage, attempt: int, key: str) -> bool:
    """Whether the key is that of a picture right in the attempt's own folder."""
    folder, _slash, name = key.rpartition("/")
    is_picture = _NAME.fullmatch(name) is not None and Path(name).suffix in CONTENT_TYPES
    return is_picture and folder == folder_of(photo, stage, attempt)


def is_of(photo: UUID, stage: str, key: str) -> bool:
    """Whether the key lies below the folder of this photo and stage (`original` is one here)."""
    parts = key.split("/")
    is_below = parts[:2] == ["photos", str(photo)] and len(parts) > 3
    return is_below and parts[2] in (stage, *_OLDER.get(stage, ())) and all(map(_PART.fullmatch, parts))


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
