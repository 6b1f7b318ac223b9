"""Throttles password guessing: allauth's limits, under our own names in `settings/limits.py`.

PostgreSQL counts them (`attempt_counters.py`), so neither a flush nor a restart of Valkey resets them.

Three limits count each attempt: account and network address together, the account alone, the address alone. A device
from which the account has logged in before has a limit of its own (OWASP's device cookies). So guesses made elsewhere
lock nobody out of their own device, and one person does not lock out a clinic behind one address. Whether the account
exists makes no difference.
"""

from __future__ import annotations

import secrets
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal import ratelimit
from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from teleder.accounts.models import User
from teleder.accounts.normalisation import normalise_email
from teleder.security import failed_logins
from teleder.security.failed_logins import Reason
from teleder.security.rate_limits import HOUR_SECONDS, MINUTE_SECONDS, RateLimitedError, client_address

DEVICE_COOKIE = "teleder_device"
DEVICE_SECONDS = 180 * 24 * HOUR_SECONDS
ACCOUNTS_PER_DEVICE = 8
WAIT_SECONDS = 15 * MINUTE_SECONDS


class LoginThrottlingAdapter(DefaultAccountAdapter):
    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count the attempt before the password is checked, so that concurrent guesses count too."""
        self._login_failed_rl_usage = ratelimit.RateLimitUsage(
            []
        )  # allauth rolls it back after a right password
        email = credentials.get("email", "")
        for action, key in _counters(request, email):
            usage = ratelimit.consume(request, app="allauth.account", action=action, key=key)
            if usage is None:
                self._rollback_login_failed_rl_usage()
                # Refused for its network address: a flood over many accounts is one row an hour.
                failed_logins.record_failed_login(
                    request, Reason.THROTTLED, email="" if action == "login_failed_address" else email
                )
                raise self.validation_error("too_many_login_attempts")
            self._login_failed_rl_usage.usage += usage.usage

    def validation_error(self, code: str, *arguments: Any) -> ValidationError:
        """Raise `RateLimitedError` (429), where allauth would return the form with an error."""
        if code == "too_many_login_attempts":
            raise RateLimitedError(
                WAIT_SECONDS,
                _(
                    "There were too many failed attempts. Please wait 15 minutes, or reset your password by e-mail."
                ),
            )
        return super().validation_error(code, *arguments)

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        """Reset the counters of an account whose password was just reset by e-mail."""
        for action, key in _counters(request, credentials["email"]):
            if action != "login_failed_address":
                ratelimit.clear(request, app="allauth.account", action=action, key=key)

    def post_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse:
        response = super().post_login(request, user, **more)
        device, accounts = _device(request)
        account = _digest(user.email)
        accounts = [account, *(each for each in accounts if each != account)]
        response.set_cookie(
            DEVICE_COOKIE,
            signing.dumps([device, *accounts[:ACCOUNTS_PER_DEVICE]], salt=DEVICE_COOKIE),
            max_age=DEVICE_SECONDS,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
        return response


def count_code(request: HttpRequest, email: str) -> ratelimit.RateLimitUsage:
    """Count one typed code of a mail before it is checked; the caller gives a right one back. Raises `RateLimitedError`.

    allauth counts in the session, which concurrent requests share and a new sign-up resets.
    """
    counted = ratelimit.RateLimitUsage([])
    for action, key in (("wrong_code_address", None), ("wrong_code", _digest(email))):
        usage = ratelimit.consume(request, app="allauth.account", action=action, key=key)
        if usage is None:
            counted.rollback()
            raise RateLimitedError(
                HOUR_SECONDS, _("There were too many wrong codes. Please wait an hour, then start again.")
            )
        counted.usage += usage.usage
    return counted


def _counters(request: HttpRequest, email: str) -> list[tuple[str, str | None]]:
    """Return action and key of each limit that counts the attempt; the address first, which stops a flood."""
    account = _digest(email)
    device, accounts = _device(request)
    if account in accounts:
        return [("login_failed", f"device {device} {account}")]
    return [
        ("login_failed_address", None),
        ("login_failed", f"{client_address(request)} {account}"),
        ("login_failed_account", account),
    ]


def _digest(email: str) -> str:
    # One spelling for all addresses that the database treats as equal.
    same = normalise_email(email).casefold()
    return salted_hmac(DEVICE_COOKIE, same, algorithm="sha256").hexdigest()[:20]


def _device(request: HttpRequest) -> tuple[str, list[str]]:
    """Return the device's id and the digests of the accounts that have logged in from it."""
    try:
        device, *accounts = signing.loads(
            request.COOKIES.get(DEVICE_COOKIE, ""), salt=DEVICE_COOKIE, max_age=DEVICE_SECONDS
        )
    except signing.BadSignature:
        return secrets.token_urlsafe(12), []
    return device, accounts
