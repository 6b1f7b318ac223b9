"""A row is written field by field: one that was loaded earlier does not take back what changed since."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self


class SavesChangesMixin:
    """Of a user: what this instance read, so that only what it changed is written."""

    @classmethod
    def from_db(cls, db: str, field_names: list[str], values: list) -> Self:
        user = super().from_db(db, field_names, values)
        user._remember(field_names)
        return user

    def refresh_from_db(
        self, using: str | None = None, fields: list[str] | None = None, **options: Any
    ) -> None:
        super().refresh_from_db(using, fields, **options)
        self._remember(fields)

    def save(self, *, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Write only the fields that changed on this instance.

        Forms of Django and allauth save whole rows: one loaded before its person was suspended, moved or given
        another password would undo that.
        """
        loaded = getattr(self, "_loaded", {})
        if update_fields is None and not self._state.adding:
            update_fields = [name for name, value in loaded.items() if self.__dict__[name] != value]
        super().save(update_fields=update_fields, **options)
        self._remember(update_fields)

    def _remember(self, fields: Iterable[str] | None) -> None:
        """Note the current values of these fields (all: `None`) as those in the database."""
        wanted = None if fields is None else set(fields)
        names = [
            f.attname for f in self._meta.concrete_fields if wanted is None or wanted & {f.name, f.attname}
        ]
        held = {name: self.__dict__[name] for name in names if name in self.__dict__}
        self._loaded = getattr(self, "_loaded", {}) | held
