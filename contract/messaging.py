"""Every connection to Valkey: time-outs, roles and Celery's settings.

Both Celery apps use it for JSON and queues only, and run no script in it.
`docker/valkey.conf` gives each role the rights that this needs and no more.
"""

from __future__ import annotations

import functools
import gc
import threading
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, NamedTuple

import redis
from celery.signals import worker_before_create_process
from kombu import Queue
from kombu.transport.redis import Channel
from redis.backoff import NoBackoff
from redis.retry import Retry

from contract import celery_fixes, heartbeat

SETTINGS = {
    "accept_content": ["json"],
    "task_serializer": "json",
    "result_serializer": "json",
    "event_serializer": "json",
    # Who may ask a worker how it is may also tell it to stop (celery's `inspect` and `control` are one right).
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    "task_send_sent_event": False,
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_reject_on_worker_lost": False,  # True repeats for ever a task that kills its process (celery#9082)
    "worker_prefetch_multiplier": 1,
    "worker_proc_alive_timeout": 10,  # by default a child is ended that a busy machine does not start within 4 s
    "broker_connection_retry_on_startup": True,
    "worker_redirect_stdouts": False,  # it would log what others print, word for word
}


def queue(name: str) -> Queue:
    """Return a queue that is used without being declared.

    kombu declares a queue by writing tables of bindings. Nothing here is routed by them, and who may write them may
    send others' messages elsewhere.
    """
    return Queue(name, no_declare=True)


class Turn(IntEnum):
    """Which messages of a queue a worker takes first: kombu's priorities, each of which is a list of its own.

    Within one urgency those go first whose message was lost, or waited until it expired: later photos do not overtake.
    """

    URGENT_AGAIN = 0
    URGENT = 3
    AGAIN = 6
    ROUTINE = 9


def lists_of(name: str) -> dict[Turn, str]:
    """Return the lists in Valkey that make up a queue, in the order in which a worker takes from them."""
    return {turn: f"{name}{Channel.sep}{turn.value}" if turn else name for turn in Turn}


# kombu's options that name the keys of what a role has taken and not yet acknowledged. One key for each role: by
# kombu's default all consumers share them, and each could read what others have taken.
UNACKNOWLEDGED = {
    role: {
        "unacked_key": f"unacked.{role}",
        "unacked_index_key": f"unacked.{role}.index",
        "unacked_mutex_key": f"unacked.{role}.mutex",
    }
    for role in ("worker", "results")
}


class Timeouts(NamedTuple):
    """How long a connection waits, in seconds, and how often a command is repeated when its connection was closed."""

    connect_seconds: float
    answer_seconds: float
    retries: int = 0


# Every connection to Valkey serves one of these purposes. A page or API request must not wait for a Valkey that is away.
TIMEOUTS = {
    "request": Timeouts(0.5, 0.5),  # queue lengths, and the sweeper's mark
    "cache": Timeouts(
        0.3, 0.3, retries=1
    ),  # rate limits; a restart of Valkey closes the connections in the pool
    "erasure": Timeouts(5, 5, retries=1),  # reads all keys
    "results": Timeouts(0.5, 30),  # the web's Celery app: sends within requests, too
    "worker": Timeouts(5, 30),  # the inference worker's Celery app
}


_CLIENTS = threading.Lock()


def connection_options(purpose: str) -> dict[str, Any]:
    """Return the options of redis-py for connections of this purpose, see TIMEOUTS."""
    timeouts = TIMEOUTS[purpose]
    return {
        "socket_connect_timeout": timeouts.connect_seconds,
        "socket_timeout": timeouts.answer_seconds,
        "retry": Retry(NoBackoff(), timeouts.retries, (redis.ConnectionError,)),
    }


def client(url: str, purpose: str) -> redis.Redis:
    """Return the client of this process for this purpose; it connects with its first command.

    The cache alone would make two for two threads that ask first at the same time. The one it does not keep is collected,
    and then closes its connections under whoever still uses them: `ValueError` in the middle of a command.
    """
    with _CLIENTS:
        return _client(url, purpose)


@functools.cache
def _client(url: str, purpose: str) -> redis.Redis:
    return redis.Redis.from_url(url, **connection_options(purpose))


def configure(app: Any, role: str, *, queues: Iterable[str], visibility_timeout: int, **options: Any) -> None:
    """Set up a Celery app as a role of Valkey that takes from these queues; `options` are more of the transport's.

    `visibility_timeout`, in seconds, is longer than the longest task: what a lost worker held is then given out again.
    """
    timeouts = TIMEOUTS[role]
    app.conf.update(
        SETTINGS,
        task_queues=[queue(name) for name in queues],
        broker_transport_options={
            "visibility_timeout": visibility_timeout,
            "socket_connect_timeout": timeouts.connect_seconds,
            "socket_timeout": timeouts.answer_seconds,
            "socket_keepalive": True,
            **options,
            **UNACKNOWLEDGED[role],
        },
    )
    celery_fixes.install(app)
    heartbeat.install(app)
    worker_before_create_process.connect(_keep_shared)


def _keep_shared(**_signal: Any) -> None:
    """Let garbage collection leave alone what a child shares with its parent: its marks would copy all of it, in both."""
    gc.freeze()
