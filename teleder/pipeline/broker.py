"""Valkey, which only carries messages: the mark that shows whether it lost them, and what has to be removed from it."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection

from django.conf import settings

from contract import messages, messaging

RESULTS_QUEUES = (messages.RESULTS_QUEUE, messages.WEB_QUEUE)
BROKER_MARK = "teleder.mark"  # missing: the broker has lost everything


def forget_messages(ids: Collection[str]) -> int:
    """Remove every message that names one of these ids from the broker; return how many.

    Other jobs of such a message time out and are sent again. Raises `RedisError`.
    """
    broker, found = messaging.client(settings.REDIS_URL, "request"), 0
    requests = [key for queue in messages.QUEUES.values() for key in messaging.lists_of(queue).values()]
    for key in [*requests, *messages.OLDER_QUEUES, *RESULTS_QUEUES]:
        naming = [raw for raw in broker.lrange(key, 0, -1) if _names(raw, ids)]
        found += sum(broker.lrem(key, 1, raw) for raw in naming)
    for names in messaging.UNACKNOWLEDGED.values():
        for tag, raw in list(broker.hscan_iter(names["unacked_key"])):
            if _names(raw, ids):
                found += broker.hdel(names["unacked_key"], tag)
                broker.zrem(names["unacked_index_key"], tag)
    return found


def _names(raw: bytes, ids: Collection[str]) -> bool:
    """Whether a message in kombu's format contains one of the ids, in its headers or in its body (base64)."""
    message = json.loads(raw)
    message = message[0] if isinstance(message, list) else message
    text = json.dumps(message) + base64.b64decode(message["body"]).decode(errors="replace")
    return any(id in text for id in ids)
