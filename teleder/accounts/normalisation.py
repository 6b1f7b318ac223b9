"""Normalises what people type into codes, numbers, searches and e-mail fields.

A Japanese keyboard writes full-width letters, digits, spaces and dashes. Unicode's NFKC makes most of them ASCII; the
dashes it leaves alone are mapped here. Passwords are not normalised: a stored hash knows only what was typed, and a
log-in that worked before must go on working.
"""

from __future__ import annotations

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# Hyphens, dashes and lines that NFKC does not map to "-".
_DASHES = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2500\u2501\u02d7", "-")
)
# The Japanese long vowel sign is a letter between kana, and a dash after a Latin letter, a digit or a dash.
_VOWEL_SIGN_AS_DASH = re.compile(r"(?<=[0-9A-Za-z-])ー")


def normalise_width(text: str) -> str:
    """Return the text with full-width and half-width forms, and all kinds of dashes, in their usual form."""
    return _VOWEL_SIGN_AS_DASH.sub("-", unicodedata.normalize("NFKC", text).translate(_DASHES))


def normalise_code(text: str) -> str:
    """Return a code without spaces, dashes and invisible characters; letters keep their case."""
    return "".join(
        letter
        for letter in normalise_width(text)
        if letter not in "-ー" and unicodedata.category(letter)[0] not in "ZC"
    )


def normalise_number(text: str) -> str:
    """Return a number or a registration number in its usual width, without spaces around it."""
    return normalise_width(_visible(text)).strip()


def normalise_email(text: str) -> str:
    """Return an e-mail address in lower case and in its usual width, without what surrounds it."""
    # An ideographic full stop is what the key of the dot writes in Japanese mode.
    return normalise_width(_visible(text)).replace("。", ".").strip().lower()


def _visible(text: str) -> str:
    """Return the text without invisible format characters, which copying from a mail or a page brings along."""
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cf")


# --- Years ------------------------------------------------------------------------------------------------
# The year before the first of each era.
_ERAS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
_ERA_NAMES = {
    **{era: era for era in _ERAS},
    **{era[0]: era for era in _ERAS},
    **dict(zip("mtshr", _ERAS, strict=True)),
    **dict(zip(("meiji", "taisho", "showa", "heisei", "reiwa"), _ERAS, strict=True)),
    **dict(zip(("meiji", "taishō", "shōwa", "heisei", "reiwa"), _ERAS, strict=True)),
    **dict(zip(("meiji", "taisyo", "syowa", "heisei", "reiwa"), _ERAS, strict=True)),
}
_KANJI_DIGITS = "〇一二三四五六七八九"
_ERA_YEAR = re.compile(
    rf"({'|'.join(sorted(_ERA_NAMES, key=len, reverse=True))})[\s.・-]*(元|[0-9]{{1,2}}|[十{_KANJI_DIGITS}]{{1,3}})"
    r"(?![0-9十])\s*(?:[年./-].*|生.*)?"
)
_WESTERN_YEAR = re.compile(r"(?:西暦|ad|a\.d\.)?\s*([0-9]{4})\s*(?:年(?:生まれ|生|度)?)?")


def western_year(text: str) -> str:
    """Return a typed western year as its digits, and anything else as it was typed, in its usual width.

    Raises `ValidationError` for a year of a Japanese era, with a sentence that names the western year.
    """
    typed = normalise_number(text)
    if found := _WESTERN_YEAR.fullmatch(typed.lower()):
        return found[1]
    if found := _ERA_YEAR.fullmatch(typed.lower()):
        era, number = _ERA_NAMES[found[1]], _number(found[2])
        year = {"typed": f"{era}{number if number > 1 else '元'}年", "year": _ERAS[era] + number}
        raise ValidationError(
            _("Please use the western year: %(typed)s is %(year)d.") % year, code="japanese_era"
        )
    return typed


def _number(text: str) -> int:
    """Return the number that ASCII digits or kanji write, up to two digits; 元 is the first year."""
    if text == "元":
        return 1
    if text.isascii():
        return int(text)
    if "十" in text:
        tens, _ten, ones = text.partition("十")
        return 10 * (_KANJI_DIGITS.index(tens) if tens else 1) + (_KANJI_DIGITS.index(ones) if ones else 0)
    return int("".join(str(_KANJI_DIGITS.index(digit)) for digit in text))
