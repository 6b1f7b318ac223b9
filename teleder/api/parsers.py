"""Reading what strangers send: bounded in depth (in size: `bodies.py`), and made of letters a database can hold.

Whoever sends it decides how slowly it comes: their rights were looked up before, and are asked anew after it.
"""

from __future__ import annotations

import json
from typing import Any

from rest_framework import exceptions, parsers


class LimitedJSON(parsers.JSONParser):
    """JSON that Python can hold and a database can store."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: dict | None = None) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
            json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (RecursionError, UnicodeError) as error:
            raise exceptions.ParseError() from error
        _require_rights_as_before(parser_context)
        return data


class PhotoForm(parsers.MultiPartParser):
    """A multipart form with one photo in it."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: dict | None = None) -> Any:
        data = super().parse(stream, media_type, parser_context)
        _require_rights_as_before(parser_context)
        return data


def _require_rights_as_before(context: dict | None) -> None:
    """Raise `NotAuthenticated` where they ended while the body came."""
    user, token = (context["request"].user, context["request"].auth) if context else (None, None)
    if user and user.is_authenticated and not user.has_rights_as_loaded():
        raise exceptions.NotAuthenticated
    if token and not type(token).objects.filter(pk=token.pk).exists():  # logged out meanwhile
        raise exceptions.NotAuthenticated
