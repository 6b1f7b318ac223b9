"""What a page says of words that people wrote or agreed to: their language, and which version of them it was."""

from __future__ import annotations

import re
from datetime import date

from django import template
from django.utils.formats import date_format
from django.utils.translation import gettext as _

# Kana, kanji and the marks between them: no English letter has one.
_JAPANESE = re.compile("[\u3005-\u3007\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff66-\uff9f]")

register = template.Library()


@register.filter
def written_in(words: str) -> str:
    """Return "ja" or "en" for `lang`, so that a screen reader reads a letter rightly on a page in the other language."""
    return "ja" if _JAPANESE.search(words) else "en"


@register.filter
def version_in_words(version: str) -> str:
    """Return "text of 30 Nov 2026, a draft" for "2026-11-30-draft"; what begins with no date stays as it is."""
    try:
        day = date_format(date.fromisoformat(version[:10]), "DATE_FORMAT")
    except ValueError:
        return version
    is_draft = "draft" in version[10:]
    return (_("text of %(day)s, a draft") if is_draft else _("text of %(day)s")) % {"day": day}
