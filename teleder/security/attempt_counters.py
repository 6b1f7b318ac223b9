"""allauth's rate limits, counted in PostgreSQL: they survive a flush of Valkey, and hold while it is away.

One statement checks and counts, so concurrent processes let exactly as many attempts pass as the limit says. Each
statement commits by itself (no transaction surrounds a request), so a later failure of the request undoes no count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from allauth.core.exceptions import RateLimited
from allauth.core.internal import ratelimit
from allauth.mfa import app_settings as mfa_settings
from allauth.mfa.totp.internal.auth import TOTP
from django.db import connection
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from teleder.accounts.attempts import AttemptCounter

# clock_timestamp(): now() stands still while a statement waits for a lock.
_COUNT = """
    INSERT INTO accounts_attemptcounter AS counter (key, times, expires_at)
    VALUES (%(key)s, ARRAY[clock_timestamp()], clock_timestamp() + %(window)s)
    ON CONFLICT (key) DO UPDATE SET
        times = ARRAY(SELECT t FROM unnest(counter.times) t WHERE t > clock_timestamp() - %(window)s)
                || clock_timestamp(),
        expires_at = clock_timestamp() + %(window)s
    WHERE %(amount)s > (SELECT count(*) FROM unnest(counter.times) t WHERE t > clock_timestamp() - %(window)s)
    RETURNING times[cardinality(times)]
"""
_LOOK = """
    SELECT count(t) FROM accounts_attemptcounter, unnest(times) t
    WHERE key = %(key)s AND t > clock_timestamp() - %(window)s
"""
_GIVE_BACK = """
    UPDATE accounts_attemptcounter
    SET times = times[:array_position(times, %(time)s) - 1] || times[array_position(times, %(time)s) + 1:]
    WHERE key = %(key)s AND array_position(times, %(time)s) IS NOT NULL
"""


@dataclass(frozen=True)
class CountedAttempt:
    """One counted attempt, which can be given back (allauth's `SingleRateLimitUsage`)."""

    key: str
    time: datetime

    def rollback(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_GIVE_BACK, {"key": self.key, "time": self.time})


def count_attempt(name: str, *, amount: int, seconds: float) -> CountedAttempt | None:
    """Count one attempt under a name. Returns `None` where the window already holds `amount`."""
    if amount < 1:
        return None
    key = _key_of(name)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"key": key, "amount": amount, "window": timedelta(seconds=seconds)})
        row = cursor.fetchone()
    return CountedAttempt(key, row[0]) if row else None


def _key_of(name: str) -> str:
    return salted_hmac("teleder.attempts", name, algorithm="sha256").hexdigest()


# --- allauth ----------------------------------------------------------------------------------------------
def install_counters() -> None:
    """Replace allauth's counters, which live in Django's cache. allauth has no setting for that."""
    for place, name in ((ratelimit, "_consume_single_rate"), (ratelimit, "clear"), (TOTP, "_mark_code_used")):
        if not hasattr(place, name):
            raise RuntimeError(
                f"allauth has no {place.__name__}.{name} any more: adapt these counters to its new version"
            )
    ratelimit._consume_single_rate = _consume_single_rate
    ratelimit.clear = _clear
    TOTP._mark_code_used = _mark_code_used


def _consume_single_rate(
    request: HttpRequest,
    *,
    app: str,
    action: str,
    rate: ratelimit.Rate,
    key: str | None = None,
    user: Any = None,
    dry_run: bool = False,
    raise_exception: bool = False,
) -> Any:
    name = ratelimit.get_cache_key(request, app=app, action=action, rate=rate, key=key, user=user)
    if dry_run:
        with connection.cursor() as cursor:
            cursor.execute(_LOOK, {"key": _key_of(name), "window": timedelta(seconds=rate.duration)})
            passed = cursor.fetchone()[0] < rate.amount
    else:
        passed = count_attempt(name, amount=rate.amount, seconds=rate.duration)
    if not passed and raise_exception:
        raise RateLimited
    return passed or None


def _clear(
    request: HttpRequest,
    *,
    app: str,
    action: str,
    config: dict[str, str] | None = None,
    key: str | None = None,
    user: Any = None,
) -> None:
    for rate in ratelimit.get_rates(app=app, action=action, config=config):
        name = ratelimit.get_cache_key(request, app=app, action=action, rate=rate, key=key, user=user)
        AttemptCounter.objects.filter(pk=_key_of(name)).delete()


def _mark_code_used(totp: TOTP, code: str) -> bool:
    """Return whether a code of an authenticator app is used for the first time in its period."""
    name = totp._get_used_cache_key(code)
    return count_attempt(name, amount=1, seconds=mfa_settings.TOTP_PERIOD) is not None
