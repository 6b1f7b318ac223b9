"""Diagnoses with their ICD-10 and SNOMED CT codes: a small list, versioned, for the record and never for patients."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from teleder.cases.models import Impression

TEXTS = Path(__file__).parent / "diagnoses.toml"
CODE_COLUMNS = ("diagnosis", "icd10", "snomed", "codes_version")


class Diagnosis(NamedTuple):
    """An entry of the list; `snomed` is empty where the code was not checked yet."""

    id: str
    ja: str
    reading: str
    en: str
    icd10: str
    snomed: str
    impression: str

    def name(self, language: str | None = None) -> str:
        return self.ja if (language or get_language() or "ja").startswith("ja") else self.en


@cache
def read_list() -> tuple[Mapping[str, Any], Mapping[str, Diagnosis]]:
    """Return the file's head (`version`, `signed_by`, `usual`), and the diagnoses by their id."""
    data = tomllib.loads(TEXTS.read_text())
    return data, {id: Diagnosis(id=id, **row) for id, row in data.pop("diagnoses").items()}


def all_diagnoses() -> list[Diagnosis]:
    return list(read_list()[1].values())


def codes_are_drafts() -> bool:
    return not read_list()[0]["signed_by"]


def name_of(id: str) -> str:
    """Return the name in the active language; that of another version's entry is its id."""
    found = read_list()[1].get(id)
    return found.name() if found else id


def search(words: str) -> list[Diagnosis]:
    """Return the diagnoses whose name, reading or code contains the words, in either language."""
    wanted = _plain(words)
    return [row for row in all_diagnoses() if wanted and any(wanted in _plain(text) for text in row[1:6])]


def find(words: str) -> Diagnosis | None:
    """Return the diagnosis of this id or name, as it was chosen or typed; or the only one that the words are found in."""
    wanted = _plain(words)
    exact = [row for row in all_diagnoses() if wanted in map(_plain, (row.id, row.ja, row.en))]
    found = exact or search(words)
    return found[0] if len(found) == 1 else None


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold().strip()
    # Katakana as hiragana, so that either kana finds a reading.
    return "".join(chr(ord(letter) - 0x60) if "ァ" <= letter <= "ヶ" else letter for letter in text)


def codes_for(impression: str, chosen: str = "") -> dict[str, str]:
    """Return the columns of a review: the chosen diagnosis, or the usual one of the impression, with its codes.

    Raises `ValidationError` for one that is not on the list or belongs to another impression.
    """
    head, rows = read_list()
    row = rows.get(head["usual"].get(impression, ""))
    if chosen:
        row = find(chosen)
        if row is None:
            raise ValidationError({"diagnosis": _("Please choose a diagnosis from the list.")})
        if row.impression != impression:
            label = Impression(row.impression).label
            raise ValidationError(
                {"diagnosis": _("This diagnosis belongs to: %(impression)s.") % {"impression": label}}
            )
    if row is None:
        return dict.fromkeys(CODE_COLUMNS, "")
    return dict(zip(CODE_COLUMNS, (row.id, row.icd10, row.snomed, head["version"]), strict=True))
