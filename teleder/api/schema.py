"""The API's description of itself: OpenAPI 3.1, made from the code, errors included."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from drf_spectacular.contrib.knox_auth_token import KnoxTokenScheme
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from teleder.api.access import EVERYBODY, Endpoint
from teleder.api.problems import MEDIA_TYPE
from teleder.api.serializers.base import ProblemSerializer, Strict

LANGUAGE = OpenApiParameter(
    "Accept-Language",
    str,
    OpenApiParameter.HEADER,
    description="of the texts in the answer: `ja` or `en`; without it, the person's own",
)


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """Return what a method may refuse with, beyond what `Described` knows by itself."""
    return {
        (status, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, HTTPStatus(status).phrase)
        for status in statuses
    }


class KnoxScheme(KnoxTokenScheme):
    target_class = "teleder.api.tokens.Tokens"


class Described(AutoSchema):
    """Adds to each method the refusals that follow from what it takes and who may use it."""

    def get_override_parameters(self) -> list[OpenApiParameter]:
        return [LANGUAGE] if isinstance(self.view, Endpoint) else []

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        for (status, media_type), answer in problems(*self._foreseen()).items():
            body = self._get_response_for_code(answer, str(status), [media_type], direction)
            bodies.setdefault(str(status), body)
        return dict(sorted(bodies.items()))

    def _foreseen(self) -> set[int]:
        statuses = {401, 429}
        if getattr(self.view, "roles_for", lambda _: EVERYBODY)(self.method) != EVERYBODY:
            statuses.add(403)
        has_pages = self.method == "GET" and hasattr(self.view, "pagination_class")
        if "{" in self.path or has_pages:  # there may be no such page
            statuses.add(404)
        takes_body = self.method in {"POST", "PUT", "PATCH"} and self.get_request_serializer() is not None
        if takes_body or has_pages:
            statuses.add(400)
        return statuses

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        found = super()._map_basic_serializer(serializer, direction)
        return found | {"additionalProperties": False} if isinstance(serializer, Strict) else found

    def _map_serializer_field(
        self, field: Any, direction: str, bypass_extensions: bool = False
    ) -> dict[str, Any]:
        found = super()._map_serializer_field(field, direction, bypass_extensions)
        # Any JSON includes null, which would then fit both of the "one of".
        return (
            {name: part for name, part in found.items() if name != "oneOf"}
            if {} in found.get("oneOf", [])
            else found
        )
