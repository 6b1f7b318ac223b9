"""How both Celery apps use Valkey: JSON only, nothing but queues, and no script.

`docker/valkey.conf` gives each role the rights that this needs and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from kombu import Queue
from kombu.transport import redis as transport

from contract.celery_fixes import unreadable

SETTINGS = {
    "accept_content": ["json"],
    "task_serializer": "json",
    "result_serializer": "json",
    "event_serializer": "json",
    # Who may ask a worker how it is may also tell it to stop (celery's `inspect` and `control` are one right).
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    "task_send_sent_event": False,
}


def queue(name: str) -> Queue:
    """Return a queue that is used without being declared.

    kombu declares a queue by writing tables of bindings. Nothing here is routed by them, and who may write them may
    send others' messages elsewhere.
    """
    return Queue(name, no_declare=True)


def unacknowledged(role: str) -> dict[str, str]:
    """Return kombu's options that name the keys of what a role has taken and not yet acknowledged.

    One key for each role: by kombu's default all consumers share them, and each could read what others have taken.
    """
    key = f"unacked.{role}"
    return {"unacked_key": key, "unacked_index_key": f"{key}.index", "unacked_mutex_key": f"{key}.mutex"}


UNACKNOWLEDGED = {role: unacknowledged(role) for role in ("worker", "results")}


@contextmanager
def _mutex(client: redis.Redis, name: str, expire: int) -> Iterator[None]:
    """Hold kombu's lock of `restore_visible` without its Lua script. Raises `MutexHeld`.

    Who may run scripts can stop the server with one that never ends. Where the lock has expired in between, two restore at
    once, and the transaction in which each message is restored lets one of them win.
    """
    if not client.set(name, 1, nx=True, ex=expire):
        raise transport.MutexHeld
    try:
        yield
    finally:
        client.delete(name)


def configure(app: Any, role: str, **options: Any) -> None:
    """Set up a Celery app as a role of Valkey; `options` are more of the transport's."""
    transport.Mutex = _mutex
    unreadable.drop(app)
    app.conf.update(SETTINGS, broker_transport_options=options | UNACKNOWLEDGED[role])
