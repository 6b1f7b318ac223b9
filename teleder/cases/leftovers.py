"""Files that no row names: of an interrupted upload, of a process that died, of a superseded attempt."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.conf import settings

from contract.messages import Stage
from contract.storage.keys import ORIGINAL, is_of
from teleder.cases.models import Analysis, DrawnCropFinding, Photo

# What stands below the folder of which stage.
COLUMNS = {"original_key": ORIGINAL} | dict.fromkeys(
    ("display_key", "analysis_key", "thumbnail_key", "veiled_key"), Stage.PREPARE
)
COLUMNS["full_key"] = Stage.FULL
COLUMNS_OF_ANALYSES = dict.fromkeys(("mask_key", "attribution_key"), Stage.ANALYSE)
COLUMNS_OF_DRAWN = {"mask_key": Stage.REANALYSE}
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
    # Read after the files: what was recorded meanwhile is no leftover. What a row names of another photo's keeps nothing.
    of_photos = Photo.objects.values_list("pk", *COLUMNS)
    of_analyses = Analysis.objects.values_list("photo", *COLUMNS_OF_ANALYSES)
    of_drawn = DrawnCropFinding.objects.values_list("drawn_crop__photo", *COLUMNS_OF_DRAWN)
    named = set()
    of_tables = ((of_photos, COLUMNS), (of_analyses, COLUMNS_OF_ANALYSES), (of_drawn, COLUMNS_OF_DRAWN))
    for rows, columns in of_tables:
        for pk, *found in rows.iterator():
            stages = zip(columns.values(), found, strict=True)
            named |= {key for stage, key in stages if is_of(pk, stage, key)}
    yield from (key for key in aged if key not in named)
