"""Reading what strangers send: bounded in size and depth, and made of letters a database can hold."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, parsers

FORM_FRAME_BYTES = 64 * 1024  # a multipart form's boundaries and small fields around the file
# A file that is a little too large is read and refused in words; a connection is cut only far beyond.
UPLOAD_PATIENCE = 3


class TooLarge(exceptions.APIException):
    status_code, default_code = 413, "body_too_large"
    default_detail = _("This request is too large.")


class LimitedJSON(parsers.JSONParser):
    """JSON of at most `DATA_UPLOAD_MAX_MEMORY_SIZE` bytes; Django's own limit does not reach a stream."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: dict | None = None) -> Any:
        _refuse_longer(parser_context, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        try:
            data = super().parse(stream, media_type, parser_context)
            json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (RecursionError, UnicodeError) as error:
            raise exceptions.ParseError() from error
        return data


class PhotoForm(parsers.MultiPartParser):
    """A multipart form with one photo in it."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: dict | None = None) -> Any:
        _refuse_longer(parser_context, UPLOAD_PATIENCE * settings.PHOTO_LIMIT_BYTES + FORM_FRAME_BYTES)
        return super().parse(stream, media_type, parser_context)


def _refuse_longer(context: dict | None, limit: int) -> None:
    length = context["request"].META.get("CONTENT_LENGTH") if context else None
    if length and length.isdigit() and int(length) > limit:
        raise TooLarge
