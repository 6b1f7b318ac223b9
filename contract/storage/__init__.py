"""Where the bytes of photos are kept: `TELEDER_STORAGE` names one storage, web and workers use it by `Storage` alone.

- `base.py`: the class `Storage` that each storage implements, the form of a key, and the errors.
- `files.py`: `FileStorage`, `file:///absolute/folder`.
- `s3.py`: `S3Storage`, `s3://bucket/prefix`, any server that speaks S3.

To add a storage:
1. Write a subclass of `Storage` in a file beside these. Its docstrings say what each method promises; map every error of
   the library to one of `base.py`. Two objects of one place are equal and `str` holds no secret: write a frozen dataclass as
   `S3Storage` is. Set time-outs: a storage that hangs must become an error. Import the library inside the methods.
2. Add its scheme to `_SCHEMES` below, and an example of its address to `EXAMPLES`; settings come from the environment, secrets
   by `environment.secret`. Add the names of its secrets to `SECRET_NAMES`: a worker removes these from its environment
   before it decodes untrusted files.
3. Add a server of it to the fixture `storage` in tests/conftest.py, and its settings to `environment` in tests/live/test_storages.py:
   the whole test set (tests/storage) and a photo from upload to answer then run against it.
4. Add its package to pyproject.toml (`dependencies` and the extra `inference`; then `./run lock`), its settings to docker-compose.yml, .env.example,
   deploy/kubernetes and docs/running.md, "Storage of photos".
Keys, encryption and `manage.py move_storage` are the same for every storage.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, unquote

from contract.environment import address, secret
from contract.storage.base import (
    MARK,
    Entry,
    FileDamagedError,
    FileMissingError,
    KeyExistsError,
    OpenFile,
    Storage,
    StorageError,
    StorageFullError,
    StorageKeyError,
    StorageSettingError,
    StorageUnavailableError,
    is_same,
)
from contract.storage.files import FileStorage
from contract.storage.s3 import S3Storage

__all__ = [
    "MARK",
    "Entry",
    "FileDamagedError",
    "FileMissingError",
    "FileStorage",
    "KeyExistsError",
    "OpenFile",
    "S3Storage",
    "Storage",
    "StorageError",
    "StorageFullError",
    "StorageKeyError",
    "StorageSettingError",
    "StorageUnavailableError",
    "from_environment",
    "from_url",
    "is_same",
]

NAME = "TELEDER_STORAGE"
FORMER_NAME = "TELEDER_MEDIA_ROOT"  # of the versions that had no other storage than a folder
EXAMPLES = "file:///folder or s3://bucket/prefix"
_S3_KEYS = ("TELEDER_S3_ACCESS_KEY", "TELEDER_S3_SECRET_KEY")
SECRET_NAMES = (*_S3_KEYS,)


def from_environment(default: str = "") -> Storage:
    """Return the storage that TELEDER_STORAGE names. Raises StorageSettingError, InvalidSettingError."""
    url, former = os.environ.get(NAME, ""), os.environ.get(FORMER_NAME, "")
    if former and (not url or from_url(url) != FileStorage(Path(former))):
        # Silently using another folder would hide every photo that is there.
        raise StorageSettingError(
            f"{FORMER_NAME} is no longer read. Take it out and set {NAME}=file://{former} (an absolute path)"
            + (f"; now {NAME} names another place." if url else ".")
        )
    if not (url or default):
        raise StorageSettingError(f"{NAME} is not set: {EXAMPLES}")
    return from_url(url or default)


def from_url(url: str) -> Storage:
    """Return the storage of `file:///folder` or `s3://bucket/prefix`. Raises StorageSettingError, InvalidSettingError."""
    parts = address(NAME, url)
    if parts.scheme not in _SCHEMES or parts.query or parts.fragment or "@" in parts.netloc:
        raise StorageSettingError(f"{NAME} must be {EXAMPLES}, without a password")
    return _SCHEMES[parts.scheme](parts)


def _files(parts: SplitResult) -> FileStorage:
    path = Path(unquote(parts.path))
    if parts.netloc or not path.is_absolute() or path == Path("/"):
        raise StorageSettingError(f"{NAME}: file:// needs an absolute folder, as in file:///srv/photos")
    return FileStorage(path)


def _s3(parts: SplitResult) -> S3Storage:
    """The server and its keys come from TELEDER_S3_ENDPOINT, _REGION, _ACCESS_KEY, _SECRET_KEY and _PLAIN_HTTP."""
    endpoint = os.environ.get("TELEDER_S3_ENDPOINT", "").rstrip("/")
    access_key, secret_key = (secret(name) for name in _S3_KEYS)
    if not parts.netloc or bool(access_key) != bool(secret_key):
        raise StorageSettingError(f"{NAME}: s3:// needs a bucket, and both of {' and '.join(_S3_KEYS)}")
    server = address("TELEDER_S3_ENDPOINT", endpoint)
    is_plain = server.scheme == "http"
    if is_plain and os.environ.get("TELEDER_S3_PLAIN_HTTP") != "1" and server.hostname not in _LOOPBACK:
        raise StorageSettingError(
            "TELEDER_S3_ENDPOINT must be https: photos would cross the network in the clear. "
            "TELEDER_S3_PLAIN_HTTP=1 permits it for a network that is yours alone."
        )
    if endpoint and (server.scheme not in {"http", "https"} or not server.hostname or "@" in server.netloc):
        raise StorageSettingError("TELEDER_S3_ENDPOINT must be the https:// address of the server, no more")
    return S3Storage(
        bucket=parts.netloc,
        prefix=unquote(parts.path).strip("/"),
        endpoint=endpoint,
        region=os.environ.get("TELEDER_S3_REGION") or "us-east-1",
        access_key=access_key,
        secret_key=secret_key,
    )


_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_SCHEMES: dict[str, Callable[[SplitResult], Storage]] = {"file": _files, "s3": _s3}
