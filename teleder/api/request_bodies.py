"""Limits request bodies, and reads a page's form before the session is looked up.

The sender decides how slowly a body arrives, so rights that were checked before it could be minutes old. The API, where
each view authenticates by token first, checks rights again after the body (`parsers.py`).
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
# A photo slightly above the limit is read and refused with a sentence; a connection is cut only far beyond.
READ_PHOTO_LIMITS = 3


def limit_bodies(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    def answer(request: HttpRequest) -> HttpResponse:
        if _has_null(request.GET) or any("\0" in value for value in request.COOKIES.values()):
            return errors.bad_request(request, SuspiciousOperation())
        if request.method in SAFE:
            return get_response(request)
        announced = request.META.get("CONTENT_LENGTH") or "0"  # Django reads no more than this
        if announced.isdigit() and int(announced) > _limit_bytes(request):
            return errors.too_large(request)
        # Rights come from a cookie on every page, and in the API where the pages' scripts call it.
        if not request.path.startswith("/api/") or get_user(request).is_authenticated:
            try:
                form = request.POST
            except UnreadablePostError:  # the client has disconnected
                form = QueryDict()
            if _has_null(form):
                return errors.bad_request(request, SuspiciousOperation())
        return get_response(request)

    return answer


def _has_null(sent: QueryDict) -> bool:
    """Whether the data contains NUL, which no form can send and PostgreSQL cannot store."""
    return any("\0" in text for name, texts in sent.lists() for text in (name, *texts))


def _limit_bytes(request: HttpRequest) -> int:
    """Return how much is read: a photo only at the upload views, and on the page only from a logged-in user."""
    try:
        view = resolve(request.path_info).view_name
    except Resolver404:
        view = ""
    photo = READ_PHOTO_LIMITS * photos.FILE_LIMIT_BYTES + FORM_FRAME_BYTES
    if view == "api:photos" or (view == "web:add_photo" and get_user(request).is_authenticated):
        return photo
    return settings.DATA_UPLOAD_MAX_MEMORY_SIZE
