"""The day for the next photos as a calendar file (iCalendar, RFC 5545). Calendars are shared and shown on lock screens:
nothing in it says that, or why, its owner is a patient of this place and not another."""

from __future__ import annotations

from datetime import UTC, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from teleder.cases.models import Review
from teleder.cases.plan import waiting_for_photos
from teleder.web.patient.common import own_submission
from teleder.web.roles import patient_required

LINE_BYTES = 75


@patient_required
@require_safe
def next_photo(request: HttpRequest, pk: UUID) -> HttpResponse:
    review = waiting_for_photos().filter(submission=own_submission(request, pk)).first()
    if review is None:
        raise Http404
    headers = {"Content-Disposition": 'attachment; filename="teleder.ics"'}
    return HttpResponse(calendar_of(review), content_type="text/calendar; charset=utf-8", headers=headers)


def calendar_of(review: Review) -> bytes:
    """Return one event that lasts a day, and a signal at nine in the morning."""
    title = _("Take new photos for %(clinic)s") % {"clinic": review.submission.case.clinic.name}
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//teleder//teleder//EN",
        "BEGIN:VEVENT",
        f"UID:{review.submission_id}@{urlsplit(settings.PUBLIC_URL).hostname}",
        f"DTSTAMP:{review.signed_at.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        f"DTSTART;VALUE=DATE:{review.next_photo_on:%Y%m%d}",
        f"DTEND;VALUE=DATE:{review.next_photo_on + timedelta(days=1):%Y%m%d}",
        f"SUMMARY:{escaped(title)}",
        f"URL:{settings.PUBLIC_URL}/",
        "TRANSP:TRANSPARENT",
        "CLASS:PRIVATE",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"DESCRIPTION:{escaped(title)}",
        "TRIGGER:PT9H",
        "END:VALARM",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return b"".join(folded(line) for line in lines)


def escaped(text: str) -> str:
    """Return a value of the type TEXT (RFC 5545, section 3.3.11)."""
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\r\n", "\\n").replace("\n", "\\n")


def folded(line: str) -> bytes:
    """Return a line with its end, broken so that no piece is longer than 75 bytes (section 3.1) and no letter is cut."""
    pieces, room = [b""], LINE_BYTES
    for letter in line:
        code = letter.encode()
        if len(pieces[-1]) + len(code) > room:
            pieces.append(b"")
            room = LINE_BYTES - 1  # the blank before it
        pieces[-1] += code
    return b"\r\n ".join(pieces) + b"\r\n"
