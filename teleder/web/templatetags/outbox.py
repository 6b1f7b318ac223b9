"""Which drafts of a patient still take photos: the browser deletes what it keeps for any other (static/web/outbox.js)."""

from __future__ import annotations

from typing import Any

from django import template

from teleder.cases.models import Submission
from teleder.cases.transitions import EDITABLE

register = template.Library()


@register.simple_tag(takes_context=True)
def open_drafts(context: dict[str, Any]) -> str:
    """Return the ids of the user's submissions that photos may be added to, with spaces between."""
    mine = Submission.objects.visible_to(context["request"].user).filter(status__in=EDITABLE)
    return " ".join(str(pk) for pk in mine.values_list("pk", flat=True))
