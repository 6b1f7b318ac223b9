"""The OpenAPI document and the page that shows it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request


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


class DocsView(SpectacularSwaggerSplitView):
    """Swagger from our own address: its script comes by a second request, so that the page needs none inline."""

    url_name = "api:schema"
    template_name = "api/docs.html"
