"""Gives messages of a lost worker out again without a Lua script in Valkey.

kombu guards `restore_visible` with a lock that it releases by a script (`kombu.transport.redis.Mutex`). Whoever may run
scripts can stop the server with one that never ends, so that no role of ours may.
Not fixed as of kombu 5.7; there is no upstream issue.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from kombu.transport import redis as transport


@contextmanager
def _lock(client: redis.Redis, name: str, expire: int) -> Iterator[None]:
    """Hold the lock for `expire` seconds at most. Raises `MutexHeld`.

    Where it has expired in between, two restore at once, and the transaction in which each message is restored lets one
    of them win.
    """
    if not client.set(name, 1, nx=True, ex=expire):
        raise transport.MutexHeld
    try:
        yield
    finally:
        client.delete(name)


def install(_app: Any) -> None:
    transport.Mutex = _lock
