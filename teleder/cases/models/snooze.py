"""How long a dermatologist puts a case off, and why."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class SnoozeFor(models.TextChoices):
    """How long a case leaves the list; never past its due time, which stays."""

    HOUR = "hour", _("1 hour")
    AFTERNOON = "afternoon", _("until 15:00")
    TOMORROW = "tomorrow", _("until tomorrow, 9:00")
    PHOTOS = "photos", _("until a photo comes")


class SnoozeReason(models.TextChoices):
    """Why. It stays in the history of the case; the patient never sees it."""

    PHONING = "phoning", _("the patient is being phoned")
    COLLEAGUE = "colleague", _("a colleague is being asked")
    RECORDS = "records", _("records are to come")
    PHOTOS = "photos", _("photos are to come")
    TIME = "time", _("it needs more time")
