"""Keeping prefetched rows up to date within a transaction, so that what was just written is not read again."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models


def set_prefetched(instance: models.Model, name: str, rows: Iterable[models.Model]) -> None:
    """Let `instance.<name>.all()` return these rows without a query, as after `prefetch_related`."""
    known = getattr(instance, name).all()
    known._result_cache, known._prefetch_done = list(rows), True
    instance._prefetched_objects_cache = {**getattr(instance, "_prefetched_objects_cache", {}), name: known}


def add_to_prefetched(instance: models.Model, name: str, row: models.Model) -> None:
    """Add a new row to `instance.<name>` where that was prefetched."""
    if name in getattr(instance, "_prefetched_objects_cache", {}):
        set_prefetched(instance, name, [*getattr(instance, name).all(), row])
