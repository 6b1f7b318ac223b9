"""What an answer begins with: reply templates by action and impression, and plans. A clinician edits and signs the result.

A template comes with the product (`replies.toml`), until its clinic has written one and a named clinician has approved it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from teleder.accounts import licences
from teleder.accounts.models import Clinic, Language, User
from teleder.accounts.text import clean_text
from teleder.cases.models import Disposition, Impression, ReplyTemplate

TEXTS = Path(__file__).parent / "replies.toml"


@cache
def texts() -> dict[str, Any]:
    """Return {"version", "signed_by", "next_photo_weeks": {disposition: weeks}, "impressions": {impression: …},
    "replies": {disposition: {"ja", "en"}}, "replies_for": {impression: {disposition: {"ja", "en"}}},
    "plans": {disposition: {"today", "this_week": {"ja": lines, "en": lines}}}, "plans_more": {impression: {disposition: …}}}."""
    return tomllib.loads(TEXTS.read_text())


def next_photo_weeks(disposition: Disposition) -> int:
    """Return in how many weeks new photos are usual after this action; 0: none are asked for."""
    return texts()["next_photo_weeks"][disposition]


def product_letter(disposition: Disposition, language: str, impression: str = "") -> str:
    """Return the letter for a disposition and impression, in `language` (ja or en).

    It names a disease only where the dermatologist's `impression` does.
    """
    seen = texts()["impressions"].get(impression, {}).get(language, "")
    row = texts()["replies_for"].get(impression, {}).get(disposition) or texts()["replies"][disposition]
    return row[language].replace("{impression}", seen)


def plan(disposition: Disposition, language: str, impression: str = "") -> dict[str, list[str]]:
    """Return what to do as {"today": lines, "this_week": lines}; an impression may add lines."""
    more = texts()["plans_more"].get(impression, {}).get(disposition, {})
    usual = texts()["plans"][disposition]
    return {name: lines[language] + more.get(name, {language: []})[language] for name, lines in usual.items()}


class Offered(NamedTuple):
    """A template as it is offered. `key` names it and its version, and is kept with the answer; `approved_by` may be empty."""

    key: str
    text: str
    approved_by: str


def offered(clinic: Clinic | Any, disposition: Disposition, language: str, impression: str = "") -> Offered:
    """Return the template in force at a clinic: the approved one of the impression, else the general one."""
    for named in dict.fromkeys((impression, "")):
        row = in_force(clinic, disposition, named)
        if row is not None:
            key = _key(disposition, named, language, f"clinic-{row.number}")
            return Offered(key, getattr(row, language), str(row.approved_by))
        if named in texts()["replies_for"] and disposition in texts()["replies_for"][named]:
            break
    return _product(disposition, language, impression)


def is_draft(template: Offered | None) -> bool:
    """Whether the template that was inserted, or without one those of the product, was approved by nobody."""
    return not (template.approved_by if template else texts()["signed_by"])


def in_force(clinic: Clinic | Any, disposition: str, impression: str) -> ReplyTemplate | None:
    """Return the clinic's newest approved version of one template."""
    rows = ReplyTemplate.objects.filter(clinic=clinic, disposition=disposition, impression=impression)
    return rows.exclude(approved_by=None).select_related("approved_by").order_by("-number").first()


def _product(disposition: Disposition, language: str, impression: str) -> Offered:
    key = _key(disposition, impression, language, texts()["version"])
    return Offered(key, product_letter(disposition, language, impression), texts()["signed_by"])


def _key(disposition: str, impression: str, language: str, version: str) -> str:
    return f"{disposition}/{impression or 'any'}/{language}/{version}"


def used(clinic: Clinic | Any, key: str, text: str) -> dict[str, Any]:
    """Return the columns of a review that tell which template its text began as, and whether it was edited."""
    original = _text_of(clinic, key)
    if original is None:
        return {"template": "", "template_edited": False}
    return {"template": key, "template_edited": text.split() != original.split()}


class Key(NamedTuple):
    """What the `key` of a template names. `impression` is empty for one of any impression."""

    disposition: Disposition
    impression: str
    language: str
    version: str


