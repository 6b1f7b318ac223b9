"""A patient's own data: overview, export, erasure."""

from __future__ import annotations

from uuid import UUID

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from teleder.api import throttles
from teleder.api.access import PATIENTS, EndpointView
from teleder.api.schema import problems
from teleder.api.serializers.account import CredentialsSerializer, ErasureSerializer, OwnDataSerializer
from teleder.api.views.account import authenticated_user
from teleder.audit import entries
from teleder.audit.models import Verb
from teleder.privacy import erasure, export
from teleder.privacy.models import Why
from teleder.privacy.statement import statement_for


class ZipRenderer(JSONRenderer):
    """Accepts requests for a ZIP; errors are JSON all the same."""

    media_type, format = "application/zip", "zip"


def require_credentials(request: Request) -> None:
    """Check the caller's password and code again. Raises `AuthenticationFailed`, `RateLimitedError`; failures count as at log-in."""
    given = CredentialsSerializer(data=request.data)
    given.is_valid(raise_exception=True)
    authenticated_user(request, email=request.user.email, **given.validated_data)


class OwnDataView(EndpointView):
    """What is held of me (or of my child), and what an erasure would mean."""

    roles = PATIENTS

    @extend_schema(responses=OwnDataSerializer)
    def get(self, request: Request, pk: UUID | None = None) -> Response:
        return Response(OwnDataSerializer(statement_for(self.person(pk))).data)


class ExportView(EndpointView):
    """Everything the record holds of me, or of my child."""

    roles = PATIENTS
    renderer_classes = (JSONRenderer, ZipRenderer)
    throttle_classes = (throttles.PersonThrottle, throttles.ExportThrottle)

    @extend_schema(
        request=CredentialsSerializer,
        parameters=[OpenApiParameter("format", exclude=True)],  # there is one
        responses={(200, "application/zip"): OpenApiTypes.BINARY, **problems(401, 404, 503)},
    )
    def post(self, request: Request, pk: UUID | None = None) -> StreamingHttpResponse:
        """Get all of it as a ZIP: data.json (described by schema.json in it), originals and copies of the photos."""
        person = self.person(pk)
        require_credentials(request)
        entries.set_verb(request._request, Verb.EXPORT)
        return export.answer(person)


class ErasureView(EndpointView):
    """My wish to be erased, with my children; or to have a child erased."""

    roles = PATIENTS

    @extend_schema(request=CredentialsSerializer, responses={202: ErasureSerializer, **problems(401, 503)})
    def post(self, request: Request, pk: UUID | None = None) -> Response:
        """Ask for it; a repeat answers the same. It is carried out after `due_at`, and what it waits for (`GET me/data`)."""
        person = self.person(pk)
        require_credentials(request)
        return Response(ErasureSerializer(erasure.ask(person, why=Why.REQUEST)).data, status=202)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, pk: UUID | None = None) -> Response:
        """Take it back; a repeat answers the same."""
        erasure.take_back(self.person(pk))
        return Response(status=204)
