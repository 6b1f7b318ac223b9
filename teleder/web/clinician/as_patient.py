"""The preview of an answer: the patient's own letter, in the language and time zone of who reads it."""

from __future__ import annotations

import re
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.safestring import mark_safe

from teleder.accounts.time_zones import zone_of
from teleder.cases import triage
from teleder.cases.models import Review


def as_patient(review: Review) -> dict[str, Any]:
    """Return the letter of an unsaved answer and its language. Its telephone numbers cannot be called from here."""
    reader = review.submission.patient.reader
    with translation.override(reader.language), timezone.override(zone_of(reader)):
        context = {
            "s": review.submission,
            "review": review,
            "next_photo_on": review.next_photo_on,
            "warning": triage.warning_signs(answered=True),
            "ids": "preview-",  # the page has an `answer` of its own
        }
        letter = render_to_string("web/patient/_letter.html", context)
    letter = re.sub(r' href="tel:[^"]*"', "", letter)
    return {"language": reader.language, "letter": mark_safe(letter)}  # noqa: S308 (our own template, which escapes)
