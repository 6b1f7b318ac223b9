"""Drawings and icons, put into the page so that its style sheet colours them, in dark mode too."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from django import template
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext

FOLDER = Path(__file__).resolve().parents[1] / "drawings"
FIXED = '<svg class="{}" viewBox="{}" aria-hidden="true" focusable="false">'

register = template.Library()


@register.simple_tag
def drawing(name: str) -> SafeString:
    """Return the drawing `teleder/web/drawings/NAME.svg`. The words beside it say what it shows."""
    return _in_language(name, get_language())


@functools.cache
def _in_language(name: str, language: str) -> SafeString:
    """Return a drawing whose sides are named in the language, which must be active."""
    text = (FOLDER / f"{name}.svg").read_text().replace(' xmlns="http://www.w3.org/2000/svg"', "")
    text = re.sub(r"(?<=>)(left|right)(?=</text>)", lambda side: gettext(side[0]), text)
    return mark_safe(text)  # noqa: S308 (our own file)


@register.simple_tag
@functools.cache
def icon(name: str, size: str = "") -> SafeString:
    """Return an icon in the colour of the text; `size` is "s", "l" or that of the text."""
    text = (FOLDER / f"icon-{name}.svg").read_text()
    view = re.search(r'viewBox="([\d .-]+)"', text)[1]
    classes = f"ic ic-{size}" if size else "ic"
    return mark_safe(re.sub(r"<svg[^>]*>", FIXED.format(classes, view), text, count=1).strip())  # noqa: S308 (our own file)


@register.simple_tag
@functools.cache
def staff_icon(name: str, size: str = "") -> SafeString:
    """Return an icon of the pages of staff, or the shape of an urgency (`urgency-CODE`); `size` is "s", "l" or that of the text."""
    text = (FOLDER / "staff" / f"{name}.svg").read_text()
    view = re.search(r'viewBox="([\d .-]+)"', text)[1]
    kind = "shape" if name.startswith("urgency-") else "ic"
    classes = f"{kind} {kind}-{size}" if size else kind
    return mark_safe(re.sub(r"<svg[^>]*>", FIXED.format(classes, view), text, count=1).strip())  # noqa: S308 (our own file)
