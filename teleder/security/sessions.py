"""When a session or a token ends, and when it gets another name."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from allauth.account.signals import (
    authentication_step_completed,
    password_changed,
    password_reset,
    password_set,
)
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from knox.models import AuthToken

from teleder.accounts.models import STAFF, User
from teleder.security.rate_limits import MINUTE_SECONDS

SEEN = "seen_at"
SEEN_EACH_SECONDS = 15  # a session is written no more often than this


class IdleStaff:
    """Log dermatologists and admins out who have done nothing for a while.

    A page that asks for news by itself (htmx) is no sign of anybody, unless it says that there was one (app.js).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated or request.user.role not in STAFF:
            return self.get_response(request)
        now, seen = time.time(), request.session.get(SEEN)
        if seen and now - seen > settings.STAFF_IDLE_MINUTES * MINUTE_SECONDS:
            return self._end(request)
        if _is_by_somebody(request) and now - (seen or 0) > SEEN_EACH_SECONDS:
            request.session[SEEN] = now
        return self.get_response(request)

    def _end(self, request: HttpRequest) -> HttpResponse:
        logout(request)
        messages.info(request, _("You were logged out because nothing was done for a while."))
        return self.get_response(request)


def _is_by_somebody(request: HttpRequest) -> bool:
    return "HX-Request" not in request.headers or "X-Active" in request.headers


@receiver(authentication_step_completed)
def _rename(request: HttpRequest, **_rest: Any) -> None:
    """Give a session that has just shown more (password again, second factor) another name; a log-in does so itself."""
    if getattr(request, "user", None) and request.user.is_authenticated:
        request.session.cycle_key()


@receiver([password_changed, password_reset, password_set])
def _end_tokens(user: User, **_rest: Any) -> None:
    # Django ends the other sessions: they are bound to the password.
    AuthToken.objects.filter(user=user).delete()
