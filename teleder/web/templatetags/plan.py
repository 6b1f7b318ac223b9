"""The steps of a signed plan, each with an icon that its words suggest, and the drawing of an ointment's amount."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from teleder.cases.models import Review
from teleder.cases.triage import read_texts

# The first icon of which a line names something; the line itself says what to do.
ICONS = {
    "phone": ("call ", "119", "電話"),
    "drop": ("moistur", "wash", "保湿", "洗"),
    "hospital": ("hospital", "emergency", "dermatologist", "see a doctor", "病院", "皮膚科", "救急", "受診"),
    "camera": ("photo", "写真"),
    "tube": ("ointment", "cream", "medicine", "steroid", "軟膏", "クリーム", "薬", "ステロイド"),
}

register = template.Library()


@register.simple_tag
def plan_steps(review: Review) -> list[dict[str, Any]]:
    """Return when, icon and words of each step; the first that names an ointment has the caption of the drawing."""
    steps = [
        {"when": when, "icon": _icon_of(line), "line": line}
        for when, lines in ((_("Today"), review.today), (_("This week"), review.this_week))
        for line in lines
    ]
    for step in steps:
        if _names_an_ointment(step["line"]):
            step["amount"] = ointment_amount(review)
            break
    return steps


@register.simple_tag
def ointment_amount(review: Review) -> str:
    """Return what stands below the drawing of a fingertip of ointment; nothing where the plan names no ointment."""
    if not any(map(_names_an_ointment, (*review.today, *review.this_week))):
        return ""
    return read_texts("fingertip")["caption"][(get_language() or "ja")[:2]]


def _icon_of(line: str) -> str:
    words = line.lower()
    return next((icon for icon, names in ICONS.items() if any(name in words for name in names)), "check")


def _names_an_ointment(line: str) -> bool:
    return any(word in line.lower() for word in read_texts("fingertip")["ointments"]["words"])
