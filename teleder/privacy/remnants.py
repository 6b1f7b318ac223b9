"""Erased data outside of the database: folders of photos, and messages and counters in Valkey.

The rows are deleted first, in one transaction that adds a `Remnant` for each place. The place is then emptied repeatedly
for a day: a worker that was reading an erased photo may still write its copies.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now
from redis.exceptions import RedisError

from teleder.pipeline import broker
from teleder.privacy.models import Remnant
from teleder.security import rate_limits

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 60
LOOKED_AFTER_HOURS = 24  # longer than any lease; after that leftovers.py finds what appears
AT_ONCE = 500


def leave(places: Iterable[str]) -> None:
    """Note places ("photos/<id>", "person/<id>") to be emptied after this transaction commits."""
    until = Now() + timedelta(hours=LOOKED_AFTER_HOURS)
    rows = [Remnant(place=place, until=until) for place in places]
    Remnant.objects.bulk_create(rows, ignore_conflicts=True)


def clear() -> int:
    """Empty every place that is due; return how many were looked at."""
    due = [row for row in Remnant.objects.filter(next_at__lte=Now())[:AT_ONCE] if _is_emptied(row.place)]
    if not due:
        return 0
    _forget_in_valkey([row.place.partition("/")[2] for row in due])
    rows = Remnant.objects.filter(pk__in=[row.pk for row in due])
    rows.filter(until__lt=Now()).delete()
    rows.update(next_at=Now() + timedelta(seconds=LOOK_AGAIN_SECONDS))
    return len(due)


def _is_emptied(place: str) -> bool:
    """Remove the place; if that fails it stays due (`check_record` reports it) and does not stop the others."""
    try:
        _remove_folder(place)
    except OSError as error:
        log.error("%s could not be removed (%s)", place, type(error).__name__)
        return False
    return True


def _remove_folder(place: str) -> None:
    kind, _slash, pk = place.partition("/")
    if kind == "photos":
        settings.PHOTO_STORAGE.delete_all(f"photos/{UUID(pk)}")


def _forget_in_valkey(ids: list[str]) -> None:
    try:
        broker.forget_messages(ids)
        rate_limits.delete_keys_naming(ids)
    except RedisError as error:  # the place stays noted, and messages end by themselves
        log.warning("Valkey away (%s): trying again in a minute", type(error).__name__)
