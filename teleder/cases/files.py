"""Serves the files of a photo, for pages and API alike; no other code does.

Only copies that the worker made are served, never an uploaded file. The content type comes from our own table, the
browser may not guess another, and no cache keeps a copy.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

from django.http import FileResponse, Http404, HttpRequest, HttpResponse

from contract.messages import Stage
from contract.storage import StorageError, StorageUnavailableError
from contract.storage.keys import CONTENT_TYPES
from teleder.cases import ai_opinion, stored_files
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
    FileKind.MASK: Stage.ANALYSE,
    FileKind.ATTRIBUTION: Stage.ANALYSE,
}
HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def serve(request: HttpRequest | Any, photo: UUID, kind: str) -> FileResponse | HttpResponse:
    """Stream one file of a photo that the request's user may see: whole (200) or the one range asked for (206, 416).

    Raises StorageUnavailableError, and `Http404` alike for an unknown photo, somebody else's, a removed one, a file that is not made yet,
    and for the AI's mask or attribution where its opinion is not open to the user: to a patient it never is.
    """
    found = (
        Photo.objects.visible_to(request.user).current().filter(pk=photo).select_related("submission").first()
    )
    if found is None or kind not in set(FileKind):
        raise Http404
    if kind not in FOR_PATIENTS and not ai_opinion.is_open(found.submission, request.user):
        raise Http404
    key = _key(found, FileKind(kind))
    stage = MADE_BY[FileKind(kind)]
    content_type = CONTENT_TYPES.get(suffix := Path(key).suffix)
    if content_type is None:
        raise Http404
    # A key names one attempt's file for ever, so its hash may stand for the content.
    etag = f'"{hashlib.sha256(key.encode()).hexdigest()[:32]}"'
    headers = HEADERS | {"Accept-Ranges": "bytes", "ETag": etag}
    wanted = _wanted_range(request, etag)
    try:
        if wanted is None:
            file, status = stored_files.open_file(found.pk, stage, key), 200
            length = file.size
        else:
            with stored_files.open_file(found.pk, stage, key, 0, 0) as nothing:
                size = nothing.size
            start, stop = _resolve(*wanted, size)
            if start >= stop:
                headers["Content-Range"] = f"bytes */{size}"
                return HttpResponse(status=416, content_type="text/plain", headers=headers)
            file, status = stored_files.open_file(found.pk, stage, key, start, stop), 206
            length, headers["Content-Range"] = stop - start, f"bytes {start}-{stop - 1}/{size}"
    except StorageUnavailableError:  # answered with 503: the photo is there
        raise
    except StorageError as error:
        raise Http404 from error
    headers["Content-Length"] = str(length)
    name = f"{kind}{suffix}"
    return FileResponse(file, status=status, filename=name, content_type=content_type, headers=headers)


def _wanted_range(request: HttpRequest | Any, etag: str) -> tuple[str, str] | None:
    """Return first and last byte as asked for; None for the whole file, which also answers several ranges (RFC 9110, 14.2)."""
    found = _RANGE.fullmatch(request.headers.get("Range", ""))
    if request.method != "GET" or not found or found.groups() == ("", ""):
        return None
    if all(found.groups()) and int(found[2]) < int(found[1]):
        return None
    # The only validator that we give is the ETag; a file that is no longer that one is sent whole.
    return found.groups() if request.headers.get("If-Range", etag) == etag else None


def _resolve(first: str, last: str, size: int) -> tuple[int, int]:
    """Return the range as (start, stop) within a file of `size` bytes; empty where nothing of it is there."""
    if not first:  # the last so many bytes
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size


def _key(photo: Photo, kind: FileKind) -> str:
    if kind in FOR_PATIENTS:
        return {FileKind.DISPLAY: photo.display_key, FileKind.THUMBNAIL: photo.thumbnail_key}[kind]
    return getattr(photo.analysis, f"{kind}_key", "")
