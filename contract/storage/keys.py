"""The names of the files of a photo: which photo, stage and attempt a stored file belongs to.

Keys are `photos/<photo>/original/<sha256>` and `photos/<photo>/<stage>/<attempt>/<name>`. Every key that is stored, or that a
worker names, is checked here and nowhere else. That no link leads elsewhere is a matter of the storage.
"""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

ORIGINAL = "original"
CONTENT_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
# Earlier versions left here what the stage makes now.
_OLDER = {"analyse": ("segment", "classify")}
_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}\.[a-z]+")


def folder_of(photo: UUID, stage: str, attempt: int) -> str:
    """Return the only folder in which an attempt leaves its files."""
    return f"photos/{photo}/{stage}/{attempt}"


def is_made_by(photo: UUID, stage: str, attempt: int, key: str) -> bool:
    """Whether the key is that of a picture right in the attempt's own folder."""
    folder, _slash, name = key.rpartition("/")
    is_picture = _NAME.fullmatch(name) is not None and Path(name).suffix in CONTENT_TYPES
    return is_picture and folder == folder_of(photo, stage, attempt)


def is_of(photo: UUID, stage: str, key: str) -> bool:
    """Whether the key lies below the folder of this photo and stage (`original` is one here)."""
    parts = key.split("/")
    is_below = parts[:2] == ["photos", str(photo)] and len(parts) > 3
    return is_below and parts[2] in (stage, *_OLDER.get(stage, ())) and all(map(_PART.fullmatch, parts))
