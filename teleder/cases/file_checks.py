"""Reads the stored files of photos and compares them with their hashes: each night a share, so that each is read in a month.

Copies of a time without hashes get theirs here, once, if they look whole; `copies_have_a_hash` names those that have none.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Now

from contract.encryption import LockedOriginalError
from contract.storage import StorageError, StorageUnavailableError
from teleder.cases import originals, storage_mark
from teleder.cases.models import Analysis, DamagedFile, Photo, StoredFile
from teleder.cases.stored_files import note_damage, read_whole

log = logging.getLogger(__name__)

DAYS = 28  # in which each file is read once
RUNS_A_NIGHT = 48  # a short one every five minutes, as results are recorded by the same process
RUN_SECONDS = 45
LATE_DAYS, NO_HASH_DAYS, MENDED_MINUTES = 35, 2, 5
COPIES = (
    StoredFile.DISPLAY,
    StoredFile.ANALYSIS,
    StoredFile.THUMBNAIL,
    StoredFile.VEILED,
    StoredFile.FULL,
)
PICTURES = (StoredFile.MASK, StoredFile.ATTRIBUTION)
WHOLE = {".jpg": (b"\xff\xd8\xff", b"\xff\xd9"), ".png": (b"\x89PNG\r\n", b"IEND\xaeB`\x82")}
NO_HASH = {Photo: COPIES, Analysis: PICTURES}


class FileOfPhoto(NamedTuple):
    """What a row says of a file. `sha256` is empty for the original, whose key says it, and where it is not known."""

    row: Photo | Analysis
    name: StoredFile
    key: str
    sha256: str


def files_named_by(row: Photo | Analysis) -> Iterator[FileOfPhoto]:
    if isinstance(row, Photo):
        yield FileOfPhoto(row, StoredFile.ORIGINAL, row.original_key, "")
    for name in NO_HASH[type(row)]:
        if key := getattr(row, f"{name}_key"):
            yield FileOfPhoto(row, name, key, getattr(row, f"{name}_sha256"))


def file_of(photo: Photo, name: StoredFile) -> FileOfPhoto | None:
    """Return the file of this name that is in use; none where the photo has none any more."""
    row = photo.analysis if name in PICTURES else photo
    return next((each for each in files_named_by(row) if each.name == name), None) if row else None


def is_whole(file: FileOfPhoto) -> bool:
    """Whether a file is as it was written. Raises StorageUnavailableError. A file that is not is read twice."""
    return any(_content(file) is not None for _look in range(2))


def _content(file: FileOfPhoto) -> bytes | None:
    photo = file.row if isinstance(file.row, Photo) else file.row.photo
    try:
        if file.name != StoredFile.ORIGINAL:
            return read_whole(photo.pk, file.name, file.key, file.sha256)
        if photo.sealed_by and photo.sealed_by not in settings.PHOTO_KEYS.by_name:
            return b""  # nobody can say so without its key, and `originals_have_a_key_that_we_hold` names it
        return originals.read(photo.pk, file.key)
    except StorageUnavailableError:
        raise
    except (StorageError, LockedOriginalError):
        return None


def damaged_files(photo: Photo) -> Iterator[FileOfPhoto]:
    """Read all files of a photo; yield, and note, those that are not as they were written."""
    newest = photo.analysis
    for row in (photo, *photo.analyses.all()):
        for file in files_named_by(row):
            if is_whole(file) or not _is_named_still(file):
                continue
            yield file
            if row in (photo, newest):
                note_damage(photo.pk, file.name)
            else:  # nobody is shown it, and the model that drew it may be gone
                log.error("photo %s: a picture of an older analysis is lost", photo.pk)
                same = Analysis.objects.filter(pk=row.pk, **{f"{file.name}_key": file.key})
                same.update(**{f"{file.name}_key": "", f"{file.name}_sha256": ""})


def _is_named_still(file: FileOfPhoto) -> bool:
    """Whether it was neither erased nor made again while it was read."""
    rows = type(file.row).objects.filter(pk=file.row.pk, **{f"{file.name}_key": file.key})
    return rows.exists()


def check_photo(photo: Photo) -> Counter[str]:
    """Read all files of a photo, and give those a hash that have none; count what was found."""
    found = Counter(damaged=sum(1 for _file in damaged_files(photo)), photos=1)
    found["hashes"] = sum(_fill(row, photo) for row in (photo, *photo.analyses.all()))
    Photo.objects.filter(pk=photo.pk).update(files_read_at=Now())
    return found


def _fill(row: Photo | Analysis, photo: Photo) -> int:
    filled = 0
    for file in files_named_by(row):
        content = _content(file) if file.name != StoredFile.ORIGINAL and not file.sha256 else None
        if content is None:
            continue
        first, last = WHOLE.get(file.key[-4:], (b"", b""))
        if content and content.startswith(first) and content.rstrip(b"\0").endswith(last):
            rows = type(row).objects.filter(pk=row.pk, **{f"{file.name}_key": file.key})
            filled += rows.update(**{f"{file.name}_sha256": hashlib.sha256(content).hexdigest()})
        elif row in (photo, photo.analysis):
            note_damage(photo.pk, file.name)
    return filled


def check_photos(photos: Iterable[Photo], seconds: float = float("inf")) -> Counter[str]:
    """Check one photo after another, for so many seconds. Raises StorageUnavailableError where the storage is away."""
    storage_mark.require_mark()
    end, found = time.monotonic() + seconds, Counter()
    for photo in photos:
        if time.monotonic() > end:
            break
        found += check_photo(photo)
    return found


def check_share() -> Counter[str]:
    """Read the share of one run: what has no hash, then what was read longest ago."""
    share = -(-Photo.objects.count() // (DAYS * RUNS_A_NIGHT))
    return check_photos(unread()[:share], RUN_SECONDS)


def unread() -> QuerySet[Photo]:
    """Return photos with a file that has no hash, or that were not read for a month; the oldest first."""
    due = Q(last_read__lt=Now() - timedelta(days=DAYS)) | without_hash()
    return _with_last_read().filter(due).order_by("last_read").prefetch_related("analyses")


def without_hash() -> Q:
    found = Q()
    for name in COPIES:
        found |= ~Q(**{f"{name}_key": ""}) & Q(**{f"{name}_sha256": ""})
    for name in PICTURES:
        rows = Analysis.objects.exclude(**{f"{name}_key": ""}).filter(**{f"{name}_sha256": ""})
        found |= Q(pk__in=rows.values("photo"))
    return found


def _with_last_read() -> QuerySet[Photo]:
    # What a worker has just written counts as read.
    return Photo.objects.alias(last_read=Coalesce("files_read_at", "created_at"))


# --- Invariants -------------------------------------------------------------------------------------------
def copies_have_a_hash() -> Iterator[str]:
    late = Photo.objects.filter(without_hash(), created_at__lt=Now() - timedelta(days=NO_HASH_DAYS))
    yield from map(str, late.values_list("pk", flat=True).iterator())


def stored_files_were_read_lately() -> Iterator[str]:
    late = _with_last_read().filter(last_read__lt=Now() - timedelta(days=LATE_DAYS))
    yield from map(str, late.values_list("pk", flat=True).iterator())


def damaged_files_are_mended() -> Iterator[str]:
    late = DamagedFile.objects.filter(
        mended_at=None, found_at__lt=Now() - timedelta(minutes=MENDED_MINUTES)
    ).annotate(of=F("photo"))
    yield from (f"{damage.of} {damage.name}" for damage in late.iterator())


def stored_files_are_as_they_were_written() -> Iterator[str]:
    for photo in Photo.objects.prefetch_related("analyses").iterator(chunk_size=200):
        yield from (f"{photo.pk} {file.key}" for file in damaged_files(photo))


INVARIANTS = (copies_have_a_hash, stored_files_were_read_lately, damaged_files_are_mended)
READING = (stored_files_are_as_they_were_written,)
