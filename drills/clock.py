"""The fault of R16: clocks of web and workers that jump, ahead and back; the database's does not.

What jumps is `time.time()` and Django's `timezone.now()` of each process, by as many seconds as a file says. libfaketime
would turn the whole process's clock, but its 0.9.10 breaks `time.sleep` where the monotonic clock is left alone.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

FILE = "clock"
honest = time.time


def jumped_by() -> float:
    """Return the seconds by which this process's clock is wrong."""
    with suppress(OSError, ValueError):
        return float((Path(os.environ["DRILLS_ARMED"]) / FILE).read_text())
    return 0.0


class Jumped(datetime):
    @classmethod
    def now(cls, tz=None) -> datetime:
        return datetime.now(tz) + timedelta(seconds=jumped_by())


def install() -> None:
    """Change `time.time`, and Django's `timezone.now` wherever it was imported: it looks its datetime up when called."""
    time.time = lambda: honest() + jumped_by()
    if "django" in sys.modules:
        from django.utils import timezone

        timezone.datetime = Jumped
