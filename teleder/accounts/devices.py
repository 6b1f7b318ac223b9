"""Browsers in which a person is logged in, so that they can see and end them."""

from __future__ import annotations

import re

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from teleder.accounts.text import LineField

AGENT_CHARACTERS = 300
# The first that is found counts: many browsers name others, too.
BROWSERS = {
    "Edge": r"Edg(e|A|iOS)?/",
    "Samsung Internet": r"SamsungBrowser/",
    "Opera": r"OPR/",
    "LINE": r"\bLine/",
    "Firefox": r"(Firefox|FxiOS)/",
    "Chrome": r"(Chrome|CriOS)/",
    "Safari": r"Safari/",
}
SYSTEMS = {
    "iPhone": r"iPhone",
    "iPad": r"iPad",
    "Android": r"Android",
    "Windows": r"Windows",
    "Mac": r"Macintosh",
    "Linux": r"Linux",
}


class Device(models.Model):
    """One session. The row outlives the session by at most a night; without its session it is shown to nobody."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="devices")
    session_key = models.CharField(max_length=40, unique=True)
    user_agent = LineField(max_length=AGENT_CHARACTERS, blank=True)
    logged_in_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-seen_at",)

    def __str__(self) -> str:
        return f"{self.person_id} {self.seen_at:%Y-%m-%d}"

    @property
    def name(self) -> str:
        """The browser and the system, as far as the browser says: "Safari, iPhone"."""
        found = [_first(BROWSERS, self.user_agent), _first(SYSTEMS, self.user_agent)]
        return ", ".join(filter(None, found)) or _("Unknown browser")


def _first(names: dict[str, str], agent: str) -> str:
    return next((name for name, pattern in names.items() if re.search(pattern, agent)), "")
