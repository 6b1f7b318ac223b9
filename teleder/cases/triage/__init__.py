"""How urgent a submission is: urgency = max(rules, AI, quality). AI can only raise.

Pure: no database, no clock but the one handed in. The policy (questions, rules, times, texts) is versioned
data in `policies/`; each decision stores its id. Clinical source: docs/clinical.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from contract.alarms import Alarm, Condition
from contract.photos import QualityFault
from teleder.cases.triage.staffed import DAY_MINUTES as DAY_MINUTES
from teleder.cases.triage.staffed import is_working_day as is_working_day
from teleder.cases.triage.staffed import staffed_after, working_days_after
from teleder.cases.triage.staffed import staffed_minutes_between as staffed_minutes_between

POLICIES = Path(__file__).parent / "policies"
CURRENT_POLICY = "2026-11-29"
# Answers that were corrected from "today" to less: a person still looks within two days. They may have been right.
CORRECTED = "corrected"
# Questions that contradict the answer just given to another: "yes" to that one, which is more urgent by every policy, leaves them out.
NOT_ASKED_AFTER_YES = {"near_eye": "eye_symptoms"}
ALARMING = (Condition.HI, Condition.IM, Condition.MF)  # in the order in which they must be named


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
    """What triage needs to know of one photo; with `readable` false, that its submission has no usable photo."""

    readable: bool = True
    alarms: tuple[Alarm, ...] = ()  # those that ring
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

    def alarm_level(self, alarm: Alarm) -> Urgency | None:
        """Return what an alarm raises to; None where its figures have not earned that. Policies before 2026-11-28 have
        no bounds and trust every alarm."""
        bounds = self.data.get("alarms")
        if bounds is not None:
            ratios = [alarm.likelihood_ratio, alarm.likelihood_ratio_ad]
            needed = [(ratio, bounds["likelihood_ratio_low"]) for ratio in ratios]
            needed.append((alarm.sensitivity, bounds["sensitivity_low"]))
            if any(figure is None or figure.low < bound for figure, bound in needed):
                return None
        return self.model_level(alarm.condition)

    @property
    def unusable_faults(self) -> list[str]:
        """The faults with which a photo counts as unusable."""
        # A policy without a list is older than the fault "too small", and judges as it did.
        known = [fault for fault in QualityFault if fault != QualityFault.TOO_SMALL]
        return self.data.get("photos", {}).get("unusable_faults", known)

    @property
    def needs_skin(self) -> bool:
        """Whether a photo on which no skin was found counts as unusable."""
        return self.data.get("photos", {}).get("needs_skin", False)

    @property
    def spot_check_one_in(self) -> int:
        """Of so many routine cases one is a spot check; 0: none is."""
        return self.data.get("spot_check", {}).get("one_in", 0)

    def is_left_out(self, question: str, answers: Mapping[str, str]) -> bool:
        """Whether a question is not asked because of the answer to another."""
        return answers.get(NOT_ASKED_AFTER_YES.get(question, "")) == "yes"

    def unanswered(self, answers: Mapping[str, str]) -> list[int]:
        """Return the numbers of the questions that still need an answer, from 1."""
        ids = enumerate((row["id"] for row in self.questions), 1)
        return [number for number, id in ids if id not in answers and not self.is_left_out(id, answers)]

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
        """Return when an answer is due, for a submission that came in at `start` (aware). Only staffed hours count."""
        level = self.data["levels"][urgency.code]
        if days := level.get("answer_working_days"):
            return working_days_after(start, days)
        return staffed_after(start, level["answer_minutes"], settings.STAFFED_HOURS)

    def counts_working_days(self, urgency: Urgency) -> bool:
        return "answer_working_days" in self.data["levels"][urgency.code]

    def spot_check_due(self, start: datetime) -> datetime:
        return working_days_after(start, self.data["spot_check"]["answer_working_days"])


def is_drawn_for_spot_check(submission: Any, one_in: int) -> bool:
    """Whether this id is drawn: random, nobody outside can foresee it, and the same at every try."""
    digest = salted_hmac("teleder.cases.spot_checks", str(submission), algorithm="sha256").digest()
    return bool(one_in) and int.from_bytes(digest[:8], "big") % one_in == 0


@cache
def read_texts(name: str) -> Mapping[str, Any]:
    return tomllib.loads((POLICIES.parent / f"{name}.toml").read_text())


def warning_signs(*, answered: bool) -> dict[str, Any]:
    """Return title, text and list of the signs not to wait for, in the active language."""
    data, language = read_texts("warning_signs"), (get_language() or "ja")[:2]
    return {
        "title": data["title"][language],
        "text": data["after_answer" if answered else "before_answer"][language],
        "signs": [sign[language] for sign in data["signs"]],
    }


def advice_for(submission: Any, language: str | None = None) -> dict[str, str]:
    """Return the approved text for what the answers of a submission mean: that of their level in its policy, or a general one
    where "two days" rests on nothing that the policy's text speaks of."""
    level, language = Urgency(submission.rule_urgency), (language or get_language() or "ja")[:2]
    answered = [flag for flag in submission.flags if flag["origin"] == Origin.ANSWERS]
    reasons = {flag["code"] for flag in answered if flag["level"] == level}
    for row in read_texts("days_2_advice")["texts"] if level == Urgency.DAYS_2 and reasons else ():
        if reasons <= {*row["flags"]}:
            return {
                "code": row["code"],
                "title": row["title"][language],
                "text": row["text"][language],
                "phone": "",
            }
    return policy(submission.policy).advice_for(level, language)


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
    sites: Collection[str] = (),
    corrected_from: int = Urgency.ROUTINE,
) -> Triage:
    """Return how urgent it is and why. Adding a photo or a finding never lowers the result.

    `sites` are the case's body sites, `corrected_from` the highest level that answers had before they were corrected.
    """
    flags = answer_flags(answers, policy)
    by_answers = max((flag.level for flag in flags), default=Urgency.ROUTINE)
    if by_answers < Urgency.SAME_DAY <= corrected_from:
        flags.append(_answer_flag(CORRECTED, Urgency.DAYS_2))
    # Those of the body site raise nothing. Policies before 2026-11-29 have none.
    of_sites = policy.data.get("site_flags", [])
    flags += [
        Flag(origin=Origin.ANSWERS, code=row["id"])
        for row in of_sites
        if not {*sites}.isdisjoint(row["sites"])
    ]
    flags += _most_urgent(flag for photo in photos for flag in photo_flags(photo, policy))
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
    # Only a policy that raises for it flags an abstention: the verdict says it otherwise.
    if photo.abstained and (level := policy.model_level("abstained")) is not None:
        yield Flag(origin=Origin.MODEL, code="abstained", level=level)
    # An alarm counts even where the model abstains: doubt about the whole never hides herpes.
    for alarm in photo.alarms:
        yield Flag(origin=Origin.MODEL, code=alarm.condition, level=policy.alarm_level(alarm))


def _most_urgent(flags: Iterable[Flag]) -> list[Flag]:
    """Return one flag of each origin and code, that of the highest level, in the order they were first seen."""
    found: dict[tuple[str, str], Flag] = {}
    for flag in flags:
        known = found.setdefault((flag.origin, flag.code), flag)
        if flag.level is not None and (known.level is None or flag.level > known.level):
            found[flag.origin, flag.code] = flag
    return list(found.values())


def _answer_flag(id: str, level: Urgency) -> Flag:
    return Flag(origin=Origin.ANSWERS, code=id, level=level)


def _fits(rule: Mapping, answers: Mapping[str, str]) -> bool:
    """Return whether every question of `all` and at least one of `any` has a listed answer; a rule may lack one of both."""
    every = all(answers.get(question) in values for question, values in rule.get("all", {}).items())
    some = rule.get("any")
    return every and (not some or any(answers.get(question) in values for question, values in some.items()))
