"""Working days and staffed hours: when a time that was promised is over. Pure, like the triage."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import jpholiday
from django.utils import timezone

DAY_MINUTES = 24 * 60


def working_days_after(start: datetime, days: int) -> datetime:
    """Return the same time of day, `days` Japanese working days later."""
    moment = timezone.localtime(start, timezone.get_default_timezone())  # whoever asks, wherever they are
    while days:
        moment += timedelta(days=1)
        days -= is_working_day(moment)
    return moment


def is_working_day(day: date) -> bool:
    return day.weekday() < 5 and not jpholiday.is_holiday(date(day.year, day.month, day.day))


def staffed_after(start: datetime, minutes: int, hours: tuple[time, time] | None) -> datetime:
    """Return the moment by which a clinic that opens and closes at these `hours` of working days has worked so many
    minutes; each full 24 hours of them count as one working day. Without `hours` it is staffed around the clock."""
    if hours is None:
        return start + timedelta(minutes=minutes)
    (opens, closes), left = hours, timedelta(minutes=minutes % DAY_MINUTES)
    moment = _staffed(timezone.localtime(start, timezone.get_default_timezone()), opens, closes)
    moment = working_days_after(moment, minutes // DAY_MINUTES)
    while left > (today := datetime.combine(moment, closes, moment.tzinfo) - moment):
        left -= today
        moment = _staffed(moment + today, opens, closes)
    return moment + left


def staffed_minutes_between(start: datetime, end: datetime, hours: tuple[time, time] | None) -> int:
    """Return the minutes that `staffed_after` needs from `start` to `end`; 0 where `end` is past."""
    if hours is None or end <= start:
        return max(0, round((end - start) / timedelta(minutes=1)))
    opens, closes = hours
    moment, end = (timezone.localtime(each, timezone.get_default_timezone()) for each in (start, end))
    moment, days, rest = _staffed(moment, opens, closes), 0, timedelta()
    while (later := working_days_after(moment, 1)) <= end:
        moment, days = later, days + 1
    while moment < end:
        closing = datetime.combine(moment, closes, moment.tzinfo)
        rest += min(closing, end) - moment
        moment = _staffed(closing, opens, closes)
    return days * DAY_MINUTES + round(rest / timedelta(minutes=1))


def _staffed(moment: datetime, opens: time, closes: time) -> datetime:
    """Return `moment` if the clinic is staffed then, else when it opens next."""
    if moment.time() >= closes:
        moment = datetime.combine(moment + timedelta(days=1), opens, moment.tzinfo)
    elif moment.time() < opens:
        moment = datetime.combine(moment, opens, moment.tzinfo)
    while not is_working_day(moment):
        moment = datetime.combine(moment + timedelta(days=1), opens, moment.tzinfo)
    return moment
