"""Where a photo's files lie. Every key that is stored, or that a worker names, is checked here and nowhere else.

Keys are `photos/<photo>/original/<sha256>` and `photos/<photo>/<stage>/<attempt>/<name>`. A worker may write below the
media folder, so it may put links there: none is followed.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from django.conf import settings

from contract.messages import Stage

log = logging.getLogger(__name__)

ORIGINAL = "original"
CONTENT_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}\.[a-z]+")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe in place of a file must not hold up its reader


class BadKeyError(OSError):
    """The key names no file of this photo and stage."""


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
    below = ["photos", str(photo), str(stage)]
    return parts[:3] == below and len(parts) > 3 and all(map(_PART.fullmatch, parts))


def path_of(photo: UUID, stage: str, key: str) -> Path:
    """Return where the file lies or may be written; raises `BadKeyError`, also for a link on the way there."""
    root = Path(settings.MEDIA_ROOT).resolve()
    if not is_of(photo, stage, key) or (root / key).resolve() != root / key:
        raise BadKeyError("a key that is none of its photo")
    return root / key


def open_file(photo: UUID, stage: str, key: str) -> BinaryIO:
    """Open a file for reading. Raises `BadKeyError`, and `OSError` where there is none or a link in its place."""
    if not is_of(photo, stage, key):
        if key:
            log.warning("photo %s has a key that is none of its own", photo)
        raise BadKeyError("a key that is none of its photo")
    *folders, name = key.split("/")
    folder = os.open(settings.MEDIA_ROOT, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for each in folders:
            inner = os.open(each, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        file = os.open(name, _FILE, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise BadKeyError("no file")
    return os.fdopen(file, "rb")


def size_of(photo: UUID, stage: str, key: str) -> int:
    """Return the bytes of a file, 0 for one that is not there or not this photo's."""
    try:
        with open_file(photo, stage, key) as file:
            return os.fstat(file.fileno()).st_size
    except OSError:
        return 0
