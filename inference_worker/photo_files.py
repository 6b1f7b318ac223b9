"""Where a worker reads and writes photos, and the keys of the originals: both leave the environment at the start."""

from __future__ import annotations

import functools
import logging
import os
from typing import Any

from celery.signals import worker_init

from contract import encryption, storage

log = logging.getLogger(__name__)


@functools.cache
def photo_keys() -> encryption.Keys:
    return encryption.from_environment()


@worker_init.connect
def take_keys_from_environment(**_signal: Any) -> None:
    """Remove the keys from the environment: the children that decode untrusted files must not get them."""
    try:
        photo_keys()
    except encryption.InvalidKeysError as error:  # a worker that prepares nothing needs none
        log.warning("no photo can be prepared here: %s", error)
    try:
        photo_storage()
    except ValueError as error:  # no stage works without; the text names no secret
        raise SystemExit(str(error)) from None
    for name in (encryption.NAME, *storage.SECRET_NAMES):
        os.environ.pop(name, None)


@functools.cache
def photo_storage() -> storage.Storage:
    """Return the storage of the photos; read once, as the environment loses the keys of S3."""
    return storage.from_environment()
