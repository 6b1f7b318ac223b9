"""Files that no row names: of an interrupted upload, of a process that died, of a superseded attempt."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.conf import settings

from contract.messages import Stage
from contract.storage.keys import ORIGINAL, is_of
from teleder.cases.models import Analysis, Photo

# What stands below the folder of which stage.
COLUMNS = {"original_key": ORIGINAL} | dict.fromkeys(
    ("display_key", "analysis_key", "thumbnail_key"), Stage.PREPARE
)
COLUMNS_OF_ANALYSES = dict.fromkeys(("mask_key", "attribution_key"), Stage.ANALYSE)
KEEP_HOURS = 24  # longer than any request or attempt


def collect_leftovers() -> int:
    """Delete what was left over; return how many files."""
    found = list(leftovers(KEEP_HOURS))
    for key in found:
        settings.PHOTO_STORAGE.delete(key)
    return len(found)


def leftovers(hours: float) -> Iterator[str]:
    """Yield the keys of files older than `hours` that no row names."""
    old = time.time() - hours * 3600
    aged = [entry.key for entry in settings.PHOTO_STORAGE.list("photos") if entry.modified < old]
    named = _named_keys()  # read after the files: what was recorded meanwhile is no leftover
    yield from (key for key in aged if key not in named)


def _named_keys() -> set[str]:
    """Return every stored key that is of its own photo: what a row names of another's keeps nothing there."""
    of_photos = Photo.objects.values_list("pk", *COLUMNS)
    of_analyses = Analysis.objects.values_list("photo", *COLUMNS_OF_ANALYSES)
    named = set()
    for rows, columns in ((of_photos, COLUMNS), (of_analyses, COLUMNS_OF_ANALYSES)):
        for pk, *found in rows.iterator():
            stages = zip(columns.values(), found, strict=True)
            named |= {key for stage, key in stages if is_of(pk, stage, key)}
    return named
