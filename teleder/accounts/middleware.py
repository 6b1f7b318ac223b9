"""Show pages in the language that the user has saved, and times in their time zone."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from teleder.accounts import time_zones


class UserLanguageMiddleware:
    """The saved language of a logged-in user overrides cookie and browser."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = getattr(request.user, "language", None)
        if language and language in dict(settings.LANGUAGES):
            translation.activate(language)
            request.LANGUAGE_CODE = language
        return self.get_response(request)


class UserTimeZoneMiddleware:
    """Times are shown in the user's time zone; that of their device is kept for mails, which no browser asks for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user, device = request.user, request.COOKIES.get(time_zones.COOKIE, "")
        if getattr(user, "is_patient", False) and user.device_time_zone != device in time_zones.names():
            user.device_time_zone = device
            user.save(update_fields=["device_time_zone"])
        with timezone.override(time_zones.zone_of(user)):
            return self.get_response(request)
