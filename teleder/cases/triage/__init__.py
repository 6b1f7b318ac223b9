"""How urgent a submission is: urgency = max(rules, AI, quality). AI can only raise.

Pure: no database, no clock but the one handed in. The policy (questions, rules, times, texts) is versioned
data in `policies/`; each decision stores its id. Clinical source: docs/clinical.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jpholiday
from django.db import models
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from contract.messages import Condition

POLICIES = Path(__file__).parent / "policies"
CURRENT_POLICY = "2026-11-23"


class Urgency(models.IntegerChoices):
    """How soon a person must look. A larger number is more urgent; the worklist sorts by it."""

    ROUTINE = 0, _("routine")
    WEEKS_2 = 1, _("within two weeks")
    DAYS_2 = 2, _("within two days")
    SAME_DAY = 3, _("same day")
    EMERGENCY = 4, _("emergency")

    @property
    def code(self) -> str:
        return self.name.lower()

    def raised(self) -> Urgency:
        return Urgency(min(self + 1, Urgency.EMERGENCY))


class Origin(models.TextChoices):
    ANSWERS = "answers", _("answers")
    MODEL = "model", _("AI")
    PHOTO = "photo", _("photo")
    HUMAN = "human", _("dermatologist")  # a code of the API; nothing writes it yet


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A reason to look sooner. `code` names a rule or a condition; `level` is what it asks for, if anything."""

    origin: Origin
    code: str
    level: Urgency | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "origin": self.origin.value,
            "code": self.code,
            "level": None if self.level is None else int(self.level),
        }


@dataclass(frozen=True, kw_only=True)
class Triage:
    urgency: Urgency
    flags: tuple[Flag, ...]
    policy: str


@dataclass(frozen=True, kw_only=True)
class PhotoReport:
    """What triage needs to know of one photo. `herpes` is the maximum over the whole photo and every crop."""

    readable: bool = True
    probabilities: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    abstained: bool = False
    no_box: bool = False


class PolicyError(ValueError):
    """A policy has a rule without conditions."""


class UnknownPolicyError(LookupError):
    """No policy has this id: a newer version may have judged the submission."""


class Policy:
    """One version of the triage policy, read from its file; raises `PolicyError`."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.id: str = data["id"]
        self.questions: list[Mapping] = data["questions"]
        if unconditional := [
            rule["id"] for rule in data["rules"] if not (rule.get("all") or rule.get("any"))
        ]:
            raise PolicyError(
                f"triage policy {self.id}: without `all` or `any`: rules {', '.join(unconditional)}"
            )

    @property
    def is_draft(self) -> bool:
        return not self.data["signed_by"]

    def level(self, code: str) -> Urgency:
        return Urgency[code.upper()]

    def model_level(self, what: str) -> Urgency | None:
        code = self.data["model_levels"].get(what)
        return self.level(code) if code else None

    def advice(self, name: str, language: str | None = None) -> dict[str, str]:
        """Return title, text and phone of an approved text in `language` (default: the active one)."""
        row = self.data["advice"][name]
        language = (language or get_language() or "ja")[:2]
        return {
            "code": name,
            "title": row["title"][language],
            "text": row["text"][language],
            "phone": row.get("phone", ""),
        }

    def advice_for(self, urgency: Urgency, language: str | None = None) -> dict[str, str]:
        return self.advice(self.data["levels"][urgency.code]["advice"], language)

    def due(self, urgency: Urgency, start: datetime) -> datetime:
        """Return when an answer is due, for a submission that came in at `start` (aware)."""
        level = self.data["levels"][urgency.code]
        if days := level.get("answer_working_days"):
            # The same time of day, `days` Japanese working days later
            moment = timezone.localtime(start)
            while days:
                moment += timedelta(days=1)
                if moment.weekday() < 5 and not jpholiday.is_holiday(moment.date()):
                    days -= 1
            return moment
        return start + timedelta(minutes=level["answer_minutes"])


@cache
def policy(id: str = CURRENT_POLICY) -> Policy:
    """Return a policy by its id; raises `UnknownPolicyError`."""
    path = POLICIES / f"{id}.toml"
    if path.parent != POLICIES or not path.is_file():
        raise UnknownPolicyError(f"no triage policy {id!r}")
    return Policy(tomllib.loads(path.read_text()))


def urgency_of(
    answers: Mapping[str, str],
    photos: Iterable[PhotoReport] = (),
    *,
    policy: Policy,
) -> Triage:
    """Return how urgent it is and why. Adding a photo or a finding never lowers the result."""
    flags = answer_flags(answers, policy)
    flags += dict.fromkeys(flag for photo in photos for flag in photo_flags(photo, policy))
    levels = [flag.level for flag in flags if flag.level is not None]
    return Triage(urgency=max(levels, default=Urgency.ROUTINE), flags=tuple(flags), policy=policy.id)


def answer_flags(answers: Mapping[str, str], policy: Policy) -> list[Flag]:
    """Return a flag for each rule that fits. "Raise one level" counts once, on top of all other answers."""
    fitting = [rule for rule in policy.data["rules"] if _fits(rule, answers)]
    flags = [_answer_flag(r["id"], policy.level(r["level"])) for r in fitting if "level" in r]
    raises = [rule["id"] for rule in fitting if rule.get("raise")]
    if raises:
        base = max((flag.level for flag in flags), default=Urgency.ROUTINE)
        flags += [_answer_flag(id, base.raised()) for id in raises]
    return flags


def photo_flags(photo: PhotoReport, policy: Policy) -> Iterable[Flag]:
    if not photo.readable:
        yield Flag(origin=Origin.PHOTO, code="unreadable", level=policy.model_level("unreadable"))
    if photo.no_box:
        yield Flag(origin=Origin.PHOTO, code="no_box")
    if photo.abstained:
        yield Flag(origin=Origin.MODEL, code="abstained", level=policy.model_level("abstained"))
    for condition in (Condition.HI, Condition.IM, Condition.MF):
        # A threshold counts even where the model abstains: doubt about the whole never hides herpes.
        threshold = photo.thresholds.get(condition)
        if threshold is not None and photo.probabilities.get(condition, 0.0) >= threshold:
            yield Flag(origin=Origin.MODEL, code=condition.value, level=policy.model_level(condition))


def _answer_flag(id: str, level: Urgency) -> Flag:
    return Flag(origin=Origin.ANSWERS, code=id, level=level)


def _fits(rule: Mapping, answers: Mapping[str, str]) -> bool:
    """Return whether every question of `all` and at least one of `any` has a listed answer; a rule may lack one of both."""
    every = all(answers.get(question) in values for question, values in rule.get("all", {}).items())
    some = rule.get("any")
    return every and (not some or any(answers.get(question) in values for question, values in some.items()))
