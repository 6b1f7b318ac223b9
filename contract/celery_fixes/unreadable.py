"""A message that cannot be taken apart is dropped, and does not end the worker.

Celery 5.7 foresees a body that is no JSON, and little else. A body that is a number or is nested a hundred thousand deep,
headers of wrong types, and bytes in the queue that are no message at all raise in the parent process. It ends, a message
that was not acknowledged is given to the next process, and one such message stops the queue for good.
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

# What other people's data make of our code; a connection that is lost, or a pool that is broken, is another matter.
OF_DATA = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class DropUnreadable(ConsumerStep):
    def start(self, consumer: Any) -> None:
        make = type(consumer).create_task_handler
        consumer.create_task_handler = lambda: _dropping(_with_sound_limits(make(consumer)))

    def stop(self, consumer: Any) -> None:
        """Nothing has to end."""


def drop(app: Celery) -> None:
    """Let the workers of this app survive what they cannot read."""
    app.steps["consumer"].add(DropUnreadable)
    redis.Channel._brpop_read = _read_or_drop


def _with_sound_limits(take: Callable) -> Callable:
    """Refuse time limits of wrong types early: Celery finds them out when the child's place is taken, and never frees it."""

    @functools.wraps(take)
    def taken(message: Any) -> Any:
        limits = message.headers.get("timelimit")
        sound = limits is None or [type(each) in (int, float, type(None)) for each in limits] == [True, True]
        if not sound or type(limits) not in (list, tuple, type(None)):
            raise ValueError("time limits")
        return take(message)

    return taken


def _dropping(take: Callable) -> Callable:
    @functools.wraps(take)
    def taken(*arguments: Any) -> Any:
        try:
            return take(*arguments)
        except OF_DATA as error:
            log.error("dropped a message that cannot be read (%s)", type(error).__name__)
            if hasattr(message := arguments[0], "reject") and not message.acknowledged:
                message.reject()

    return taken


_read = redis.Channel._brpop_read


def _read_or_drop(channel: redis.Channel, **options: Any) -> bool | None:
    """Read a message; drop what has not even the form of one."""
    taken = set(channel.qos._delivered)
    try:
        return _read(channel, **options)
    except OF_DATA as error:
        log.error("dropped a message that cannot be read (%s)", type(error).__name__)
        for tag in set(channel.qos._delivered) - taken:
            channel.basic_reject(tag, requeue=False)
        return True
