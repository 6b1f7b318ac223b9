"""A message that cannot be parsed is dropped, and does not end the worker.

Celery 5.7 foresees a body that is no JSON, and little else. A body that is a number or is nested a hundred thousand deep,
headers of wrong types, and bytes in the queue that are no message at all raise in the parent process. It ends, a message
that was not acknowledged is given to the next process, and one such message stops the queue for good.
celery#4308, #7975, kombu#2421; not fixed as of Celery and kombu 5.7.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.bootsteps import ConsumerStep
from kombu.transport import redis

log = logging.getLogger(__name__)

# What data of the wrong form raise; a lost connection or a broken pool is another matter.
DATA_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
NUMBERS = (int, float, type(None))


class DropUnreadable(ConsumerStep):
    def start(self, consumer: Any) -> None:
        make_handler = type(consumer).create_task_handler
        consumer.create_task_handler = lambda: _dropping(make_handler(consumer))

    def stop(self, consumer: Any) -> None:
        """Nothing has to end."""


def install(app: Celery) -> None:
    """Let the workers of this app survive what they cannot read."""
    app.steps["consumer"].add(DropUnreadable)
    redis.Channel._brpop_read = _read_or_drop


def _dropping(handle: Callable) -> Callable:
    """Return Celery's handler of a message, with a check of what it finds out too late, and without its crashes.

    Celery finds time limits of wrong types out when a child's place is taken already, and never frees that place.
    """

    @functools.wraps(handle)
    def handled(message: Any) -> Any:
        try:
            limits = message.headers.get("timelimit")
            if limits is not None and (
                not isinstance(limits, list | tuple)
                or [type(each) in NUMBERS for each in limits] != [True, True]
            ):
                raise ValueError("time limits")
            return handle(message)
        except DATA_ERRORS as error:
            log.error("dropped a message that cannot be read (%s)", type(error).__name__)
            if hasattr(message, "reject") and not message.acknowledged:
                message.reject()

    return handled


_read = redis.Channel._brpop_read


def _read_or_drop(channel: redis.Channel, **options: Any) -> bool | None:
    """Read a message; drop what has not even the form of one."""
    taken = set(channel.qos._delivered)
    try:
        return _read(channel, **options)
    except DATA_ERRORS as error:
        log.error("dropped a message that cannot be read (%s)", type(error).__name__)
        for tag in set(channel.qos._delivered) - taken:
            channel.basic_reject(tag, requeue=False)
        return True
