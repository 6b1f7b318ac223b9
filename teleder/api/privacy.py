"""One's own data: what is held, the export, the erasure."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from teleder.api import throttles
from teleder.api.access import PATIENTS, Endpoint
from teleder.api.person import whose
from teleder.api.schema import problems
from teleder.api.serializers.person import DataSerializer, ErasureSerializer, ProofSerializer
from teleder.audit import trail
from teleder.audit.models import Verb
from teleder.privacy import erasure, export
from teleder.privacy.models import Why
from teleder.privacy.statement import statement_for


class Zip(JSONRenderer):
    """Lets callers ask for a ZIP; what refuses them is JSON all the same."""

    media_type, format = "application/zip", "zip"


def show_who(request: Request) -> None:
    """Let the caller show again who they are. Raises `AuthenticationFailed`, `TooMany`; guesses count as at log-in."""
    given = ProofSerializer(data=request.data)
    given.is_valid(raise_exception=True)
    whose(request, email=request.user.email, **given.validated_data)


class Data(Endpoint):
    """What is held of me, and what an erasure would mean."""

    roles = PATIENTS

    @extend_schema(responses=DataSerializer)
    def get(self, request: Request) -> Response:
        return Response(DataSerializer(statement_for(request.user)).data)


class Export(Endpoint):
    """Everything the record holds of me."""

    roles = PATIENTS
    renderer_classes = (JSONRenderer, Zip)
    throttle_classes = (throttles.ByPerson, throttles.Exports)

    @extend_schema(
        request=ProofSerializer,
        parameters=[OpenApiParameter("format", exclude=True)],  # there is one
        responses={(200, "application/zip"): OpenApiTypes.BINARY, **problems(401, 404, 503)},
    )
    def post(self, request: Request) -> StreamingHttpResponse:
        """Get all of it as a ZIP: data.json (described by schema.json in it), originals and copies of the photos."""
        show_who(request)
        trail.call(request._request, Verb.EXPORT)
        return export.answer(request.user)


class Erasure(Endpoint):
    """My wish to be erased."""

    roles = PATIENTS

    @extend_schema(request=ProofSerializer, responses={202: ErasureSerializer, **problems(401, 503)})
    def post(self, request: Request) -> Response:
        """Ask for it; a repeat answers the same. It is carried out after `due_at`, and what it waits for (`GET me/data`)."""
        show_who(request)
        return Response(ErasureSerializer(erasure.ask(request.user, why=Why.REQUEST)).data, status=202)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Take it back; a repeat answers the same."""
        erasure.take_back(request.user)
        return Response(status=204)
