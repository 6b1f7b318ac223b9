"""Valkey, which only carries messages: the mark that shows whether it lost them, and what has to be removed from it."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Collection
from uuid import UUID

import redis
from django.conf import settings

from contract import messages, messaging
from teleder.cases.models import Job
from teleder.pipeline.transitions import UNDER_WAY

log = logging.getLogger(__name__)

RESULTS_QUEUES = (messages.RESULTS_QUEUE, messages.WEB_QUEUE)
LOOKED_AT = 1000  # messages of a list; the window is much smaller
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


def drop_ended_messages() -> int:
    """Remove what workers would drop unread, because its attempt is over: it would count as a message that waits for its turn.

    Only the sweeper may. Return how many; never raises because the broker is away.
    """
    broker = messaging.client(settings.REDIS_URL, "request")
    keys = [key for queue in messages.QUEUES.values() for key in messaging.lists_of(queue).values()]
    try:
        with broker.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.llen(key)
            filled = [key for key, length in zip(keys, pipe.execute(), strict=True) if length]
        found = [(key, raw, _attempts(raw)) for key in filled for raw in broker.lrange(key, 0, LOOKED_AT - 1)]
        jobs = {job for _key, _raw, attempts in found for job, _attempt in attempts}
        rows = (
            Job.objects.filter(pk__in=jobs, state__in=UNDER_WAY).values_list("pk", "attempt") if jobs else ()
        )
        awaited = {(str(job), attempt) for job, attempt in rows}
        ended = [(key, raw) for key, raw, attempts in found if attempts and not attempts & awaited]
        return sum(broker.lrem(key, 1, raw) for key, raw in ended)
    except redis.RedisError as error:
        log.warning("broker unreachable (%s)", type(error).__name__)
        return 0


def _attempts(raw: bytes) -> set[tuple[str, int]]:
    """Return the attempts that a message asks for; none where it cannot be read: workers may write to these queues, too."""
    try:
        _positional, named, _options = json.loads(base64.b64decode(json.loads(raw)["body"]))
        return {(str(UUID(row["job"])), int(row["attempt"])) for row in named["requests"]}
    except (AttributeError, KeyError, TypeError, ValueError):
        return set()


def _names(raw: bytes, ids: Collection[str]) -> bool:
    """Whether a message in kombu's format contains one of the ids, in its headers or in its body (base64)."""
    message = json.loads(raw)
    message = message[0] if isinstance(message, list) else message
    text = json.dumps(message) + base64.b64decode(message["body"]).decode(errors="replace")
    return any(id in text for id in ids)
