"""What a patient has sent in 24 hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from teleder.cases.models.photo import Photo, PhotoState

# Not by the ORM: each upload asks twice, and to compile it costs more than all else that is done for a photo.
COUNT_SENT = """
SELECT count(*) FILTER (WHERE p.created_at > %(since)s),
       coalesce(sum(p.size) FILTER (WHERE p.created_at > %(since)s), 0),
       min(p.created_at) FILTER (WHERE p.created_at > %(since)s),
       count(*) FILTER (WHERE p.submission_id = %(submission)s AND p.removed_at IS NULL AND p.state <> %(unusable)s),
       count(*) FILTER (WHERE p.submission_id = %(submission)s AND p.removed_at IS NULL AND p.sha256 = %(sha256)s),
       EXISTS (SELECT FROM cases_heldanswer h JOIN cases_submission s ON s.id = h.submission_id
               JOIN cases_case c ON c.id = s.case_id WHERE c.patient_id = %(patient)s)
FROM cases_photo p JOIN cases_submission s ON s.id = p.submission_id JOIN cases_case c ON c.id = s.case_id
WHERE c.patient_id = %(patient)s AND (p.created_at > %(since)s OR p.submission_id = %(submission)s)
"""


class Sent(NamedTuple):
    """What a patient has sent in 24 hours, and how many photos of a submission can be used and are the `same` file.

    `is_held`: whether a signed answer to the patient waits to be sent.
    """

    today: int
    bytes_today: int
    first_today: datetime | None
    usable: int
    same: int
    is_held: bool


def count_sent(photo: Photo) -> Sent:
    """Count what its patient has sent: in 24 hours, removed ones too, and what the submission has now."""
    parameters = {
        "since": timezone.now() - timedelta(days=1),
        "submission": photo.submission_id,
        "patient": photo.submission.case.patient_id,
        "sha256": photo.sha256,
        "unusable": PhotoState.UNUSABLE.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNT_SENT, parameters)
        return Sent(*cursor.fetchone())
