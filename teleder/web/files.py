"""Photos for pages: the door itself is `cases.files`."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest
from django.views.decorators.http import require_safe

from teleder.cases import files


@require_safe
@login_required
def photo(request: HttpRequest, pk: UUID, kind: str) -> FileResponse:
    return files.serve(pk, kind, to=request.user)
