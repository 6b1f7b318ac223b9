"""How often a password may be guessed (allauth's limits, under names of our own in `ACCOUNT_RATE_LIMITS`).

They are counted in PostgreSQL (`attempt_counters.py`), so neither a flush nor a restart of Valkey begins them again.

Tries are counted for account and address together, more slowly for the account and for the address alone. A device
from which an account logged in before is counted by itself (OWASP's device cookies), so that nobody is locked out of
their own device by guesses made elsewhere, nor a clinic behind one address by one person. Whether there is such an
account makes no difference.
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
from teleder.security.rate_limits import HOUR_SECONDS, MINUTE_SECONDS, TooMany, address_of

DEVICE_COOKIE = "teleder_device"
DEVICE_SECONDS = 180 * 24 * HOUR_SECONDS
ACCOUNTS_PER_DEVICE = 8
WAIT_SECONDS = 15 * MINUTE_SECONDS


class LimitedGuesses(DefaultAccountAdapter):
    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count the try before the password is looked at: guesses at the same moment count, too."""
        self._login_failed_rl_usage = ratelimit.RateLimitUsage([])  # allauth takes it back after a right one
        email = credentials.get("email", "")
        for action, key in _counters(request, email):
            usage = ratelimit.consume(request, app="allauth.account", action=action, key=key)
            if usage is None:
                self._rollback_login_failed_rl_usage()
                # Refused for the address it comes from, a flood over many accounts is one row an hour.
                failed_logins.record(
                    request, Reason.THROTTLED, email="" if action == "login_failed_address" else email
                )
                raise self.validation_error("too_many_login_attempts")
            self._login_failed_rl_usage.usage += usage.usage

    def validation_error(self, code: str, *arguments: Any) -> ValidationError:
        """Raise `TooMany`, a 429 and no form that came back, where allauth would say it in the form."""
        if code == "too_many_login_attempts":
            raise TooMany(
                WAIT_SECONDS,
                _(
                    "There were too many wrong tries. Please wait 15 minutes, or choose a new password by e-mail."
                ),
            )
        return super().validation_error(code, *arguments)

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        """Forget the tries of who has just chosen a new password by e-mail."""
        for action, key in _counters(request, credentials["email"]):
            if action != "login_failed_address":
                ratelimit.clear(request, app="allauth.account", action=action, key=key)

    def post_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse:
        response = super().post_login(request, user, **more)
        _remember(request, response, user.email)
        return response


def _counters(request: HttpRequest, email: str) -> list[tuple[str, str | None]]:
    """Return action and key of each limit that a try counts for; the address first, under which a flood ends."""
    account = _digest(email)
    device, accounts = _device(request)
    if account in accounts:
        return [("login_failed", f"device {device} {account}")]
    return [
        ("login_failed_address", None),
        ("login_failed", f"{address_of(request)} {account}"),
        ("login_failed_account", account),
    ]


def _digest(email: str) -> str:
    # One spelling for all that the database takes for the same address.
    same = normalise_email(email).casefold()
    return salted_hmac(DEVICE_COOKIE, same, algorithm="sha256").hexdigest()[:20]


def _device(request: HttpRequest) -> tuple[str, list[str]]:
    """Return the name of the device and the accounts that have logged in from it."""
    try:
        device, *accounts = signing.loads(
            request.COOKIES.get(DEVICE_COOKIE, ""), salt=DEVICE_COOKIE, max_age=DEVICE_SECONDS
        )
    except signing.BadSignature:
        return secrets.token_urlsafe(12), []
    return device, accounts


def _remember(request: HttpRequest, response: HttpResponse, email: str) -> None:
    device, accounts = _device(request)
    accounts = [_digest(email), *(each for each in accounts if each != _digest(email))]
    response.set_cookie(
        DEVICE_COOKIE,
        signing.dumps([device, *accounts[:ACCOUNTS_PER_DEVICE]], salt=DEVICE_COOKIE),
        max_age=DEVICE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
