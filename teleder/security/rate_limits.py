"""Rate limits, counted in Valkey for all web processes together.

Without Valkey these limits let every request pass, so that reading and sending photos continue. The limits on log-in
are counted in PostgreSQL (`attempt_counters.py`).
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


class JSONSerializer:
    """Serialises cached values. Not Django's pickle: workers that read untrusted uploads can write to Valkey."""

    def dumps(self, value: Any) -> str:
        return json.dumps(value)

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class RateLimitedError(Exception):
    """A limit is reached; `wait` is in seconds."""

    def __init__(self, wait: int, message: str = "") -> None:
        message = message or _("Please wait a moment, then try again. Nothing you sent is lost.")
        super().__init__(message)
        self.wait, self.message = wait, message


@dataclass(frozen=True)
class Limit:
    """A number of requests in each window of `seconds`; `setting` names the number."""

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
SHARED = Limit("shared", "SHARED_PAGES_PER_ADDRESS_PER_MINUTE")
DOCUMENTS = Limit("documents", "DOCUMENTS_PER_PATIENT_PER_HOUR", HOUR_SECONDS)
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


def count_request(*counted: tuple[Limit, str]) -> list[Usage] | None:
    """Count one request against each limit of somebody, by one call of Valkey. Returns `None` where it does not answer."""
    seconds, waits = int(now()), []
    calls = messaging.client(settings.CACHES["default"]["LOCATION"], "cache").pipeline(transaction=False)
    for limit, who in counted:
        window, passed = divmod(seconds, limit.seconds)
        key = cache.make_key(f"limit:{limit.name}:{who}:{window}")
        calls.set(key, 0, ex=2 * limit.seconds, nx=True)
        calls.incr(key)
        waits.append(limit.seconds - passed)
    try:
        used = calls.execute()[1::2]
    except RedisError as error:
        log.warning("limits are off, Valkey does not answer: %s", type(error).__name__)
        return None
    return [
        Usage(limit, count, wait) for (limit, _who), count, wait in zip(counted, used, waits, strict=True)
    ]


def client_address(request: HttpRequest) -> str:
    """Return the network address that limits count: for IPv6 its network. Headers of the client are not trusted."""
    return get_ip(request)


def spend(limit: Limit, person: User) -> None:
    """Count one request of a person. Raises `RateLimitedError`."""
    for usage in count_request((limit, str(person.pk))) or ():
        if usage.is_over:
            raise RateLimitedError(usage.wait)


def spend_of_address(limit: Limit, request: HttpRequest) -> None:
    """Count one request of a visitor's network address. Raises `RateLimitedError`."""
    for usage in count_request((limit, client_address(request))) or ():
        if usage.is_over:
            raise RateLimitedError(usage.wait)


def delete_keys_naming(ids: Iterable[str]) -> int:
    """Delete every cache key that contains one of these ids; return how many. Raises `RedisError`."""
    valkey = messaging.client(settings.CACHES["default"]["LOCATION"], "erasure")
    wanted = [each.encode() for each in ids]
    named = [key for key in valkey.scan_iter(count=1000) if any(each in key for each in wanted)]
    return valkey.delete(*named) if named else 0


class RateLimitMiddleware:
    """Answers `RateLimitedError` with a page (429)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return (
            rate_limited_response(request, error.wait, error.message)
            if isinstance(error, RateLimitedError)
            else None
        )


def rate_limited_response(
    request: HttpRequest, wait: int = 15 * MINUTE_SECONDS, message: str = ""
) -> HttpResponse:
    """Return the page of a 429. allauth calls this without a wait; its longest short window is 15 minutes."""
    context = {"refusal": RateLimitedError(wait, message), "trace_id": logs.current("trace")}
    response = render(request, "429.html", context, status=429)
    response["Retry-After"] = str(wait)
    return response
