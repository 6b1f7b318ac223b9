"""Columns that hold a worker's results, read as strictly as its messages are.

Rows from before messages were checked may hold anything. An unreadable value counts as no finding, for pages,
API, triage and dispatch alike; the row itself stays as it is.
"""

from __future__ import annotations

import math
from typing import Any

from django.db import models
from django.db.models.fields.json import KeyTransform

from contract import messages


class FindingsField(models.JSONField):
    """JSON of a declared type of the contract; what does not fit reads as an empty value of the column."""

    def __init__(self, *args: Any, declared: Any = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.declared = declared

    def deconstruct(self) -> tuple:
        name, _path, args, options = super().deconstruct()
        return name, "django.db.models.JSONField", args, options

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        found = super().from_db_value(value, expression, connection)
        if found is None or isinstance(expression, KeyTransform):
            return found
        try:
            messages.reader_of(self.declared)(found)
        except ValueError:
            return None if self.null else self.default()
        return found


class MeasureField(models.FloatField):
    """A number from 0 to 1; another value reads as None, or as 0 where the column is not null."""

    def deconstruct(self) -> tuple:
        name, _path, args, options = super().deconstruct()
        return name, "django.db.models.FloatField", args, options

    def from_db_value(self, value: float | None, *_: Any) -> float | None:
        if value is None or (math.isfinite(value) and 0 <= value <= 1):
            return value
        return None if self.null else 0.0
