"""How often somebody may do something, counted in Valkey for all web processes together.

Where Valkey is gone these limits let everything pass: reading and sending photos go on. What guards log-in is counted in
PostgreSQL (`attempt_counters.py`).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from allauth.core.internal.ratelimit import get_ip
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from contract import logs, messaging
from teleder.accounts.models import User

log = logging.getLogger(__name__)

MINUTE_SECONDS, HOUR_SECONDS = 60, 3600


class JSON:
    """What the cache writes. Not Django's pickle: the workers that read strangers' bytes reach Valkey, too."""

    def dumps(self, value: Any) -> str:
        return json.dumps(value)

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class TooMany(Exception):
    """A limit is reached; `wait` says in how many seconds it is worth trying again."""

    def __init__(self, wait: int, message: str = "") -> None:
        message = message or _("Please wait a little, then try again. Nothing you sent is lost.")
        super().__init__(message)
        self.wait, self.message = wait, message


@dataclass(frozen=True)
class Limit:
    """So many in each window of time; `setting` names the number."""

    name: str
    setting: str
    seconds: int = MINUTE_SECONDS

    @property
    def amount(self) -> int:
        return getattr(settings, self.setting)


ADDRESS = Limit("address", "API_REQUESTS_PER_ADDRESS_PER_MINUTE")
PERSON = Limit("person", "API_REQUESTS_PER_PERSON_PER_MINUTE")
TOKENS = Limit("tokens", "TOKENS_PER_ADDRESS_PER_MINUTE")
UPLOADS = Limit("uploads", "UPLOADS_PER_PATIENT_PER_MINUTE")
SUBMISSIONS = Limit("submissions", "SUBMISSIONS_PER_PATIENT_PER_HOUR", HOUR_SECONDS)
EXPORTS = Limit("exports", "EXPORTS_PER_PATIENT_PER_HOUR", HOUR_SECONDS)


@dataclass(frozen=True)
class Usage:
    limit: Limit
    used: int
    wait: int  # seconds until the window ends

    @property
    def left(self) -> int:
        return max(0, self.limit.amount - self.used)

    @property
    def is_over(self) -> bool:
        return self.used > self.limit.amount


def now() -> float:
    return time.time()


def count(limit: Limit, who: str) -> Usage | None:
    """Count one more; `None` where Valkey does not answer."""
    window, passed = divmod(int(now()), limit.seconds)
    key = f"limit:{limit.name}:{who}:{window}"
    try:
        cache.add(key, 0, 2 * limit.seconds)
        return Usage(limit, cache.incr(key), limit.seconds - passed)
    except ValueError:  # Valkey was emptied between the two: counting begins anew
        return Usage(limit, 1, limit.seconds - passed)
    except RedisError as error:
        log.warning("limits are off, Valkey does not answer: %s", type(error).__name__)
        return None


def address_of(request: HttpRequest) -> str:
    """Return who is counted as one address: for IPv6 the network; what a caller says of itself counts for nothing."""
    return get_ip(request)


def spend(limit: Limit, person: User) -> None:
    """Count one more of a person's. Raises `TooMany`."""
    usage = count(limit, str(person.pk))
    if usage and usage.is_over:
        raise TooMany(usage.wait)


def forget(words: Iterable[str]) -> int:
    """Delete every key of the cache that names one of these ids; return how many. Raises `RedisError`."""
    valkey = messaging.client(settings.CACHES["default"]["LOCATION"], "erasure")
    wanted = [word.encode() for word in words]
    named = [key for key in valkey.scan_iter(count=1000) if any(word in key for word in wanted)]
    return valkey.delete(*named) if named else 0


class Limits:
    """A page for who does something too often (429)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return too_many(request, error.wait, error.message) if isinstance(error, TooMany) else None


def too_many(request: HttpRequest, wait: int = 15 * MINUTE_SECONDS, message: str = "") -> HttpResponse:
    """Answer what a `TooMany` says; allauth calls this without one, and its longest windows are 15 minutes."""
    told = {"refusal": TooMany(wait, message), "trace_id": logs.current("trace")}
    response = render(request, "429.html", told, status=429)
    response["Retry-After"] = str(wait)
    return response
