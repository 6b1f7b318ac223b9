"""A person's name and its reading, as they are typed: never split into parts, never an e-mail address."""

from __future__ import annotations

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

_HAN = re.compile("[\u2e80-\u2fdf\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
# Kana of both kinds with their marks, Latin letters, and what stands between the parts of a name.
_READING = re.compile("[\u3041-\u3096\u3099-\u309f\u30a1-\u30ff\u31f0-\u31ffA-Za-z\u00c0-\u024f' .\u2019-]*")


def clean_name(name: str) -> str:
    """Return the name with single blanks. Raises `ValidationError` for an e-mail address."""
    if re.search(r"\S[@\uff20]\S", name):
        raise ValidationError(_("Please write your name, not an e-mail address."), code="address")
    return " ".join(name.split())


def clean_reading(reading: str, *, name: str) -> str:
    """Return the reading with kana of the usual width. Raises `ValidationError`.

    A name with kanji needs one. Any other name is its own reading, and may leave it out.
    """
    reading = " ".join(unicodedata.normalize("NFKC", reading).split())
    if not _READING.fullmatch(reading):
        raise ValidationError(_("Please write the reading in hiragana or katakana."), code="not_kana")
    if not reading and _HAN.search(name):
        raise ValidationError(
            _("Please write how your name is read, in hiragana or katakana."), code="required"
        )
    return reading
