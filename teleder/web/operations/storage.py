"""Whether the storage of photos is there, how full it is, and for how many days the rest will do."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.cache import caches
from django.db.models import Sum

from contract.storage import FileStorage
from teleder.cases import storage_mark
from teleder.cases.models import Photo

GROWTH_DAYS = 7
SECONDS = 300  # how old the growth may be
NO_ROOM_PERCENT = 99.5  # less than this share is left of a disk that takes no photo any more
FULL_PERCENT, FEW_DAYS = 90, 7
DAYS_SHOWN = 1000  # a number of more days says nothing, and changes with each file elsewhere on the disk


@dataclass(frozen=True)
class StorageState:
    """`percent` is unknown for a storage without a disk of its own, as S3."""

    percent: float | None
    days_left: int | None  # none: it hardly grows, or nobody knows
    is_ours: bool = True  # it holds this database's mark

    @property
    def is_full(self) -> bool:
        return self.percent is not None and self.percent >= NO_ROOM_PERCENT

    @property
    def is_short(self) -> bool:
        return (
            (not self.is_full)
            and self.percent is not None
            and (self.percent >= FULL_PERCENT or (self.days_left is not None and self.days_left < FEW_DAYS))
        )


def storage_state(now: datetime) -> StorageState:
    storage = settings.PHOTO_STORAGE
    if not storage_mark.is_ours():
        return StorageState(None, None, is_ours=False)
    if not isinstance(storage, FileStorage):
        return StorageState(None, None)
    try:
        disk = shutil.disk_usage(storage.root)
    except OSError:  # not mounted: the probes report that
        return StorageState(None, None)
    growth = _bytes_a_day(now)
    days = int(disk.free / growth) if growth else None
    known = days if days is not None and days <= DAYS_SHOWN else None
    return StorageState(100 * (disk.total - disk.free) / disk.total, known)


def _bytes_a_day(now: datetime) -> float:
    """Return how much was sent each day lately: originals alone, the copies of a photo are small beside it."""
    kept = caches["process"]
    if (found := kept.get("storage.growth")) is None:
        # Ids carry the time of their making: no other index is needed.
        milliseconds = int((now - timedelta(days=GROWTH_DAYS)).timestamp() * 1000)
        rows = Photo.objects.filter(pk__gte=UUID(int=milliseconds << 80))
        found = (rows.aggregate(bytes=Sum("size"))["bytes"] or 0) / GROWTH_DAYS
        kept.set("storage.growth", found, SECONDS)
    return found
