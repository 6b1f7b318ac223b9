"""The runbook: of every kind of alert what it means, what patients see, what to do, and how to see that it helped.

Its one source is runbook.toml; the page for admins and docs/runbook.md (`./run runbook`) are made of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import get_language

FILE = Path(__file__).parent / "runbook.toml"


class AlertKind(StrEnum):
    """What the board shows as a problem. The first eleven are told by the watch, too, under the same names."""

    WEB = "web"
    DATABASE = "database"
    CONNECTION = "connection"
    STORAGE = "storage"
    BROKER = "broker"
    SWEEPER = "sweeper"
    RESULTS = "results"
    PREPARE = "prepare"
    INFERENCE = "inference"
    BEAT = "beat"
    WATCH = "watch"
    ORIGINAL_DAMAGED = "original_damaged"
    COPY_DAMAGED = "copy_damaged"
    PHOTOS_UNSEEN = "photos_unseen"
    RESULTS_PILE_UP = "results_pile_up"
    OVERDUE = "overdue"
    JOBS_STOPPED = "jobs_stopped"
    LICENCE_EXPIRED = "licence_expired"
    LICENCE_UNCHECKED = "licence_unchecked"
    STORAGE_FULL = "storage_full"
    STORAGE_SHORT = "storage_short"
    BACKUP_OVERDUE = "backup_overdue"
    MESSAGES_FAILED = "messages_failed"
    MESSAGES_REFUSED = "messages_refused"
    ALARM_RATE = "alarm_rate"


# What differs between clinics; all else is about the machines that they share.
OF_CLINIC = frozenset(
    {
        *(AlertKind.ORIGINAL_DAMAGED, AlertKind.COPY_DAMAGED, AlertKind.PHOTOS_UNSEEN, AlertKind.OVERDUE),
        *(AlertKind.JOBS_STOPPED, AlertKind.LICENCE_EXPIRED, AlertKind.LICENCE_UNCHECKED),
        *(AlertKind.MESSAGES_FAILED, AlertKind.ALARM_RATE),
    }
)


@dataclass(frozen=True)
class Section:
    """One kind of alert in one language; `steps` in their order."""

    kind: str
    title: str
    meaning: str
    patients: str
    steps: list[str]
    check: str


@cache
def sections_by_language() -> dict[str, dict[str, dict[str, Any]]]:
    """Return {kind: {"ja" or "en": the fields of a Section}}."""
    return tomllib.loads(FILE.read_text())


def section(kind: str, language: str | None = None) -> Section:
    """Return the section in this language, else in the active one."""
    code = (language or get_language() or settings.LANGUAGE_CODE)[:2]
    found = sections_by_language()[kind]
    return Section(kind, **found.get(code, found["en"]))


def sections(language: str | None = None) -> Iterator[Section]:
    return (section(kind, language) for kind in AlertKind)


def link(kind: str) -> str:
    """Return the address of a section, for a mail."""
    return f"{settings.PUBLIC_URL}{reverse('web:runbook')}#{kind}"
