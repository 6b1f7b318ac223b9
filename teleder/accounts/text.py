"""Removes invisible characters from typed text; form and model fields that do so.

Control characters and marks of writing direction can make a name or an answer look like another one (Unicode Technical
Report 36, "Unicode Security Considerations"). Visible text stays as it was typed: nothing is normalised here.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import zip_longest
from typing import Any

from django import forms
from django.db import models

LINE_ENDS = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Tags are kept where they spell the region of a flag, as in that of Scotland.
FLAG_OR_TAGS = re.compile("(\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f)|[\U000e0000-\U000e007f]+")
TAGS = range(0xE0000, 0xE0080)
ZERO_WIDTH_NON_JOINER, ZERO_WIDTH_JOINER = "\u200c", "\u200d"
# Scripts that are written with joiners: Arabic, those of South and South East Asia, Mongolian.
JOINED_SCRIPTS = (range(0x0600, 0x1100), range(0x1780, 0x18B0))
VARIATION_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x180B, 0x180E))
EMOJI_SELECTOR = "\ufe0f"
FILLERS = "\u3164\uffa0"  # blanks that Unicode counts among letters; a name made of them looks empty
ENCLOSING_MARKS = (
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2"  # format characters that are seen
)


def clean_text(text: str) -> str:
    """Return the text with "\\n" for every end of a line, and without characters that control or only mislead.

    Dropped are control characters but newline and tab, the invisible ones of Unicode's category Cf (direction marks,
    zero-width characters), blanks that count as letters, and halves of surrogate pairs. Kept are joiners, variation
    selectors and tags where they belong to the character before them: emoji, ideographic variants, joined scripts.
    """
    letters = FLAG_OR_TAGS.sub(lambda found: found[1] or "", LINE_ENDS.sub("\n", text))
    kept: list[str] = []
    for letter, following in zip_longest(letters, letters[1:], fillvalue=""):
        if _is_visible(letter) or (kept and _changes_previous(kept[-1], letter, following)):
            kept.append(letter)
    return "".join(kept)


def clean_line(text: str) -> str:
    """Return the same on one line: a blank in place of each end of a line and tab."""
    return clean_text(text).replace("\n", " ").replace("\t", " ")


def _is_visible(letter: str) -> bool:
    if letter in "\n\t" or letter in ENCLOSING_MARKS or ord(letter) in TAGS:
        return True
    is_control = unicodedata.category(letter) in {"Cc", "Cf", "Cs"}
    return not (is_control or letter in FILLERS or _is_selector(letter))


def _is_selector(letter: str) -> bool:
    return any(ord(letter) in selectors for selectors in VARIATION_SELECTORS)


def _changes_previous(before: str, letter: str, following: str) -> bool:
    """Whether an invisible character changes how the one before it is drawn."""
    if letter == ZERO_WIDTH_JOINER and (_is_emoji(before) or before == EMOJI_SELECTOR):
        return bool(following) and _is_emoji(following)
    if letter in {ZERO_WIDTH_NON_JOINER, ZERO_WIDTH_JOINER}:
        return any(ord(before) in script for script in JOINED_SCRIPTS)
    # One selector, after a sign, a digit or an ideograph; a letter that has cases has no variants.
    category = unicodedata.category(before)
    return _is_selector(letter) and category[0] in "LNPS" and category not in {"Lu", "Ll", "Lt"}


def _is_emoji(letter: str) -> bool:
    return unicodedata.category(letter) in {"So", "Sm", "Sk"}  # arrows and modifiers of skin tone among them


# --- Fields -----------------------------------------------------------------------------------------------
class LineFormField(forms.CharField):
    """A line that a person types."""

    clean_typed = staticmethod(clean_line)

    def to_python(self, value: Any) -> str:
        return super().to_python(self.clean_typed(value) if isinstance(value, str) else value)


class TextFormField(LineFormField):
    """Lines that a person types."""

    widget = forms.Textarea
    clean_typed = staticmethod(clean_text)


class _Cleaned:
    """A column that cleans its text on every write."""

    def pre_save(self, instance: models.Model, add: bool) -> Any:
        value = super().pre_save(instance, add)
        if isinstance(value, str):
            value = self.clean_typed(value)
            setattr(instance, self.attname, value)
        return value

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return self.clean_typed(value) if isinstance(value, str) else value

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return self.clean_typed(value) if isinstance(value, str) else value

    def formfield(self, **options: Any) -> Any:
        return super().formfield(**{"form_class": self.form_class} | options)

    def deconstruct(self) -> tuple:
        """Name Django's own field: the column is the same, so migrations need not import this module."""
        name, _path, args, kwargs = super().deconstruct()
        return name, self.django_name, args, kwargs


class LineField(_Cleaned, models.CharField):
    clean_typed, form_class, django_name = (
        staticmethod(clean_line),
        LineFormField,
        "django.db.models.CharField",
    )


class TextField(_Cleaned, models.TextField):
    clean_typed, form_class, django_name = (
        staticmethod(clean_text),
        TextFormField,
        "django.db.models.TextField",
    )
