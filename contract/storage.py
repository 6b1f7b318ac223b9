"""Reads and writes files by key below one root.

Keys are the same for every backend: `photos/<photo id>/original/<sha256>`, `photos/<photo id>/<stage>/<attempt>/...`.
A second backend (S3) becomes a second class with `read` and `write`, chosen in `from_environment`.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class BadKey(ValueError):
    """The key does not name a place below the root."""


class Missing(LookupError):
    """No file has this key."""


@dataclass(frozen=True)
class FileStorage:
    """Files below a folder."""

    root: Path

    def read(self, key: str, limit: int | None = None) -> bytes:
        """Return the file's bytes, `limit` of them at most; raises BadKey, Missing."""
        try:
            with self._path(key).open("rb") as file:
                return file.read(-1 if limit is None else limit)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise Missing(key) from error

    def write(self, key: str, content: bytes) -> None:
        """Make the file appear whole and durable, or not at all; raises BadKey and, for a full disk, OSError."""
        path = self._path(key)
        made = _make_folders(path.parent)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
        for folder in [path.parent, *made]:  # a rename is durable only once the folders above it are
            _sync(folder)

    def _path(self, key: str) -> Path:
        """Names that begin with a dot are refused too: that is `..`, and what a temporary file may not be."""
        if not _KEY.fullmatch(key):
            raise BadKey(repr(key))
        path = self.root / key
        if not path.resolve().is_relative_to(self.root.resolve()):  # a link that leads out
            raise BadKey(repr(key))
        return path


def from_environment() -> FileStorage:
    """Return the storage that the environment names; raises KeyError without TELEDER_MEDIA_ROOT."""
    return FileStorage(Path(os.environ["TELEDER_MEDIA_ROOT"]))


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder with those above it; return the folders that got a new entry."""
    missing = [path for path in [folder, *folder.parents] if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return [path.parent for path in missing]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
