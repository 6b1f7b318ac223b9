"""The only door to a photo's files, for pages and API alike.

What leaves is a copy the worker made, never a stranger's bytes. The type is said by our own table, the
browser may not guess another, and no cache keeps it.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from uuid import UUID

from django.http import FileResponse, Http404

from contract.messages import Stage
from teleder.accounts.models import User
from teleder.cases import keys
from teleder.cases.models import Photo


class FileKind(StrEnum):
    DISPLAY = "display"
    THUMBNAIL = "thumbnail"
    MASK = "mask"
    ATTRIBUTION = "attribution"


FOR_PATIENTS = {FileKind.DISPLAY, FileKind.THUMBNAIL}
MADE_BY = {
    FileKind.DISPLAY: Stage.PREPARE,
    FileKind.THUMBNAIL: Stage.PREPARE,
    FileKind.MASK: Stage.SEGMENT,
    FileKind.ATTRIBUTION: Stage.CLASSIFY,
}
HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def serve(photo: UUID, kind: str, *, to: User) -> FileResponse:
    """Stream one file of a photo that `to` may see.

    Raises `Http404` alike for an unknown photo, somebody else's, a removed one, a file that is not made yet,
    and for a patient who asks for what the AI drew (mask, attribution): the AI's word stays with the clinic.
    """
    found = Photo.objects.visible_to(to).current().filter(pk=photo).first()
    kinds = FOR_PATIENTS if to.is_patient else set(FileKind)
    if found is None or kind not in kinds:
        raise Http404
    key = _key(found, FileKind(kind))
    content_type = keys.CONTENT_TYPES.get(suffix := Path(key).suffix)
    if content_type is None:
        raise Http404
    try:
        file = keys.open_file(found.pk, MADE_BY[FileKind(kind)], key)
    except OSError as error:
        raise Http404 from error
    return FileResponse(file, filename=f"{kind}{suffix}", content_type=content_type, headers=HEADERS)


def _key(photo: Photo, kind: FileKind) -> str:
    if kind in FOR_PATIENTS:
        return {FileKind.DISPLAY: photo.display_key, FileKind.THUMBNAIL: photo.thumbnail_key}[kind]
    return getattr(photo.analysis, f"{kind}_key", "")
