"""The signed answer as a PDF, with its Japanese font in the file: for the patient's own doctor, or for paper.

It is made for each request and stored nowhere. Typst sets it (documents/answer.typ) from data alone, tagged for screen
readers (PDF/UA-1).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pylopdf_fonts_jp
import typst
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from teleder.accounts import dates
from teleder.accounts.models import User
from teleder.cases import reading, triage
from teleder.cases.models import Review, Submission
from teleder.security import rate_limits

LAYOUT = Path(__file__).parent / "documents" / "answer.typ"
# Of the response: nothing on the way keeps it.
HEADERS = {"Cache-Control": "private, no-store", "Content-Disposition": 'attachment; filename="teleder.pdf"'}


class NoAnswerError(Exception):
    """There is no signed answer."""


def for_patient(submission: Submission, *, by: User) -> bytes:
    """Return the document of the answer in force, which is read by that.

    Raises `NoAnswerError`, and `RateLimitedError` for the one who asks.
    """
    review = reading.answer_for_patient(submission)
    if review is None:
        raise NoAnswerError
    rate_limits.spend(rate_limits.DOCUMENTS, by)
    return pdf_of(review)


def pdf_of(review: Review) -> bytes:
    """Return the answer in the active language and time zone."""
    return typst.compile(
        LAYOUT.read_bytes(),
        font_paths=[str(pylopdf_fonts_jp.sans_path().parent)],
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(words_of(review))},
        pdf_standards=["ua-1"],
    )


def words_of(review: Review) -> dict[str, Any]:
    """Return every word of the document."""
    submission, author = review.submission, review.author
    profile = getattr(author, "dermatologist", None)
    local = timezone.localtime(review.signed_at)
    when = date_format(local, "DATETIME_FORMAT")  # with its year: paper is kept
    warning = triage.warning_signs(answered=True)
    to_do = [(_("Today"), "", review.today), (_("This week"), "", review.this_week)]
    photos = dates.weekday_and_date(review.next_photo_on) if review.next_photo_on else ""
    sections = [
        *to_do,
        (warning["title"], warning["text"], warning["signs"]),
        (_("Next photos"), photos, []),
    ]
    signed = [_("Dr %(name)s") % {"name": author.name_for_reader}, profile and profile.title_for_reader]
    if profile and profile.licence_number:
        signed.append(f"{_('licence number')} {profile.licence_number}")
    return {
        "language": (get_language() or "ja")[:2],
        "clinic": submission.case.clinic.name,
        "case": submission.case.number,
        "title": _("The doctor's answer"),
        "about": [submission.patient.name_for_reader, capfirst(submission.case.place_names)],
        "bottom": capfirst(review.get_disposition_display()),
        "letter": [part for part in review.text.split("\n") if part.strip()],
        "sections": [
            {"title": title, "text": text, "lines": list(lines)}
            for title, text, lines in sections
            if text or lines
        ],
        "signed": [
            *filter(None, signed),
            _("Signed %(time)s") % {"time": f"{when} ({dates.zone_name(local)})"},
            *([_("This corrects an earlier answer.")] if review.corrects else []),
        ],
        "foot": _("A photo cannot show everything and does not replace an examination."),
    }
