"""The web's side of a stranger's file: sniff it, seal it, store it, never decode it.

Key: photos/<photo id>/original/<sha256>. The worker reads the same key below the same root. The hash is of the bytes as
they came: the same photo sent twice is one photo. Who has the disk alone can tell by it whether a photo they already
hold is there, and reads no other.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.utils.translation import gettext_lazy as _

from contract import photos
from teleder.cases import keys
from teleder.cases.remedies import REMEDIES

log = logging.getLogger(__name__)

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
PROBE_BYTES = 4096


class NamelessUploadHandler(TemporaryFileUploadHandler):
    """Takes a large upload in a file without a name: a process that dies leaves no open photo on the disk."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        os.unlink(self.file.temporary_file_path())


class Refused(Exception):
    """A foreseen reason why something a person sent cannot be taken; the message is for that person.

    `wait` is in how many seconds it can be taken, where that is all that is wrong.
    """

    def __init__(self, code: str, message: str, wait: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.wait = str(code), message, wait


def check(upload: UploadedFile) -> None:
    """Raise `Refused` for a file that is empty, too large, or by its first bytes none of the photo formats."""
    head = upload.read(photos.HEAD_BYTES)
    upload.seek(0)
    if reason := photos.refusal_at_upload(upload.size, head):
        raise Refused(reason, REMEDIES[reason])


def keep(upload: UploadedFile, photo: UUID) -> tuple[str, str]:
    """Seal the bytes and store them durably under a key that names their hash; return (key, sha256 in hex).

    Leaves nothing behind where it fails. Raises `Refused` for a full disk.
    """
    folder = Path(settings.MEDIA_ROOT) / "photos" / str(photo) / "original"
    try:
        folder.mkdir(parents=True, mode=0o700)
        content = upload.read()
        digest = hashlib.sha256(content).hexdigest()
        key = f"photos/{photo}/original/{digest}"
        write(photo, key, settings.PHOTO_KEYS.seal(content, key))
        _sync_folders(folder, levels=3)
    except OSError as error:
        shutil.rmtree(folder.parent, ignore_errors=True)
        if error.errno not in DISK_FULL:
            raise
        log.error("no space left for photos")
        raise Refused(
            "storage_full", _("We cannot store photos at the moment. Please try again later.")
        ) from error
    return key, digest


def write(photo: UUID, key: str, sealed: bytes) -> None:
    """Put the file in its place, whole or not at all."""
    path = keys.path_of(photo, keys.ORIGINAL, key)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(sealed)
        file.flush()
        os.fsync(file.fileno())
    os.rename(file.name, path)


def check_storage() -> None:
    """Write a small file durably and remove it. Raises OSError where a photo could not be stored now either."""
    folder = Path(settings.MEDIA_ROOT) / "photos"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(bytes(PROBE_BYTES))
        file.flush()
        os.fsync(file.fileno())


def read(photo: UUID, key: str) -> bytes:
    """Return the bytes as they came. Raises `sealing.Locked` and, where this photo has no such file, OSError."""
    with keys.open_file(photo, keys.ORIGINAL, key) as file:
        return settings.PHOTO_KEYS.open(file.read(), key)


def digest_of(upload: UploadedFile) -> str:
    digest = hashlib.sha256()
    for chunk in upload.chunks():
        digest.update(chunk)
    upload.seek(0)
    return digest.hexdigest()


def discard(photo: UUID, key: str) -> None:
    """Remove an original that no row names (its transaction did not commit)."""
    keys.path_of(photo, keys.ORIGINAL, key).unlink(missing_ok=True)


def _sync_folders(folder: Path, levels: int) -> None:
    # A rename is durable only once the folders above it are.
    for path in _upwards(folder, levels):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def _upwards(folder: Path, levels: int) -> Iterator[Path]:
    for _level in range(levels):
        yield folder
        folder = folder.parent
