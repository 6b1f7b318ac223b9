"""What `manage.py doctor` finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.utils import timezone


class State(StrEnum):
    FINE = "fine"
    NOTE = "note"  # works, and is not as a clinic should run it
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    part: str
    state: State
    words: str
    remedy: str = ""


Found = Iterator[tuple[State, str, str] | tuple[State, str]]


def ago(moment: datetime | None) -> str:
    return f"{(timezone.now() - moment).total_seconds() / 60:.0f} min ago" if moment else "never"
