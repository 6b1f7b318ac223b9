"""How much time is left until an answer is due, in words."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from teleder.cases import pausing
from teleder.cases.models import Submission


def time_left(submission: Submission) -> str:
    """Return when the answer is due; while its patient is asked for photos, that the clock stands still and what is left."""
    if not submission.is_paused:
        return due_text(submission.due_at)
    left = pausing.minutes_left(submission)
    if not left:
        return _("on hold: waits for photos")
    until = timezone.now()
    time = timesince(until - timedelta(minutes=left), until, depth=2)
    if settings.STAFFED_HOURS:
        return _("on hold, %(time)s of opening hours left: waits for photos") % {"time": time}
    return _("on hold, %(time)s left: waits for photos") % {"time": time}


def due_text(due: datetime) -> str:
    """Return the time in two units: with 1:59 left, "1 hour" would be wrong by half."""
    now = timezone.now()
    if due < now:
        return _("overdue by %(time)s") % {"time": timesince(due, now, depth=2)}
    return _("due in %(time)s") % {"time": timesince(now, due, depth=2)}
