"""What a door takes, and when: a page reads all that is sent before it asks who sends it.

The sender decides how slowly a body comes. Rights that were looked up before it would be those of minutes ago; the API,
where each endpoint looks tokens up, asks again after it (`parsers.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import get_user
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, QueryDict, UnreadablePostError
from django.urls import Resolver404, resolve

from contract import photos
from teleder.api import errors

SAFE = ("GET", "HEAD", "OPTIONS")
FORM_FRAME_BYTES = 64 * 1024  # a multipart form's boundaries and small fields around the file
# A photo that is a little too large is read and refused in words; a connection is cut only far beyond.
PHOTO_PATIENCE = 3


def bodies(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def answer(request: HttpRequest) -> HttpResponse:
        if _has_null(request.GET) or any("\0" in value for value in request.COOKIES.values()):
            return errors.bad_request(request, SuspiciousOperation())
        if request.method in SAFE:
            return get_response(request)
        if _length(request) > _limit(request):
            return errors.too_large(request)
        if _is_by_session(request) and _has_null(_form(request)):
            return errors.bad_request(request, SuspiciousOperation())
        return get_response(request)

    return answer


def _is_by_session(request: HttpRequest) -> bool:
    """Whether rights come from a cookie: of any page, and of the API where the pages' own scripts call it."""
    return not request.path.startswith("/api/") or get_user(request).is_authenticated


def _form(request: HttpRequest) -> QueryDict:
    try:
        return request.POST
    except UnreadablePostError:  # who went away gets no answer
        return QueryDict()


def _has_null(sent: QueryDict) -> bool:
    """Whether there is a character in it that no form can produce and PostgreSQL cannot hold."""
    return any("\0" in text for name, texts in sent.lists() for text in (name, *texts))


def _length(request: HttpRequest) -> int:
    """Return the bytes announced, which is also what Django reads at most."""
    announced = request.META.get("CONTENT_LENGTH") or "0"
    return int(announced) if announced.isdigit() else 0


def _limit(request: HttpRequest) -> int:
    """Return how many bytes are read: a photo's worth only where photos are sent, and of nobody unknown."""
    photo = PHOTO_PATIENCE * photos.FILE_LIMIT_BYTES + FORM_FRAME_BYTES
    door = _door(request)
    if door == "api:photos" or (door == "web:add_photo" and get_user(request).is_authenticated):
        return photo
    return settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def _door(request: HttpRequest) -> str:
    try:
        return resolve(request.path_info).view_name
    except Resolver404:
        return ""
