from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from contract import messages, messaging
from contract.messages import Stage


def depth(valkey: redis.Redis, stage: Stage) -> int:
    """How many messages of a stage lie in Valkey."""
    return sum(map(valkey.llen, messaging.lists_of(messages.QUEUES[stage]).values()))


def receive_all(valkey: redis.Redis, stages: tuple[Stage, ...] = tuple(Stage)) -> None:
    """Take all messages of these stages out of Valkey, as workers do."""
    for stage in stages:
        valkey.delete(*messaging.lists_of(messages.QUEUES[stage]).values())


def received(valkey: redis.Redis, stage: Stage) -> Iterator[dict[str, Any]]:
    """Yield the messages of a stage as a worker takes them: list after list, the oldest first."""
    lists = list(messaging.lists_of(messages.QUEUES[stage]).values())
    while found := valkey.brpop(lists, timeout=0.01):
        _args, kwargs, _embedded = json.loads(base64.b64decode(json.loads(found[1])["body"]))
        yield kwargs


@pytest.fixture
def valkey(settings) -> Iterator[redis.Redis]:
    """Valkey with every queue of the workers empty."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    receive_all(client)
    yield client
    receive_all(client)
