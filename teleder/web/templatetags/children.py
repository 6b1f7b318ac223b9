"""For whom a page is: the child, where a guardian reads it."""

from __future__ import annotations

from typing import Any

from django import template

from teleder.accounts.models import User

register = template.Library()


@register.simple_tag(takes_context=True)
def other_patient(context: dict[str, Any]) -> User | None:
    """Return the child that the page's `patient` or `submission` belongs to, if it is not the reader's own."""
    submission = context.get("submission") or None
    patient = context.get("patient") or (submission.patient if submission else None)
    reader = context.get("user")
    return patient if patient and reader and patient.pk != reader.pk else None
