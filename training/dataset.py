"""Photos of a clinic on their way into a dataset: the lines of its CSV, and what each file holds."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from contract.photos import FILE_LIMIT_BYTES
from inference_worker.models.segmentation import SKIN, Segmenter
from inference_worker.preparation import Preparation, prepare, resize_to
from training.duplicates import Print, print_of
from training.tone import typology_angle

log = logging.getLogger(__name__)

COLUMNS = ("file", "patient", "visit", "diagnosis", "confirmed", "site", "consent")
OPTIONAL = ("fitzpatrick", "distance_cm", "use", "crop")
LICENCE = "patients' consent to training; not to be passed on"
SKIN_LEAST = 0.01  # of the photo: less says nothing about its tone
THUMBNAIL_SIDE = 160  # px
SAID_EVERY = 50  # photos


@dataclass
class Photo:
    """A line of the CSV with its number, and what its file holds."""

    line: int
    file: str
    patient: str
    visit: str
    diagnosis: str
    confirmed: str
    site: str
    consent: str
    fitzpatrick: str
    distance_cm: str
    use: str
    crop: str = ""  # that a dermatologist drew, as `data.crop_of` reads it
    reason: str = ""  # why it cannot be read
    fault: str = ""  # why it is hard to read
    print: Print | None = None
    thumbnail: bytes = b""  # JPEG
    tone: float | None = None  # individual typology angle, degrees
    skin: float = 0.0  # share of the photo, lesion included

    @property
    def name(self) -> str:
        """Its path in the dataset; a clinic's own file names may name people."""
        return f"photos/{self.line:06d}.jpg"


def read_csv(path: Path) -> list[Photo]:
    """Return the lines; raises ValueError for a table without the columns or without a line."""
    with path.open(newline="", encoding="utf-8-sig") as file:  # Excel begins with a byte order mark
        rows = list(csv.DictReader(file))
    missing = [name for name in COLUMNS if not rows or name not in rows[0]]
    if missing:
        raise ValueError(f"{path}: needs the columns {', '.join(COLUMNS)} and at least one line")
    names = (*COLUMNS, *OPTIONAL)
    return [
        Photo(line, **{name: (row.get(name) or "").strip() for name in names})
        for line, row in enumerate(rows, start=2)
    ]


def read_photos(photos: list[Photo], root: Path, out: Path, segmenter: Segmenter) -> None:
    """Prepare each file as the worker would, write its copy without metadata, note what is in it."""
    (out / "photos").mkdir(parents=True)
    for number, photo in enumerate(photos, start=1):
        preparation = _prepared(photo, root)
        if preparation and preparation.copies:
            copy = preparation.copies["analysis"]
            (out / photo.name).write_bytes(copy)
            _look(photo, copy, segmenter)
        if number % SAID_EVERY == 0:
            log.info("%d of %d photos read", number, len(photos))


def _prepared(photo: Photo, root: Path) -> Preparation | None:
    path = (root / photo.file).resolve()
    if root.resolve() not in path.parents or not path.is_file():
        photo.reason = "no such file below the folder"
        return None
    with path.open("rb") as file:
        preparation = prepare(file.read(FILE_LIMIT_BYTES + 1))
    photo.reason = "" if preparation.copies else str(preparation.outcome.reason)
    photo.fault = str(preparation.outcome.fault or "")
    return preparation


def _look(photo: Photo, copy: bytes, segmenter: Segmenter) -> None:
    pixels = cv2.imdecode(np.frombuffer(copy, np.uint8), cv2.IMREAD_COLOR_RGB)
    mask = segmenter([pixels])[0]
    photo.print = print_of(pixels)
    photo.tone, photo.skin = tone_of(pixels, mask), round(float((mask > 0).mean()), 3)
    photo.thumbnail = cv2.imencode(".jpg", resize_to(pixels, THUMBNAIL_SIDE)[..., ::-1])[1].tobytes()


def tone_of(pixels: np.ndarray, mask: np.ndarray) -> float | None:
    """Return the individual typology angle of skin without lesion, degrees; none where there is hardly any."""
    skin = mask == SKIN
    angle = typology_angle(pixels, skin)
    return None if skin.mean() < SKIN_LEAST or np.isnan(angle) else round(angle, 1)


def write_manifest(photos: Iterable[Photo], source: str, path: Path) -> None:
    """Write what the other commands read."""
    facts = (
        *("visit", "confirmed", "site", "consent", "fitzpatrick", "distance_cm"),
        *("tone", "skin", "fault", "crop"),
    )
    rows = [
        {
            "file": photo.name,
            "class": photo.diagnosis,
            "use": photo.use,
            "group": photo.patient,
            "source": source,
            "licence": LICENCE,
        }
        | {name: getattr(photo, name) for name in facts}
        for photo in photos
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
