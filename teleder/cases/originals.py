"""Originals: the web checks an upload's first bytes, encrypts it and stores it. It never decodes it.

Key: photos/<photo id>/original/<sha256>, in the storage of web and workers (`contract.storage`). The hash is of the bytes as
they came: the same photo sent twice is one photo. Who has the disk alone can tell by it whether a photo they already
hold is there, and reads no other.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.utils.translation import gettext_lazy as _

from contract import photos
from contract.storage import StorageError, StorageFullError, StorageUnavailableError
from contract.storage.keys import ORIGINAL
from teleder.cases import storage_mark, stored_files
from teleder.cases.models import StoredFile
from teleder.cases.remedies import REMEDIES

log = logging.getLogger(__name__)


CHUNK_BYTES = 256 * 1024


class HashedUpload(UploadedFile):
    """An upload whose hash was computed while it arrived."""

    def __init__(self, *args: Any, sha256: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sha256 = sha256


class HashingUploadHandler(FileUploadHandler):
    """Takes an upload in memory, a large one in a file without a name: a process that dies leaves no open photo on the disk.

    All files of a form share `FILE_UPLOAD_MAX_MEMORY_SIZE`.
    """

    chunk_size = CHUNK_BYTES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.memory = settings.FILE_UPLOAD_MAX_MEMORY_SIZE

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.digest = hashlib.sha256()
        self.file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - Django closes it with the request
            self.memory, dir=settings.FILE_UPLOAD_TEMP_DIR
        )

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.digest.update(raw_data)
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> HashedUpload:
        self.file.seek(0)
        self.memory = max(1, self.memory - file_size)  # 0 would be no limit
        return HashedUpload(
            self.file,
            self.file_name,
            self.content_type,
            file_size,
            self.charset,
            self.content_type_extra,
            sha256=self.digest.hexdigest(),
        )

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            self.file.close()


class RefusedError(Exception):
    """A foreseen reason why something a person sent cannot be taken; the message is for that person.

    `wait` is in how many seconds it can be taken, where that is all that is wrong.
    """

    def __init__(self, code: str, message: str, wait: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.wait = str(code), message, wait


def check_upload(upload: UploadedFile) -> None:
    """Raise `RefusedError` for a file that is empty, too large, or by its first bytes none of the photo formats."""
    head = upload.read(photos.HEAD_BYTES)
    upload.seek(0)
    if reason := photos.refusal_at_upload(upload.size, head):
        raise RefusedError(reason, REMEDIES[reason])


def store(upload: UploadedFile, photo: UUID) -> tuple[str, str]:
    """Seal the bytes and store them durably under a key that names their hash; return (key, sha256 in hex).

    Leaves nothing behind where it fails. Raises `RefusedError` for a storage that is full or away.
    """
    digest = digest_of(upload)
    key = f"photos/{photo}/original/{digest}"
    try:
        storage_mark.require_mark()
        settings.PHOTO_STORAGE.create(key, settings.PHOTO_KEYS.sealed(upload.chunks(CHUNK_BYTES), key))
        # Not before: a disk that went away meanwhile leaves a folder that takes files, and they would be lost with it.
        storage_mark.require_mark(at_once=True)
    except (StorageFullError, StorageUnavailableError) as error:
        log.error("no photo can be stored (%s: %s)", type(error).__name__, error)
        with suppress(StorageError):  # whatever of it is there has no row: leftovers.py finds it a day later
            settings.PHOTO_STORAGE.delete_all(f"photos/{photo}")
        raise RefusedError(
            "storage_full" if isinstance(error, StorageFullError) else "storage_unavailable",
            _("We cannot store photos at the moment. Please try again later."),
        ) from error
    return key, digest


def write(photo: UUID, key: str, sealed: bytes) -> None:
    """Put the sealed file in the place of the one there, whole or not at all. Raises StorageError."""
    settings.PHOTO_STORAGE.write(stored_files.require_own(photo, ORIGINAL, key), sealed)


def read(photo: UUID, key: str) -> bytes:
    """Return the bytes as they came. Raises `encryption.LockedOriginalError`, also for one that was damaged or exchanged,
    and, where this photo has no such file, StorageError."""
    return settings.PHOTO_KEYS.open_original(
        stored_files.read_whole(photo, StoredFile.ORIGINAL, key, ""), key
    )


def digest_of(upload: UploadedFile) -> str:
    """Return the hash of the bytes; of what came by a form it is known."""
    if isinstance(upload, HashedUpload):
        return upload.sha256
    digest = hashlib.sha256()
    for chunk in upload.chunks():
        digest.update(chunk)
    upload.seek(0)
    return digest.hexdigest()


def discard(photo: UUID, key: str) -> None:
    """Remove an original that no row names (its transaction did not commit)."""
    with suppress(StorageUnavailableError):  # leftovers.py finds it a day later
        settings.PHOTO_STORAGE.delete(stored_files.require_own(photo, ORIGINAL, key))
