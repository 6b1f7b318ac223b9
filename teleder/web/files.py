"""Photos for pages; who may see which is decided in `cases.files`."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from teleder.cases import files


@require_safe
@login_required
def photo(request: HttpRequest, pk: UUID, kind: str) -> HttpResponseBase:
    return files.serve(request, pk, kind)
