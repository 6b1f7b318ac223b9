"""The OpenAPI document and the page that shows it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from django.template.loader import render_to_string
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny
from rest_framework.renderers import StaticHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from teleder.api.reference import Reference
from teleder.api.schema import EnglishGenerator


class SchemaView(SpectacularAPIView):
    """The OpenAPI document, the same for everybody.

    Making it takes a second or two of CPU, and anybody may ask for it: each process makes it once for each format.
    """

    rendered: ClassVar[dict[str, bytes]] = {}

    @extend_schema(exclude=True)
    def get(self, request: Request, *_: Any, **__: Any) -> HttpResponse:
        media_type = request.accepted_renderer.media_type
        if media_type not in self.rendered:
            document = self.generator_class().get_schema(request=request, public=True)
            self.rendered[media_type] = request.accepted_renderer.render(document, media_type, {})
        suffix = request.accepted_renderer.format
        disposition = {"Content-Disposition": f'inline; filename="teleder.{suffix}"'}
        return HttpResponse(self.rendered[media_type], content_type=media_type, headers=disposition)


class DocsView(APIView):
    """The document as a page, in English as the document is; each process makes it once."""

    permission_classes = (AllowAny,)
    renderer_classes = (StaticHTMLRenderer,)
    rendered: ClassVar[list[str]] = []

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        if not self.rendered:
            reference = Reference(EnglishGenerator().get_schema(public=True))
            self.rendered.append(render_to_string("api/docs.html", {"reference": reference}))
        return Response(self.rendered[0])
