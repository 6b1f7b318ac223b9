"""Files that no row names: of an upload that was cut off, of a process that died, of an attempt that lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from teleder.cases.models import Analysis, Photo

KEEP_HOURS = 24  # longer than any request or attempt


def collect() -> int:
    """Delete what was left over; return how many files."""
    found = list(leftovers(KEEP_HOURS))
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def leftovers(hours: float) -> Iterator[Path]:
    """Yield the files older than `hours` that no row names."""
    root, old = Path(settings.MEDIA_ROOT), time.time() - hours * 3600
    aged = [path for path in root.glob("photos/**/*") if path.is_file() and path.stat().st_mtime < old]
    named = _named_keys()  # read after the files: what was recorded meanwhile is no leftover
    yield from (path for path in aged if str(path.relative_to(root)) not in named)


def _named_keys() -> set[str]:
    of_photos = Photo.objects.values_list("original_key", "display_key", "analysis_key", "thumbnail_key")
    of_analyses = Analysis.objects.values_list("mask_key", "attribution_key")
    return {key for rows in (of_photos, of_analyses) for row in rows.iterator() for key in row if key}
