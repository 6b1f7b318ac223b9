"""What dermatologists wrote to each other about a case, for templates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template

from teleder.cases.models import Event, EventKind, Submission

register = template.Library()


@register.simple_tag
def colleague_notes(submission: Submission, events: Iterable[Event]) -> dict[str, list[Any]]:
    """Return second opinions and hand-over notes; of a case whose events tell of none it asks nothing."""
    kinds = {event.kind for event in events}
    opinions = submission.second_opinions.select_related("asked_by", "colleague")
    hand_overs = submission.hand_over_notes.select_related("author", "to")
    return {
        "opinions": list(opinions) if EventKind.OPINION_ASKED in kinds else [],
        "hand_overs": list(hand_overs) if EventKind.HANDED_OVER in kinds else [],
    }