def read_key(key: str) -> Key | None:
    """Return what a key names; None for one that no template can have."""
    parts = key.split("/")
    if len(parts) != 4 or parts[0] not in Disposition.values or parts[2] not in Language.values:
        return None
    disposition, impression, language, version = parts
    impression = "" if impression == "any" else impression
    if impression and impression not in Impression.values:
        return None
    return Key(Disposition(disposition), impression, language, version)


def is_as_offered(clinic: Clinic | Any, key: str, text: str) -> bool:
    """Whether a text still stands as the template `key` has it."""
    original = _text_of(clinic, key)
    return original is not None and text.split() == original.split()


def plan_key(disposition: str, language: str, impression: str) -> str:
    """Return the `key` of the plan of an action and impression."""
    return _key(disposition, impression, language, texts()["version"])


def is_plan_as_offered(key: str, lines: Mapping[str, str]) -> bool:
    """Whether what to do, {"today", "this_week"} with one line each, still stands as it was inserted."""
    found = read_key(key)
    if found is None:
        return False
    original = plan(found.disposition, found.language, found.impression)
    return all(_lines(lines.get(name, "")) == original[name] for name in original)


def plan_began_as(disposition: str, impression: str, lines: Mapping[str, str], template: str) -> str:
    """Return the key that the plan of a signed answer began as: that of its own action where it stands so, else of its text."""
    keys = [plan_key(disposition, language, impression) for language in Language.values]
    return next((key for key in keys if is_plan_as_offered(key, lines)), template)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def begun_for_less(disposition: Disposition | str, keys: Iterable[str]) -> list[Key]:
    """Return which of the templates are of a less urgent action than the chosen one."""
    chosen = Disposition(disposition).urgency
    return [found for key in keys if (found := read_key(key)) and found.disposition.urgency < chosen]


def _text_of(clinic: Clinic | Any, key: str) -> str | None:
    found = read_key(key)
    if found is None:
        return None
    disposition, impression, language, version = found
    if version == texts()["version"]:
        return product_letter(disposition, language, impression)
    number = version.removeprefix("clinic-")
    if not number.isdecimal() or len(number) > 6:
        return None
    rows = ReplyTemplate.objects.filter(clinic=clinic, disposition=disposition, impression=impression)
    return rows.filter(number=int(number)).values_list(language, flat=True).first()


# --- Versions of a clinic ---------------------------------------------------------------------------------
def may_edit(person: User) -> bool:
    """Whether a person writes templates: admins and leads do. Any dermatologist of the clinic approves."""
    return person.is_admin or (person.is_dermatologist and person.dermatologist.is_lead)


@transaction.atomic
def save_version(
    clinic: Clinic, *, disposition: str, impression: str, ja: str, en: str, by: User
) -> ReplyTemplate:
    """Store a new version, a draft until it is approved. The same words as the newest version return that one.

    Raises `ValidationError`.
    """
    if disposition not in Disposition.values or impression not in {"", *Impression.values}:
        raise ValidationError({"ja": _("There is no such template.")})
    ja, en = clean_text(ja).strip(), clean_text(en).strip()
    empty = [name for name, text in (("ja", ja), ("en", en)) if not text]
    if empty:
        raise ValidationError(dict.fromkeys(empty, _("Please write the text in both languages.")))
    Clinic.objects.select_for_update().get(pk=clinic.pk)
    rows = ReplyTemplate.objects.filter(clinic=clinic, disposition=disposition, impression=impression)
    newest = rows.order_by("-number").first()
    if newest and (newest.ja, newest.en) == (ja, en):
        return newest
    number = newest.number + 1 if newest else 1
    return rows.create(
        clinic=clinic,
        disposition=disposition,
        impression=impression,
        number=number,
        ja=ja,
        en=en,
        written_by=by,
    )


@transaction.atomic
def approve(template: ReplyTemplate, *, by: User) -> ReplyTemplate:
    """Put a version in force, by the name of a clinician. A version that was approved keeps its name and time.

    Raises `ValidationError` where the licence of `by` was not checked or has expired.
    """
    licences.require_in_force(by, field="version")
    Clinic.objects.select_for_update().get(pk=template.clinic_id)
    waiting = ReplyTemplate.objects.filter(pk=template.pk, approved_by=None)
    waiting.update(approved_by=by, approved_at=timezone.now())
    template.refresh_from_db()
    return template
