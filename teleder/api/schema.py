"""Generates the OpenAPI 3.1 document from the code, errors included, always in English."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.utils import translation
from drf_spectacular.authentication import SessionScheme
from drf_spectacular.contrib.knox_auth_token import KnoxTokenScheme
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.fields import empty
from rest_framework.serializers import Serializer

from teleder.api.access import EVERYBODY, EndpointView
from teleder.api.errors import MEDIA_TYPE
from teleder.api.serializers.base import ProblemSerializer, StrictSerializer

SAFE = {"GET", "HEAD", "OPTIONS"}
LANGUAGE = OpenApiParameter(
    "Accept-Language",
    str,
    OpenApiParameter.HEADER,
    description="of the texts in the answer: `ja` or `en`; without it, the person's own",
)


def header(name: str, description: str, *statuses: int, schema: Any = str) -> OpenApiParameter:
    """Return a header of the responses with these statuses, or of every response where none is named."""
    return OpenApiParameter(
        name, schema, OpenApiParameter.HEADER, description=description, response=list(statuses) or True
    )


HEADERS = [
    header("Content-Language", "language of the texts in the answer"),
    header("RateLimit", "what is left of each limit and when it is full again (IETF draft)"),
    header("RateLimit-Policy", "the limits that this request counted for (IETF draft)"),
    header("Retry-After", "seconds until the next try", 429, 503, schema={"type": "integer", "minimum": 0}),
    header("WWW-Authenticate", "how to log in", 401),
    header("X-Request-ID", "the `trace_id`, which is in every log line of the request"),
]


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """Return error responses of a method beyond those that `EndpointSchema` adds itself."""
    return {
        (status, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, HTTPStatus(status).phrase)
        for status in statuses
    }


class KnoxScheme(KnoxTokenScheme):
    target_class = "teleder.api.tokens.ApiTokenAuthentication"


class PageSessionScheme(SessionScheme):
    priority = 1

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        found = super().get_security_definition(auto_schema)
        return found | {
            "description": "The session of the pages, for their own scripts. What changes something also needs "
            "the header `X-CSRFToken`. Programs use a token."
        }


class EndpointSchema(AutoSchema):
    """Adds to each method the errors that follow from its input and its roles."""

    def get_override_parameters(self) -> list[OpenApiParameter]:
        return [LANGUAGE, *HEADERS] if isinstance(self.view, EndpointView) else []

    def get_summary(self) -> str:
        """Return the first sentence of the description."""
        text = " ".join(self.get_description().split())
        return text.split(". ")[0].split(": ")[0].rstrip(".")

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        for (status, media_type), answer in problems(*self._foreseen()).items():
            body = self._get_response_for_code(answer, str(status), [media_type], direction)
            bodies.setdefault(str(status), body)
        for status, body in bodies.items():
            body["description"] = body["description"] or HTTPStatus(int(status)).phrase
        return dict(sorted(bodies.items()))

    def _foreseen(self) -> set[int]:
        # 400: a character that no database holds; 406: another type of answer wanted; 503: a database that restarts.
        statuses = {400, 401, 406, 429, 500, 503}
        if getattr(self.view, "roles_for", lambda _: EVERYBODY)(self.method) != EVERYBODY:
            statuses.add(403)
        if self.method not in SAFE:
            statuses.add(403)  # by the pages' session without its CSRF token
            statuses.add(413)
        has_pages = self.method == "GET" and hasattr(self.view, "pagination_class")
        if "{" in self.path or has_pages:  # there may be no such page
            statuses.add(404)
        if self.method in {"POST", "PUT", "PATCH"} and self.get_request_serializer() is not None:
            statuses.add(415)
        return statuses

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        found = super()._map_basic_serializer(serializer, direction)
        if direction == "response":
            found = _answered(found, serializer if isinstance(serializer, Serializer) else serializer())
        is_strict = isinstance(serializer, StrictSerializer)
        return found | {"additionalProperties": False} if is_strict else found


def _answered(schema: dict[str, Any], serializer: Serializer) -> dict[str, Any]:
    """Return the schema with every property required that a response always has.

    These are all except those declared `required=False`. For fields of a model `required` is about input only: a
    column with a default may be left out there and is in every response.
    """
    declared = serializer._declared_fields
    may_lack = {
        name
        for name, field in declared.items()
        if not field.required and not field.read_only and field.default is empty
    }
    always = [name for name in schema["properties"] if name not in may_lack]
    for part in schema["properties"].values():
        part.pop("readOnly", None)  # a response is never sent back
    return schema | ({"required": always} if always else {})


class EnglishGenerator(SchemaGenerator):
    """Writes the document in English, whoever requests it: client code is generated from it."""

    def get_schema(self, request: Any = None, public: bool = False) -> dict[str, Any]:
        with translation.override("en"):
            return super().get_schema(request, public)


def as_json_schema(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Turn OpenAPI 3.0 idioms of drf-spectacular into JSON Schema 2020-12 (a hook of drf-spectacular).

    Null is a type, not a component of its own. A dermatologist's photo also matches the patient's schema, so what
    depends on the role is `anyOf`: `oneOf` forbids two matches.
    """
    schemas = result["components"]["schemas"]
    if "NullEnum" in schemas:
        del schemas["NullEnum"]
    if "BlankEnum" in schemas:
        schemas["BlankEnum"] = {"type": "string", "enum": [""], "description": "nothing"}
    for name, schema in schemas.items():
        if name.endswith("ByRole"):
            schema["anyOf"] = schema.pop("oneOf")
    return _with_null_as_type(result)


def share_what_repeats(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Write common headers and each error response once and refer to them (a hook of drf-spectacular)."""
    components = result["components"]
    headers, refusals = components.setdefault("headers", {}), components.setdefault("responses", {})
    for path in result["paths"].values():
        for operation in path.values():
            answers = operation["responses"]
            for status, answer in answers.items():
                for name in [each.name for each in HEADERS if each.name in answer.get("headers", {})]:
                    if name != "Retry-After":  # when to try again after a refusal, when to ask for a status
                        headers[name] = answer["headers"][name]
                        answer["headers"][name] = {"$ref": f"#/components/headers/{name}"}
                if MEDIA_TYPE in answer.get("content", {}):
                    refusals[f"Problem{status}"] = answer
                    answers[status] = {"$ref": f"#/components/responses/Problem{status}"}
    return result


def _with_null_as_type(part: Any) -> Any:
    if isinstance(part, dict):
        if part == {"$ref": "#/components/schemas/NullEnum"}:
            return {"type": "null"}
        return {name: _with_null_as_type(inner) for name, inner in part.items()}
    return [_with_null_as_type(inner) for inner in part] if isinstance(part, list) else part
