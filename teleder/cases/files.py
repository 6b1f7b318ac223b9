"""Serves the files of a photo, for pages and API alike; no other code does.

Only copies that the worker made are served, never an uploaded file, and each only after its hash was found right: first the
whole file is read, then the first byte is sent. The content type comes from our own table, and the
browser may not guess another. No cache keeps a copy, but for a while the browser of whoever saw a picture of that version.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse

from contract.storage import FileDamagedError, OpenFile, StorageError, StorageUnavailableError
from contract.storage.keys import CONTENT_TYPES
from teleder.cases import ai_opinion, storage_mark, stored_files
from teleder.cases.models import Photo, PhotoQuerySet, StoredFile


class FileKind(StrEnum):
    DISPLAY = "display"
    THUMBNAIL = "thumbnail"
    VEILED = "veiled"
    FULL = "full"
    MASK = "mask"
    ATTRIBUTION = "attribution"


FOR_PATIENTS = {FileKind.DISPLAY, FileKind.THUMBNAIL, FileKind.VEILED, FileKind.FULL}
HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def serve(
    request: HttpRequest | Any, photo: UUID, kind: str, *, shared: PhotoQuerySet | None = None
) -> FileResponse | HttpResponse:
    """Stream one file of a photo that the request's user may see: whole (200) or the one range asked for (206, 416).

    `shared` are the photos that a share link shows, whoever asks: as their patient sees them.
    Raises StorageUnavailableError, also for a damaged copy, which is then made again, and `Http404` alike for an unknown photo, somebody else's, a removed one, a file that is not made yet,
    and for the AI's mask or attribution where its opinion is not open to the user: to a patient it never is.
    """
    rows = Photo.objects.visible_to(request.user) if shared is None else shared
    found = rows.current().filter(pk=photo).select_related("submission").first()
    if found is None or kind not in (set(FileKind) if shared is None else FOR_PATIENTS):
        raise Http404
    if kind not in FOR_PATIENTS and not ai_opinion.is_open(found.submission, request.user):
        raise Http404
    row = found if kind in FOR_PATIENTS else found.analysis
    key, sha256 = (getattr(row, f"{kind}_{part}", "") for part in ("key", "sha256"))
    content_type = CONTENT_TYPES.get(suffix := Path(key).suffix)
    if content_type is None:
        raise Http404
    # A key names one attempt's file for ever, so its hash may stand for the content.
    etag = f'"{hashlib.sha256(key.encode()).hexdigest()[:32]}"'
    headers = HEADERS | {"Accept-Ranges": "bytes", "ETag": etag}
    if kind in FOR_PATIENTS and request.GET.get("v") == found.copy_version != "":
        # Its address changes with its content. After a log-out, the cookie is another one.
        seconds = settings.PHOTO_CACHE_MINUTES * 60
        headers |= {
            "Cache-Control": f"private, max-age={seconds}, immutable",
            "Vary": "Cookie, Authorization",
        }
    try:
        content = stored_files.read_file(found.pk, StoredFile(kind), key, sha256)
    except StorageUnavailableError:  # answered with 503: the photo is there
        raise
    except FileDamagedError as error:
        raise StorageUnavailableError(f"photo {found.pk}: {kind} is damaged") from error
    except StorageError as error:
        storage_mark.require_mark()  # where the disk is not mounted, no photo is missing
        raise Http404 from error
    size, status = len(content), 200
    if (wanted := _wanted_range(request, etag)) is not None:
        start, stop = _resolve(*wanted, size)
        if start >= stop:
            headers["Content-Range"] = f"bytes */{size}"
            return HttpResponse(status=416, content_type="text/plain", headers=headers)
        content, status = content[start:stop], 206
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(len(content))
    file, name = OpenFile(size, iter([content])), f"{kind}{suffix}"
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
