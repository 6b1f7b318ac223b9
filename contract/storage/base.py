"""What every storage does, the form of a key, and the errors."""

from __future__ import annotations

import hashlib
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
KEY_LETTERS = 512
CHUNK_BYTES = 64 * 1024
PROBE_BYTES = 4096
MARK = "teleder-storage"  # the key of a file that names the installation whose photos are here


class StorageError(OSError):
    """A storage did not do what it was asked; the message holds no secret and nothing of a person."""


class StorageKeyError(StorageError):
    """The key does not name a file of this storage."""


class FileMissingError(StorageError):
    """No file has this key."""


class FileDamagedError(StorageError):
    """The file is not the one that was written: bytes were changed, or it is another one."""


class KeyExistsError(StorageError):
    """A file has this key already."""


class StorageFullError(StorageError):
    """No space is left."""


class StorageUnavailableError(StorageError):
    """The storage does not answer, or refuses us; whether a write was done is not known."""


class StorageSettingError(ValueError):
    """The environment names no storage that can be used; the message says what to do."""


def check_key(key: str) -> str:
    """Return the key. Raises StorageKeyError for a part that begins with a dot (`..` is one), and for odd letters."""
    if len(key) > KEY_LETTERS or not _KEY.fullmatch(key):
        raise StorageKeyError("a key of another form")
    return key


def check_listed_key(key: str) -> str:
    """Return a key as `list` yields it: of any letters, as others may have put files there, but below the root."""
    if {"", ".", ".."} & set(key.split("/")) or "\x00" in key:
        raise StorageKeyError("a key of another form")
    return key


def is_same(content: bytes, sha256: str) -> bool:
    """Whether this is the file with that hash; "" is the hash of a file of which none is known."""
    return not sha256 or hashlib.sha256(content).hexdigest() == sha256


@dataclass(frozen=True)
class Entry:
    """A stored file; `modified` in seconds since 1970."""

    key: str
    size: int
    modified: float


class OpenFile:
    """Bytes of a stored file as they are read. `size` is that of the whole file, also where a part is read."""

    def __init__(self, size: int, chunks: Iterator[bytes], close: Callable[[], None] = lambda: None) -> None:
        self.size, self._chunks, self._close, self._rest = size, chunks, close, memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes: all of them, or `size` at most; nothing at the end. Raises StorageUnavailableError."""
        if size < 0:
            return bytes(self._rest) + b"".join(self._chunks)
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        piece, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return piece

    def close(self) -> None:
        self._close()

    def __enter__(self) -> OpenFile:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class Storage(ABC):
    """Files by key below one root.

    Keys are the same in every storage: `photos/<photo>/original/<sha256>`, `photos/<photo>/<stage>/<attempt>/<name>`.
    Every method may raise StorageKeyError and StorageUnavailableError. Two storages are equal where they are one place.
    """

    @abstractmethod
    def open(self, key: str, start: int = 0, stop: int | None = None) -> OpenFile:
        """Open the bytes from `start` up to `stop`, as far as there are any. Raises FileMissingError."""

    @abstractmethod
    def size(self, key: str) -> int:
        """Return the bytes of a file. Raises FileMissingError."""

    @abstractmethod
    def write(self, key: str, content: bytes) -> None:
        """Let the file appear whole and durable in place of what has the key, or not at all. Raises StorageFullError."""

    @abstractmethod
    def create(self, key: str, content: bytes | Iterable[bytes]) -> None:
        """As `write`, but only where nothing has the key; of several callers one wins. Raises KeyExistsError, too.

        What an iterable raises is raised, and nothing is stored.
        """

    @abstractmethod
    def list(self, prefix: str) -> Iterator[Entry]:
        """Yield all that is below a prefix ("photos", "photos/<photo>"), one after another, without reading it.

        Others may have put there what is no file of ours: a link, a name of another form. It is listed, can be deleted
        and cannot be opened.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove a file or what else `list` yields; no error where it is not there."""

    @abstractmethod
    def delete_all(self, prefix: str) -> None:
        """Remove all that is below a prefix, and the prefix with it; no error where it is not there."""

    def read(self, key: str, limit: int | None = None) -> bytes:
        """Return the bytes of a file, `limit` of them at most. Raises FileMissingError."""
        with self.open(key, 0, limit) as file:
            return file.read()

    def mark(self) -> str:
        """Return the id that `manage.py init_storage` wrote here; nothing where it did not, as where a disk is not mounted."""
        try:
            return self.read(MARK, limit=64).decode("ascii", "replace").strip()
        except FileMissingError:
            return ""

    def read_same(self, key: str, sha256: str) -> bytes:
        """Return the whole file. Raises FileDamagedError where its hash is another; "" stands for one that is not known.

        Where the mark is missing too, no file was lost: StorageUnavailableError is raised, not FileMissingError.
        """
        try:
            content = self.read(key)
        except FileMissingError:
            if self.mark():
                raise
            raise StorageUnavailableError("no mark of ours: is the disk mounted?") from None
        if not is_same(content, sha256):
            raise FileDamagedError(key)
        return content

    def write_hashed(self, key: str, content: bytes) -> str:
        """As `write`; return the SHA-256 by which `read_same` knows the file again."""
        self.write(key, content)
        return hashlib.sha256(content).hexdigest()

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except FileMissingError:
            return False
        return True

    def check(self) -> None:
        """Write a small file as an upload does and remove it. Raises StorageError where no photo could be stored."""
        key = f"photos/probe-{uuid.uuid4()}"
        try:
            self.create(key, bytes(PROBE_BYTES))
        finally:
            self.delete(key)
