"""Days and zones as people read them, in the active language."""

from __future__ import annotations

from datetime import date, datetime

from django.conf import settings
from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.translation import gettext as _


def weekday_and_date(day: date) -> str:
    """Return "Fri 4 Dec" or 12月4日（金）, of a day or of the local day of a moment."""
    # Translators: a format of Django's template filter `date`
    return format_date(day, _("D j M"))


def weekday_date_and_time(moment: datetime) -> str:
    """Return "Fri 4 Dec 2026, 18:00" or 2026年12月4日（金） 18:00, as something is dated that is kept."""
    # Translators: a format of Django's template filter `date`
    return format_date(timezone.localtime(moment), _("D j M Y, H:i"))


def zone_name(local: datetime) -> str:
    """Return the name of a local time's zone: "Japan time", "CEST", or "UTC-3" where the zone has no letters."""
    if local.tzinfo == timezone.get_default_timezone() and settings.TIME_ZONE == "Asia/Tokyo":
        return _("Japan time")
    name = local.tzname() or ""
    return name if name.isalpha() else f"UTC{name}"
