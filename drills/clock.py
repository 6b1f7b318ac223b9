"""The fault of R16: the clocks of web and workers jump forward and back; the database's clock does not.

A file says by how many seconds `time.time()` and Django's `timezone.now()` of each process are wrong. libfaketime would
shift the clock of the whole process, but its 0.9.10 breaks `time.sleep` if the monotonic clock is left unchanged.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

FILE = "clock"
real_time = time.time


def clock_error() -> float:
    """Return the seconds by which this process's clock is wrong."""
    with suppress(OSError, ValueError):
        return float((Path(os.environ["DRILLS_ARMED"]) / FILE).read_text())
    return 0.0


class WrongDatetime(datetime):
    @classmethod
    def now(cls, tz=None) -> datetime:
        return datetime.now(tz) + timedelta(seconds=clock_error())


def install() -> None:
    """Change `time.time` and Django's `timezone.now`, which looks up its `datetime` at each call."""
    time.time = lambda: real_time() + clock_error()
    if "django" in sys.modules:
        from django.utils import timezone

        timezone.datetime = WrongDatetime
