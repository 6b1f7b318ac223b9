"""In which time zone a patient reads times: the one they chose, else that of their browser, else the clinic's.

Promises are counted in the clinic's zone (`settings.TIME_ZONE`) whoever reads them: its staffed hours are there.
"""

from __future__ import annotations

from datetime import tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.db import models
from django.utils import timezone

COOKIE = "teleder_time_zone"  # set by static/web/app.js
NAME_LENGTH = 40
REGIONS = (
    *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic"),
    *("Australia", "Europe", "Indian", "Pacific"),
)


class TimeZoneField(models.CharField):
    """The name of a time zone, for example Europe/Berlin, or an empty string."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            *args, **{"max_length": NAME_LENGTH, "blank": True, "default": "", "db_default": ""} | kwargs
        )


@cache
def names() -> tuple[str, ...]:
    """Return the names of all zones of places, in order."""
    found = (name for name in available_timezones() if name.partition("/")[0] in REGIONS)
    return tuple(sorted(name for name in found if "/" in name))


def zone_of(person: Any) -> tzinfo:
    """Return the zone in which `person` reads times. Staff, and visitors without an account, read the clinic's."""
    if getattr(person, "is_patient", False):
        for name in (person.time_zone, person.device_time_zone):
            if name in names():
                return ZoneInfo(name)
    return timezone.get_default_timezone()
