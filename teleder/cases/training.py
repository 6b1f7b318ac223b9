"""A clinic's signed cases as a folder to train on: under pseudonyms, of patients who agreed to that.

`photos.csv` is what `python -m training import` reads; a crop that a dermatologist drew is in its line and trains the clinic's own
model. `drawn.csv` lists all that dermatologists drew: a manifest for `python -m training.evaluate segmentation`.
"""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.crypto import salted_hmac

from contract.messages import Stage
from contract.storage import StorageUnavailableError
from teleder.accounts.models import Clinic, Consent, Purpose, User
from teleder.cases import stored_files
from teleder.cases.models import DrawnCrop, Impression, Photo, Review, StoredFile, Submission
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
COLUMNS = ("file", "patient", "visit", "diagnosis", "confirmed", "site", "consent", "fitzpatrick", "crop")
DRAWN_COLUMNS = (
    *("image", "mask", "use", "group", "label", "source", "fitzpatrick"),
    *("x", "y", "width", "height", "author", "drawn_at", "corrects"),
)
# Only where the lesion was drawn is the mask a person's; else the crop alone is.
LESION_DRAWN, CROP_DRAWN = "train", "crop"
PSEUDONYM_LENGTH = 16


def export(clinic: Clinic, out: Path) -> int:
    """Write the photos, photos.csv and what was drawn on them to a new folder; return how many photos.

    The worker's copies are written, without metadata, never the uploads; a photo whose copy cannot be read is left out.
    Raises FileExistsError.
    """
    out.mkdir(mode=0o700)
    rows, drawn = [], []
    for photo, row in _rows(clinic):
        try:
            name, sha256 = StoredFile.ANALYSIS, photo.analysis_sha256
            analysis_copy = stored_files.read_file(photo.pk, name, photo.analysis_key, sha256)
        except StorageUnavailableError:  # every photo would be left out
            raise
        except OSError as error:
            log.warning("photo %s is left out: its copy cannot be read (%s)", photo.pk, type(error).__name__)
            continue
        (out / str(row["file"])).write_bytes(analysis_copy)
        last = _last_drawn_on(photo)
        rows.append(row | {"crop": _crop_of(last) if last else ""})
        if last and (one := _drawn_on(photo, last, row, out)) is not None:
            drawn.append(one)
    _write_csv(out / "photos.csv", COLUMNS, rows)
    if drawn:
        _write_csv(out / "drawn.csv", DRAWN_COLUMNS, drawn)
    return len(rows)


def _write_csv(path: Path, columns: Sequence[str], rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _last_drawn_on(photo: Photo) -> DrawnCrop | None:
    """Return what was drawn last on a photo and read; None for a result that no version writes."""
    last = photo.drawn_crops.filter(finding__isnull=False).select_related("finding", "analysis").last()
    return last if last and last.finding.outcome else None


def _crop_of(drawn: DrawnCrop) -> str:
    """Return a drawn crop as shares of the photo; nothing for one that obeys no rule, which the photo was read without."""
    if not drawn.finding.outcome.segmented.boxes:
        return ""
    box, photo = drawn.box, drawn.photo
    width, height = photo.analysis_width, photo.analysis_height
    shares = (box.x / width, box.y / height, box.width / width, box.height / height)
    return " ".join(f"{share:.4f}" for share in shares)


def _drawn_on(photo: Photo, drawn: DrawnCrop, row: dict[str, object], out: Path) -> dict[str, object] | None:
    """Write the mask of what was drawn on a photo, as a worker kept it; return its line."""
    name = f"{Path(str(row['file'])).stem}-mask.png"
    try:
        key = stored_files.require_own(photo.pk, Stage.REANALYSE, drawn.finding.mask_key)
        mask = settings.PHOTO_STORAGE.read_same(key, drawn.finding.outcome.segmented.mask_sha256)
    except StorageUnavailableError:
        raise
    except OSError as error:
        log.warning("what was drawn on photo %s is left out (%s)", photo.pk, type(error).__name__)
        return None
    (out / name).write_bytes(mask)
    model = drawn.analysis.segmentation_model
    return {
        **vars(drawn.box),
        "image": row["file"],
        "mask": name,
        "use": CROP_DRAWN if drawn.lesion is None else LESION_DRAWN,
        "group": row["patient"],
        "label": row["diagnosis"],
        "source": "clinic",
        "fitzpatrick": row["fitzpatrick"],
        "author": pseudonym(drawn.author),
        "drawn_at": f"{drawn.at:%Y-%m-%d}",
        "corrects": f"{model['name']} {model['version']} {model['sha256']}",
    }


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
                _row(submission, review)
                | {"file": name, "site": photo.body_place.site, "patient": patient, "visit": visits[patient]},
            )


def _row(submission: Submission, review: Review) -> dict[str, object]:
    return {
        "diagnosis": DIAGNOSES[Impression(review.impression)],
        "confirmed": "signed by a dermatologist, from photos",
        "consent": f"yes: training, {_consents().get(person=submission.patient).version}",
        "fitzpatrick": submission.patient.patient.skin_type or "",
    }


def answered(clinic: Clinic) -> QuerySet[Submission]:
    """Return the clinic's answered submissions of patients whose consent to training is in force, oldest first."""
    return (
        Submission.objects.filter(clinic=clinic, status__in=WITH_ANSWER)
        .filter(case__patient__in=_consents().values("person"))
        .exclude(_is_intimate())
        .select_related("case__patient__patient")
        .order_by("submitted_at", "pk")
    )


def _is_intimate() -> Q:
    """Of a case with several places any of them."""
    found = Q(case__body_site__in=INTIMATE_SITES)
    for site in INTIMATE_SITES:
        found |= Q(case__places__contains=[{"site": site}])
    return found


def _consents() -> QuerySet[Consent]:
    return Consent.objects.given().filter(purpose=Purpose.TRAINING)


def pseudonym(person: User) -> str:
    """Return a person's pseudonym, the same in each export; it cannot be reversed without the secret key."""
    digest = salted_hmac("teleder.cases.training", str(person.pk), algorithm="sha256").hexdigest()
    return digest[:PSEUDONYM_LENGTH]
