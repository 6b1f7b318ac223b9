"""Refuses easily guessed passwords: words of this product, of the clinic and its field, keyboard rows.

Django's own validator checks its list of 20,000 common passwords. Here the list is also checked for what is left of a
password without digits, signs and substituted letters ("P@ssw0rd-2026" is "password").
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from teleder.accounts.models import Clinic
from teleder.accounts.normalisation import normalise_width

WORDS = (Path(__file__).parent / "password_words.txt").read_text().split()
ROWS = (
    "1234567890-^",
    "!@#$%^&*()",
    "!\"#$%&'()=",
    "qwertyuiop[]",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl;:'",
    "zxcvbnm,./",
    "abcdefghijklmnopqrstuvwxyz",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "qazwsxedcrfvtgbyhnujmikolp",
)
RUN = 4  # neighbouring keys that count as a run
ENOUGH = 5  # letters that must remain without the known words
ENOUGH_WITHOUT_RUNS = 6  # letters and digits that must remain without keyboard runs
SUBSTITUTES = {
    "a": "a4@", "b": "b8", "e": "e3", "g": "g9", "i": "i1!|", "l": "l1!|", "o": "o0", "s": "s5$", "t": "t7+", "z": "z2",
}  # fmt: skip
_PLAIN = str.maketrans("01345789@$!|+", "oieastbgasiit")
_PERIODIC = re.compile(r"(.{1,5}?)\1{2,}.{0,4}")


class ProductPasswordValidator:
    def validate(self, password: str, user: Any = None) -> None:
        if is_easily_guessed(password, _clinic_words()):
            raise ValidationError(
                _(
                    "This password is easy to guess. It uses common words, the name of this service or of a clinic, "
                    "medical words, or neighbouring keys. Please use several words that have nothing to do with them."
                ),
                code="password_product_word",
            )

    def get_help_text(self) -> str:
        return _(
            "Your password can’t consist of common words, the name of this service, medical words or neighbouring "
            "keys, with or without digits."
        )


def is_easily_guessed(password: str, more_words: frozenset[str] = frozenset()) -> bool:
    text = normalise_width(password).lower()
    return _PERIODIC.fullmatch(text) is not None or _is_of_words(text, more_words) or _is_of_runs(text)


def _is_of_words(text: str, more_words: frozenset[str]) -> bool:
    """Whether little is left without the known words, or a common password is left."""
    joined = re.sub(r"[\s_.\-]", "", text)
    rest, found = _pattern(more_words).subn("", joined)
    forms = {_letters(rest), _letters(rest.translate(_PLAIN))}
    if any(form in _common() for form in forms):
        return True
    return found > 0 and min(map(len, forms)) < ENOUGH


def _is_of_runs(text: str) -> bool:
    """Whether little is left without runs of neighbouring keys."""
    for typed in (text, text.translate(_PLAIN)):
        rest, at = "", 0
        while at < len(typed):
            length = next(
                (n for n in range(len(typed) - at, RUN - 1, -1) if typed[at : at + n] in _runs()), 0
            )
            rest += "" if length else typed[at]
            at += length or 1
        if rest != typed and sum(map(str.isalnum, rest)) < ENOUGH_WITHOUT_RUNS:
            return True
    return False


@cache
def _runs() -> frozenset[str]:
    """Return every piece of a keyboard row, forwards and backwards, of `RUN` keys and more."""
    both = [row for each in ROWS for row in (each, each[::-1])]
    return frozenset(
        row[start:end]
        for row in both
        for start in range(len(row))
        for end in range(start + RUN, len(row) + 1)
    )


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text))


@cache
def _common() -> frozenset[str]:
    """Return Django's common passwords of four letters and more."""
    return frozenset(word for word in CommonPasswordValidator().passwords if len(word) >= RUN)


@lru_cache(maxsize=8)
def _pattern(more_words: frozenset[str]) -> re.Pattern:
    """Return a pattern of all words, longest first, forwards and backwards, with the usual substitutes of letters."""
    words = {*WORDS, *more_words}
    both = words | {word[::-1] for word in words if len(word) > RUN}
    longest_first = sorted(both, key=len, reverse=True)
    return re.compile("|".join("".join(map(_class_of, word)) for word in longest_first))


def _class_of(letter: str) -> str:
    return f"[{re.escape(SUBSTITUTES[letter])}]" if letter in SUBSTITUTES else re.escape(letter)


def _clinic_words() -> frozenset[str]:
    """Return the words of the clinics' names, and each name as one word."""
    names = [normalise_width(name).lower() for name in Clinic.objects.values_list("name", flat=True)]
    pieces = {piece for name in names for piece in re.split(r"[\s_.\-・]+", name)}
    whole = {re.sub(r"[\s_.\-]", "", name) for name in names}
    return frozenset(
        word for word in pieces | whole if len(word) > 2 or (len(word) == 2 and not word.isascii())
    )
