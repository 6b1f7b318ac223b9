"""A clinic's signed cases as a folder to train on: under pseudonyms, of patients who agreed to that.

What is written is what `python -m training import` reads.
"""

from __future__ import annotations

import csv
import logging
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from contract.messages import Stage
from contract.storage import StorageUnavailableError
from teleder.accounts.models import Clinic, Consent, Purpose, User
from teleder.cases import stored_files
from teleder.cases.models import Impression, Photo, Review, Submission
from teleder.cases.questionnaire import INTIMATE_SITES
from teleder.cases.transitions import WITH_ANSWER

log = logging.getLogger(__name__)

# A diagnosis that the photos could not show teaches nothing.
DIAGNOSES = {
    Impression.AD: "AD",
    Impression.HI: "HI",
    Impression.IM: "IM",
    Impression.MF: "MF",
    Impression.OTHER: "OTHER",
}
COLUMNS = ("file", "patient", "visit", "diagnosis", "confirmed", "site", "consent", "fitzpatrick")
PSEUDONYM_LENGTH = 16


def export(clinic: Clinic, out: Path) -> int:
    """Write the photos and photos.csv to a new folder; return how many photos.

    The worker's copies are written, without metadata, never the uploads; a photo whose copy cannot be read is left out.
    Raises FileExistsError.
    """
    out.mkdir(mode=0o700)
    rows = []
    for photo, row in _rows(clinic):
        try:
            analysis_copy = stored_files.open_file(photo.pk, Stage.PREPARE, photo.analysis_key)
        except StorageUnavailableError:  # every photo would be left out
            raise
        except OSError as error:
            log.warning("photo %s is left out: its copy cannot be read (%s)", photo.pk, type(error).__name__)
            continue
        with analysis_copy, (out / str(row["file"])).open("wb") as file:
            shutil.copyfileobj(analysis_copy, file)
        rows.append(row)
    with (out / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def _rows(clinic: Clinic) -> Iterator[tuple[Photo, dict[str, object]]]:
    visits: Counter[str] = Counter()
    for submission in answered(clinic):
        review = submission.answer()
        if review is None or review.impression not in DIAGNOSES:
            continue
        patient = pseudonym(submission.patient)
        visits[patient] += 1
        photos = [photo for photo in submission.current_photos() if photo.was_prepared]
        for number, photo in enumerate(photos, start=1):
            name = f"{patient}-{visits[patient]}-{number}.jpg"
            yield (
                photo,
                _row(submission, review) | {"file": name, "patient": patient, "visit": visits[patient]},
            )


def _row(submission: Submission, review: Review) -> dict[str, object]:
    return {
        "diagnosis": DIAGNOSES[Impression(review.impression)],
        "confirmed": "signed by a dermatologist, from photos",
        "site": submission.case.body_site,
        "consent": f"yes: training, {_consents().get(person=submission.patient).version}",
        "fitzpatrick": submission.patient.patient.skin_type or "",
    }


def answered(clinic: Clinic) -> QuerySet[Submission]:
    """Return the clinic's answered submissions of patients whose consent to training is in force, oldest first."""
    return (
        Submission.objects.filter(clinic=clinic, status__in=WITH_ANSWER)
        .filter(case__patient__in=_consents().values("person"))
        .exclude(case__body_site__in=INTIMATE_SITES)
        .select_related("case__patient__patient")
        .order_by("submitted_at", "pk")
    )


def _consents() -> QuerySet[Consent]:
    return Consent.objects.given().filter(purpose=Purpose.TRAINING)


def pseudonym(patient: User) -> str:
    """Return the patient's pseudonym, the same in each export; it cannot be reversed without the secret key."""
    digest = salted_hmac("teleder.cases.training", str(patient.pk), algorithm="sha256").hexdigest()
    return digest[:PSEUDONYM_LENGTH]
