"""Objects in a bucket of any server that speaks S3 (AWS, MinIO, SeaweedFS, Ceph), by obstore.

A PUT is atomic and durable once it is answered, and signed with the hash of its bytes: half a body is refused by the
server. Objects are sent in one request each (S3 takes 5 GB in one), never in parts that could be left over.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any

from contract.storage.base import (
    CHUNK_BYTES,
    Entry,
    FileMissingError,
    KeyExistsError,
    OpenFile,
    Storage,
    StorageFullError,
    StorageKeyError,
    StorageUnavailableError,
    check_key,
    check_listed_key,
)

# A server that does not answer must be noticed well within a task's soft limit (20 s), and before a person gives up.
CONNECT_SECONDS, STALL_SECONDS, REQUEST_SECONDS = 2, 6, 60
RETRIES, RETRY_SECONDS = 2, 5
DELETE_AT_ONCE = 1000
# Codes of the error's XML, as AWS, MinIO and others name a full disk or quota.
FULL = {"XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "InsufficientCapacity"}
_process: int | None = None  # the one that has used obstore, whose threads do not survive a fork


@dataclass(frozen=True)
class S3Storage(Storage):
    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    # Without both, obstore looks for AWS's own: AWS_* variables, the role of the machine or container.
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def open(self, key: str, start: int = 0, stop: int | None = None) -> OpenFile:
        part: dict[str, Any] = {}
        if stop is not None:
            part = {"range": (start, max(start, stop))}
        elif start:
            part = {"range": {"offset": start}}
        if stop is not None and stop <= start:  # S3 has no empty ranges
            return OpenFile(self.size(key), iter(()))
        try:
            with _errors():
                found = self._client().get(check_key(key), options=part)
        except _OutOfRangeError:
            return OpenFile(self.size(key), iter(()))

        def chunks() -> Iterator[bytes]:
            with _errors():
                yield from found.stream(min_chunk_size=CHUNK_BYTES)

        return OpenFile(found.meta["size"], reading := chunks(), reading.close)

    def size(self, key: str) -> int:
        with _errors():
            return self._client().head(check_key(key))["size"]

    def write(self, key: str, content: bytes) -> None:
        with _errors():
            self._client().put(check_key(key), content, use_multipart=False)

    def create(self, key: str, content: bytes | Iterable[bytes]) -> None:
        if not isinstance(content, bytes):
            content = b"".join(content)  # one request: it appears whole or not at all
        # Never repeated: a second request could meet the first one's object, and call our own work another's.
        with _errors():
            self._client(retries=0).put(check_key(key), content, mode="create", use_multipart=False)

    def list(self, prefix: str) -> Iterator[Entry]:
        with _errors():
            for rows in self._client().list(check_key(prefix)):
                yield from (Entry(row["path"], row["size"], row["last_modified"].timestamp()) for row in rows)

    def delete(self, key: str) -> None:
        self._delete([check_listed_key(key)])

    def delete_all(self, prefix: str) -> None:
        keys = (entry.key for entry in self.list(prefix))
        while some := list(islice(keys, DELETE_AT_ONCE)):
            self._delete(some)

    def _delete(self, keys: list[str]) -> None:
        try:
            with _errors():
                self._client().delete(keys)
        except FileMissingError:
            pass

    def _client(self, retries: int = RETRIES) -> Any:
        global _process
        if _process not in (None, os.getpid()):
            raise StorageUnavailableError("S3 was used before this process was forked: start it by exec")
        _process = os.getpid()
        return _client(self, retries)


@functools.lru_cache(maxsize=8)
def _client(storage: S3Storage, retries: int) -> Any:
    from obstore.store import S3Store

    keys = {"access_key_id": storage.access_key, "secret_access_key": storage.secret_key}
    return S3Store(
        storage.bucket,
        prefix=storage.prefix or None,
        region=storage.region,
        **({"endpoint": storage.endpoint} if storage.endpoint else {}),
        **(keys if storage.access_key else {}),
        client_options={
            "allow_http": storage.endpoint.startswith("http:"),
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "read_timeout": timedelta(seconds=STALL_SECONDS),
            "timeout": timedelta(seconds=REQUEST_SECONDS),
        },
        retry_config={"max_retries": retries, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
    )


class _OutOfRangeError(StorageUnavailableError):
    """The range lies behind the end of the object."""


@contextmanager
def _errors() -> Iterator[None]:
    """Map obstore's errors. Their text names the request, so none of it goes on but the server's code."""
    from obstore import exceptions

    try:
        yield
    except (FileNotFoundError, exceptions.BaseError, ValueError) as error:
        found = re.search(r"<Code>(\w{1,60})</Code>", str(error))
        code = found[1] if found else type(error).__name__
        if isinstance(error, FileNotFoundError) and code != "NoSuchBucket":
            raise FileMissingError(code) from None
        if isinstance(error, exceptions.AlreadyExistsError):
            raise KeyExistsError(code) from None
        if isinstance(error, exceptions.InvalidPathError):
            raise StorageKeyError(code) from None
        if code == "InvalidRange":
            raise _OutOfRangeError(code) from None
        if code in FULL:
            raise StorageFullError(code) from None
        raise StorageUnavailableError(code) from None
