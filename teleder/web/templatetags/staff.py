"""People and urgencies on the pages of staff."""

from __future__ import annotations

from functools import cache

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from teleder.accounts.models import User
from teleder.cases.triage import Urgency
from teleder.web.clinician.rows import age_band, left_text
from teleder.web.operations.health import STAGES
from teleder.web.templatetags.drawings import staff_icon

TONES = 4

register = template.Library()
register.filter(age_band)
register.filter(left_text)


@register.filter
def initials(person: User) -> str:
    """Return the first letters of a name in Latin letters, or the first character of another."""
    words = str(person).split()
    if not words:
        return "?"
    return "".join(word[0] for word in words[:2]).upper() if words[0].isascii() else words[0][0]


@register.filter
def with_code(text: str) -> SafeString:
    """Return a text whose parts between backticks are code, which is English in every language."""
    parts = enumerate(text.split("`"))
    forms = ("{}", '<code lang="en">{}</code>')
    return format_html_join("", "{}", ((format_html(forms[number % 2], part),) for number, part in parts))


@register.filter
def tone(person: User) -> int:
    """Return one of a few colours, always the same for a person: beside the name, never instead of it."""
    return person.pk.int % (TONES - 1) + 2


@register.filter
def stage(name: str) -> str:
    """Return what the jobs of a stage do, in words."""
    return str(STAGES.get(name, name))


@register.simple_tag
def urgency(level: Urgency) -> SafeString:
    """Return a level as word, shape and colour; a list says it fifty times."""
    return _in_language(level, get_language())


@cache
def _in_language(level: Urgency, language: str) -> SafeString:
    return format_html(
        '<span class="urg urg-{}">{}{}</span>', level.code, staff_icon(f"urgency-{level.code}"), level.label
    )
