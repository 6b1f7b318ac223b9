"""When a session or a token ends, and when a session key changes."""

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
from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from knox.models import AuthToken

from teleder.accounts.models import STAFF, User
from teleder.security.rate_limits import MINUTE_SECONDS

SEEN = "seen_at"
SEEN_EACH_SECONDS = 15  # a session is written no more often than this


class StaffIdleMiddleware:
    """Log idle dermatologists and admins out.

    Polling by htmx does not count as activity, unless the page reports some (app.js sends `X-Active`).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated or request.user.role not in STAFF:
            return self.get_response(request)
        now, seen = time.time(), request.session.get(SEEN)
        if seen and now - seen > settings.STAFF_IDLE_MINUTES * MINUTE_SECONDS:
            logout(request)
            messages.info(request, _("You were logged out because you were inactive for a while."))
            return self.get_response(request)
        is_active = "HX-Request" not in request.headers or "X-Active" in request.headers
        if is_active and now - (seen or 0) > SEEN_EACH_SECONDS:
            request.session[SEEN] = now
        return self.get_response(request)


@receiver(authentication_step_completed)
def _cycle_session_key(request: HttpRequest, **_rest: Any) -> None:
    """Change the session key after reauthentication or a second factor; a log-in does so itself."""
    if getattr(request, "user", None) and request.user.is_authenticated:
        request.session.cycle_key()


@receiver(user_logged_out)
def _mark_log_out(request: HttpRequest | None, user: User | None, **_rest: Any) -> None:
    """Have the browser forget the photos that were shown (cases/files.py), and a patient's that are not sent (outbox.js)."""
    if request is not None:
        # Not of staff: a dermatologist's unfinished answers are kept there for a day (drafts.js).
        request.clear_site_data = '"cache", "storage"' if user and user.is_patient else '"cache"'


@receiver([password_changed, password_reset, password_set])
def _end_tokens(user: User, **_rest: Any) -> None:
    # Django ends the other sessions: they are bound to the password.
    AuthToken.objects.filter(user=user).delete()
