"""Figures over many rows: exact where they are small, up to some seconds old where counting takes long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.core.cache import caches

from teleder.accounts.models import User

EXACT = 1000  # of so many rows, counting takes about a millisecond
Figures = TypeVar("Figures")


def recent(
    name: str, user: User, seconds: float, count: Callable[[], Figures], *, rows: Callable[[Figures], int]
) -> Figures:
    """Return what `count` finds for the clinic of `user`; with more than `EXACT` rows it may be `seconds` old.

    Each process keeps figures of its own. They must be the same for everybody who sees this clinic.
    """
    kept, key = caches["process"], f"{name}.{'all' if user.is_superuser else user.clinic_id}"
    found: Any = kept.get(key)
    if found is None:
        found = count()
        if rows(found) > EXACT:
            kept.set(key, found, seconds)
    return found
