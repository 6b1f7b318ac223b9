"""The API's page about itself."""

from __future__ import annotations

from drf_spectacular.views import SpectacularSwaggerSplitView


class Docs(SpectacularSwaggerSplitView):
    """Swagger from our own address: its script comes by a second request, so that the page needs none inline."""

    url_name = "api:schema"
    template_name = "api/docs.html"
