from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from contract import messages


@pytest.fixture
def valkey(settings) -> Iterator[redis.Redis]:
    """Valkey with every queue of the workers empty."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(*messages.QUEUES.values())
    yield client
    client.delete(*messages.QUEUES.values())
