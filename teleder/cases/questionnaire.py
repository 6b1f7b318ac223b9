"""Red flags and history: one definition, rendered by pages and API alike.

Texts of the red-flag questions come from the triage policy; history, body sites and choices are here,
as gettext strings. `clean_*` turn untrusted input into answers or raise `ValidationError` by field.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import get_language, override
from django.utils.translation import gettext_lazy as _

from teleder.accounts.normalisation import normalise_number
from teleder.accounts.text import clean_text
from teleder.cases.triage import Policy

FREE_TEXT_LIMIT = 2000
HISTORY_CODE_LIMIT = 20

YES_NO_UNSURE = {
    "no": _("No"),
    "yes": _("Yes"),
    "unsure": _("I don't know"),
}


@dataclass(frozen=True)
class Question:
    """One red-flag question with its choices, in the active language."""

    id: str
    text: str
    choices: tuple[tuple[str, str], ...]


def red_flag_questions(policy: Policy, language: str | None = None) -> list[Question]:
    language = (language or get_language() or "ja")[:2]
    no, yes, unsure = YES_NO_UNSURE.items()
    questions = []
    for row in policy.questions:
        more = [(choice["value"], choice["text"][language]) for choice in row.get("more", [])]
        questions.append(Question(row["id"], row["text"][language], (no, yes, *more, unsure)))
    return questions


def clean_red_flags(answers: Any, policy: Policy, *, in_part: bool = False) -> dict[str, str]:
    """Return an answer for each question of the policy, or raise `ValidationError` by question.

    With `in_part` questions may be missing.
    """
    if not isinstance(answers, Mapping):
        raise ValidationError(_("Answers must be given by question."))
    errors: dict[str, Any] = {str(id): _("Unknown question.") for id in answers if id not in _ids(policy)}
    for question in red_flag_questions(policy):
        if question.id not in answers:
            if in_part:
                continue
            errors[question.id] = _("Please answer this question.")
        elif not isinstance(answers[question.id], str) or answers[question.id] not in dict(question.choices):
            errors[question.id] = _("Please choose one of the answers.")
    if errors:
        raise ValidationError(errors)
    return {id: answers[id] for id in _ids(policy) if id in answers}


def _ids(policy: Policy) -> list[str]:
    return [row["id"] for row in policy.questions]


class BodySite(models.TextChoices):
    """Body sites; finer where atopic dermatitis is common."""

    SCALP = "scalp", _("scalp")
    FACE = "face", _("face")
    AROUND_EYES = "around_eyes", _("around the eyes")
    AROUND_MOUTH = "around_mouth", _("around the mouth")
    EARS = "ears", _("ears")
    NECK = "neck", _("neck")
    CHEST = "chest", _("chest")
    ABDOMEN = "abdomen", _("belly")
    BACK = "back", _("back")
    SHOULDER = "shoulder", _("shoulder")
    UPPER_ARM = "upper_arm", _("upper arm")
    ELBOW_CREASE = "elbow_crease", _("inside of the elbow")
    ELBOW = "elbow", _("elbow")
    FOREARM = "forearm", _("forearm")
    HAND = "hand", _("hand")
    BUTTOCKS = "buttocks", _("buttocks")
    GROIN = "groin", _("groin or genitals")
    THIGH = "thigh", _("thigh")
    KNEE = "knee", _("knee")
    KNEE_CREASE = "knee_crease", _("back of the knee")
    LOWER_LEG = "lower_leg", _("lower leg")
    FOOT = "foot", _("foot")
    WIDESPREAD = "widespread", _("many places")


# No photo of these can leave out the face.
FACE_SITES = frozenset({BodySite.FACE, BodySite.AROUND_EYES, BodySite.AROUND_MOUTH})
INTIMATE_SITES = {BodySite.BUTTOCKS, BodySite.GROIN}
ADULT_YEARS = 18


class Duration(models.TextChoices):
    DAY = "day", _("one day")
    DAYS_2_6 = "days_2_6", _("two to six days")
    WEEKS_1_4 = "weeks_1_4", _("one to four weeks")
    MONTHS_1_3 = "months_1_3", _("one to three months")
    MONTHS_3_12 = "months_3_12", _("three to twelve months")
    YEARS = "years", _("more than a year")
    CHILDHOOD = "childhood", _("since childhood")
    UNSURE = "unsure", _("I don't know")


class Symptom(models.TextChoices):
    ITCH = "itch", _("itch")
    PAIN = "pain", _("pain")
    BURNING = "burning", _("burning")
    BLEEDING = "bleeding", _("bleeding")
    WEEPING = "weeping", _("weeping")
    SPREADING = "spreading", _("getting larger")
    DARKENING = "darkening", _("getting darker")
    NONE = "none", _("none of these")


HISTORY_CHOICES = {"duration": Duration, "symptoms": Symptom}
# Of these each line is an entry; suggestions.toml suggests some.
HISTORY_LISTS = ("treatment", "medicines", "allergies")
# Of these "none" is an answer, which differs from none given. Stored as a code, it is read in the reader's language; older rows
# have the word of the language in which they were written.
NONE_CODE = "none"
NONE = _("None")
MAY_BE_NONE = ("medicines", "allergies")
HISTORY_TEXTS = {
    "different": _("What is different from usual?"),
    "contacts": _("Does anybody near you have something like it?"),
    "treatment": _("What have you put on it or taken for it?"),
    "medicines": _("Which other medicines do you take?"),
    "allergies": _("Do you have allergies?"),
}
HISTORY_SCALES = {
    "itch": _("How strong was the itch in the last 24 hours? (0 none, 10 worst)"),
    "sleep": _("How much did it disturb your sleep? (0 not at all, 10 worst)"),
}


@cache
def _suggestions() -> Mapping[str, Any]:
    return tomllib.loads((Path(__file__).parent / "suggestions.toml").read_text())


def suggestions_for(key: str) -> list[str]:
    """Return what the list of this name suggests, in the active language; any other words may be written."""
    language = (get_language() or "ja")[:2]
    return [row[language] for row in _suggestions().get(key, [])]


def is_none(entry: str) -> bool:
    """Whether an entry of a list is "none": the code, or the word in one of our languages."""
    words = {NONE_CODE}
    for language, _name in settings.LANGUAGES:
        with override(language):
            words.add(str(NONE))
    return entry in words


def in_words(key: str, value: Any) -> Any:
    """Return an answer of the history as it is read: "none" in the active language, any other as it is stored."""
    return str(NONE) if key in MAY_BE_NONE and isinstance(value, str) and is_none(value) else value


def clean_history(history: Any) -> dict[str, Any]:
    """Return the history with known keys only; everything in it may be left out. Raises `ValidationError`."""
    if not isinstance(history, Mapping):
        raise ValidationError(_("The history must be given by question."))
    cleaned, errors = {}, {}
    for key, value in history.items():
        try:
            answer = _clean_answer(key, value)
        except ValidationError as error:
            errors[str(key)] = error.messages
        else:
            if answer not in ("", None, []):
                cleaned[key] = answer
    if errors:
        raise ValidationError(errors)
    return cleaned


def _clean_answer(key: str, value: Any) -> Any:
    if key == "duration":
        return _one_of(Duration, value)
    if key == "symptoms":
        if not isinstance(value, list) or len(value) > HISTORY_CODE_LIMIT:
            raise ValidationError(_("Please choose from the list."))
        found = {_one_of(Symptom, item) for item in value}
        return sorted(found - {Symptom.NONE} or found)  # "none of these" says nothing beside one of them
    if key in HISTORY_SCALES:
        if isinstance(value, str):
            value = normalise_number(value)
        if value in ("", None):
            return None
        if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isascii():
            raise ValidationError(_("Please give a number from 0 to 10."))
        if not str(value).isdigit() or not 0 <= int(value) <= 10:
            raise ValidationError(_("Please give a number from 0 to 10."))
        return int(value)
    if key in HISTORY_TEXTS:
        if not isinstance(value, str):
            raise ValidationError(_("Please answer in words."))
        text = clean_text(value).strip()
        if key in HISTORY_LISTS:
            text = "\n".join(filter(None, (line.strip() for line in text.splitlines())))
        if len(text) > FREE_TEXT_LIMIT:
            raise ValidationError(_("Please write at most %(n)d characters."), params={"n": FREE_TEXT_LIMIT})
        return NONE_CODE if key in MAY_BE_NONE and is_none(text) else text
    raise ValidationError(_("Unknown question."))


def _one_of(choices: type[models.TextChoices], value: Any) -> str:
    if value not in ("", None) and (not isinstance(value, str) or value not in choices.values):
        raise ValidationError(_("Please choose from the list."))
    return value or ""


def clean_body_site(site: Any) -> BodySite:
    if not isinstance(site, str) or site not in BodySite.values:
        raise ValidationError({"body_site": _("Unknown body site. Please choose from the list.")})
    return BodySite(site)
