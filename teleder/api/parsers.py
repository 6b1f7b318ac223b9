"""Reading what strangers send: bounded in depth (in size: `bodies.py`), and made of letters a database can hold."""

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
        return data
