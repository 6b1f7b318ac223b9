"""Checks every response of the API against the OpenAPI document; unknown properties fail too."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from rest_framework.test import APIClient

from teleder.api.schema import EnglishGenerator

DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
formats = FormatChecker()


@formats.checks("date-time")
def _is_date_time(value: Any) -> bool:
    return not isinstance(value, str) or bool(DATE_TIME.fullmatch(value))


@formats.checks("uri")
def _is_uri(value: Any) -> bool:
    return not isinstance(value, str) or bool(re.fullmatch(r"https?://\S+", value))


@cache
def description() -> dict[str, Any]:
    """Return the description with `additionalProperties: false` in every object."""
    return _closed(EnglishGenerator().get_schema(public=True))


def _closed(part: Any) -> Any:
    if isinstance(part, dict):
        part = {name: _closed(inner) for name, inner in part.items()}
        if part.get("type") == "object" and "properties" in part:
            part.setdefault("additionalProperties", False)
        return part
    return [_closed(inner) for inner in part] if isinstance(part, list) else part


@cache
def _paths() -> list[tuple[re.Pattern, str]]:
    # Paths without a parameter come first: `/tokens/current` before any `/tokens/{…}`.
    paths = sorted(description()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in paths]


def operation_of(method: str, address: str) -> dict[str, Any] | None:
    path = next((path for pattern, path in _paths() if pattern.fullmatch(address)), None)
    return description()["paths"][path].get(method.lower()) if path else None


def mismatches(method: str, address: str, answer: Any) -> list[str]:
    """Return how an answer differs from its description; nothing for an address that is not described."""
    operation = operation_of(method, address)
    if operation is None:
        return []
    reported = operation["responses"].get(str(answer.status_code))
    if reported is None:
        return [f"status {answer.status_code} is not described"]
    reported = _resolved(reported)
    if "content" not in reported:
        return [] if answer.content == b"" else ["there is a body where none is described"]
    media_type = answer.headers["Content-Type"].partition(";")[0]
    if media_type not in reported["content"]:
        return [f"{media_type} is not described for {answer.status_code}"]
    missing = [
        name for name in ("ETag", "Location") if name in reported["headers"] and name not in answer.headers
    ]
    if not media_type.endswith("json"):
        return missing
    schema = reported["content"][media_type]["schema"] | {"components": description()["components"]}
    errors = Draft202012Validator(schema, format_checker=formats).iter_errors(answer.json())
    return missing + [f"{error.json_path}: {error.message[:300]}" for error in errors]


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    found = description() if "$ref" in part else part
    for name in part.get("$ref", "").split("/")[1:]:
        found = found[name]
    return found


class DescribedClient(APIClient):
    """A client that fails on a response that does not match the description, and counts the others."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.answers: Counter[str] = Counter()

    def request(self, **environment: Any) -> Any:
        answer = super().request(**environment)
        method, address = environment["REQUEST_METHOD"], environment["PATH_INFO"]
        found = mismatches(method, address, answer)
        assert not found, f"{method} {address} {answer.status_code}: {found}"
        self.answers[f"{method} {answer.status_code}"] += 1
        return answer
