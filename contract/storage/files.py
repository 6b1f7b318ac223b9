"""Files below a folder: durable once a write returns, and no symbolic link is followed below the root.

A worker may write below the root, so one that was taken over may put links, pipes and folders there. Each folder on the
way to a file is therefore opened by itself, relative to the one above it (`openat`), never by a whole path.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from contract.storage.base import (
    CHUNK_BYTES,
    Entry,
    FileMissingError,
    KeyExistsError,
    OpenFile,
    Storage,
    StorageError,
    StorageFullError,
    StorageKeyError,
    StorageUnavailableError,
    check_key,
    check_listed_key,
)

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_ROOT = os.O_RDONLY | os.O_DIRECTORY
_FOLDER = _ROOT | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe in place of a file must not hold up its reader
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


@dataclass(frozen=True)
class FileStorage(Storage):
    root: Path

    def __str__(self) -> str:
        return f"file://{self.root}"

    def open(self, key: str, start: int = 0, stop: int | None = None) -> OpenFile:
        with _errors(), self._folders(check_key(key)) as folders:
            descriptor = os.open(key.rpartition("/")[2], _FILE, dir_fd=folders[-1])
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise FileMissingError(key)
        file = os.fdopen(descriptor, "rb")
        stop = found.st_size if stop is None else stop

        def chunks() -> Iterator[bytes]:
            file.seek(start)
            while (left := stop - file.tell()) > 0 and (chunk := file.read(min(left, CHUNK_BYTES))):
                yield chunk

        return OpenFile(found.st_size, chunks(), file.close)

    def size(self, key: str) -> int:
        with self.open(key) as file:
            return file.size

    def write(self, key: str, content: bytes) -> None:
        with self._written(key, content) as (temporary, name, folder):
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)

    def create(self, key: str, content: bytes | Iterable[bytes]) -> None:
        with self._written(key, content) as (temporary, name, folder):
            try:
                os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError:
                raise KeyExistsError(key) from None
            os.unlink(temporary, dir_fd=folder)

    @contextmanager
    def _written(self, key: str, content: bytes | Iterable[bytes]) -> Iterator[tuple[str, str, int]]:
        """Yield (temporary file, final name, their folder) with the content on the disk; make its name durable after."""
        name = check_key(key).rpartition("/")[2]
        with _errors(), self._folders(key, make=True) as folders:
            temporary = f"tmp{secrets.token_hex(8)}"  # back-ups leave tmp* out
            handle = os.open(temporary, _NEW, 0o600, dir_fd=folders[-1])
            try:
                with os.fdopen(handle, "wb") as file:
                    file.writelines([content] if isinstance(content, bytes) else content)
                    file.flush()
                    os.fsync(file.fileno())
                yield temporary, name, folders[-1]
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=folders[-1])
                raise
            # A name is durable only once its folder is, and that folder's name in the one above. All of them, also
            # those that were there: another process may have made them a moment ago, and not have come that far.
            for folder in reversed(folders):
                os.fsync(folder)

    def list(self, prefix: str) -> Iterator[Entry]:
        try:
            with _errors(), self._folders(f"{check_key(prefix)}/below") as folders:
                for place, inner, names, folder in os.fwalk(".", dir_fd=folders[-1], onerror=_raise):
                    above = os.path.normpath(f"{prefix}/{place}")
                    for name in [*names, *inner]:
                        with suppress(FileNotFoundError):
                            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                            if not stat.S_ISDIR(found.st_mode):
                                yield Entry(f"{above}/{name}", found.st_size, found.st_mtime)
        except FileMissingError:  # the prefix itself
            return

    def delete(self, key: str) -> None:
        with suppress(FileMissingError), _errors(), self._folders(check_listed_key(key)) as folders:
            os.unlink(key.rpartition("/")[2], dir_fd=folders[-1])

    def delete_all(self, prefix: str) -> None:
        name = check_key(prefix).rpartition("/")[2]
        with suppress(FileMissingError), _errors(), self._folders(prefix) as folders:
            if stat.S_ISDIR(os.stat(name, dir_fd=folders[-1], follow_symlinks=False).st_mode):
                shutil.rmtree(name, dir_fd=folders[-1])
            else:
                os.unlink(name, dir_fd=folders[-1])

    @contextmanager
    def _folders(self, key: str, *, make: bool = False) -> Iterator[list[int]]:
        """Open the root and each folder of the key, the innermost last; raises FileMissingError, StorageKeyError."""
        with ExitStack() as opened:
            if make and not self.root.exists():
                self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
                opened.callback(os.close, above := os.open(self.root.parent, _ROOT))
                os.fsync(above)
            try:
                folders = [os.open(self.root, _ROOT)]
            except OSError as error:  # a disk that is not mounted has lost no file
                raise StorageUnavailableError(f"the root: {type(error).__name__}") from error
            opened.callback(os.close, folders[0])
            for name in key.split("/")[:-1]:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(name, 0o700, dir_fd=folders[-1])
                try:
                    folders.append(os.open(name, _FOLDER, dir_fd=folders[-1]))
                except NotADirectoryError:
                    found = os.stat(name, dir_fd=folders[-1], follow_symlinks=False)
                    if make or stat.S_ISLNK(found.st_mode):
                        raise StorageKeyError("a link or a file in place of a folder") from None
                    raise FileMissingError(key) from None
                opened.callback(os.close, folders[-1])
            yield folders


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except (FileNotFoundError, IsADirectoryError) as error:
        raise FileMissingError(type(error).__name__) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StorageKeyError("a link in place of a file") from error
        if error.errno in DISK_FULL:
            raise StorageFullError("no space left") from error
        raise StorageUnavailableError(type(error).__name__) from error


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # a folder that was removed while we looked
        raise error
