"""Dates as a patient reads them: always with the weekday, near ones as "today" and "tomorrow" with the time."""

from __future__ import annotations

from datetime import date, datetime

from django import template
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from teleder.accounts.dates import weekday_and_date, weekday_date_and_time, zone_name

register = template.Library()
register.filter(weekday_and_date)
register.filter(weekday_date_and_time)
register.filter(zone_name)


@register.filter
def day(moment: datetime, *, exact: bool = False) -> str:
    """Return "today 20:38", "tomorrow 09:00" or "Fri 4 Dec", which `exact` follows with the time; in Japanese
    今日 20:38, 明日 09:00 and 12月4日（金）."""
    local = timezone.localtime(moment)
    time, days = f"{local:%H:%M}", (local.date() - timezone.localdate()).days
    if days in (0, 1):
        return (_("today %(time)s") if days == 0 else _("tomorrow %(time)s")) % {"time": time}
    found = weekday_and_date(local)
    return f"{found} {time}" if exact else found


@register.filter
def promise(moment: datetime) -> str:
    """Return a promised time with weekday and zone: "Fri 4 Dec, 18:00 (Japan time)", "today, Mon 30 Nov, 20:38 (CET)"."""
    local = timezone.localtime(moment)
    days = (local.date() - timezone.localdate()).days
    texts = {
        0: _("today, %(day)s, %(time)s (%(zone)s)"),
        1: _("tomorrow, %(day)s, %(time)s (%(zone)s)"),
    }
    text = texts.get(days, _("%(day)s, %(time)s (%(zone)s)"))
    return text % {"day": weekday_and_date(local), "time": f"{local:%H:%M}", "zone": zone_name(local)}


@register.filter
def exact_day(moment: datetime) -> str:
    """Return the day with its time, near or far."""
    return day(moment, exact=True)


@register.filter
def days_left(moment: datetime | date) -> str:
    """Return "in 6 days", to a moment or a day of the reader's calendar; nothing for today, tomorrow and what has passed."""
    day = timezone.localtime(moment).date() if isinstance(moment, datetime) else moment
    days = (day - timezone.localdate()).days
    return ngettext("in %(days)s day", "in %(days)s days", days) % {"days": days} if days > 1 else ""


@register.filter
def is_past(moment: datetime) -> bool:
    return moment < timezone.now()


@register.filter
def is_to_come(day: date) -> bool:
    """Whether a day is after today on the reader's calendar."""
    return day > timezone.localdate()
