"""Parsers of untrusted bodies: limited in depth (in size: `request_bodies.py`) and to text that a database can store.

The sender decides how slowly a body arrives, so their rights are checked again after it.
"""

from __future__ import annotations

import json
from typing import Any

from rest_framework import exceptions, parsers


class LimitedJSONParser(parsers.JSONParser):
    """JSON that Python can hold and a database can store."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: dict | None = None) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
            json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (RecursionError, UnicodeError) as error:
            raise exceptions.ParseError() from error
        _require_rights_as_before(parser_context)
        return data


class PhotoParser(parsers.MultiPartParser):
    """A multipart form with one photo in it."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: dict | None = None) -> Any:
        data = super().parse(stream, media_type, parser_context)
        _require_rights_as_before(parser_context)
        return data


def _require_rights_as_before(context: dict | None) -> None:
    """Raise `NotAuthenticated` where the rights ended while the body arrived."""
    user, token = (context["request"].user, context["request"].auth) if context else (None, None)
    if user and user.is_authenticated and not user.has_rights_as_loaded(token):  # or logged out meanwhile
        raise exceptions.NotAuthenticated
