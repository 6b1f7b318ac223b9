"""What is wrong with a dataset before anything learns from it, and who of its patients trains."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from inference_worker.models.classification import CLASSES
from training.data import TONES, band, crop_of
from training.dataset import Photo
from training.duplicates import same_hashes, same_photos

USES = ("train", "calibrate", "evaluate")
# In turn for the patients of a class: of five three train; the second measures, or nothing would be known.
TURNS = ("train", "evaluate", "calibrate", "train", "train")
FEW_PATIENTS = 30  # measuring a class on fewer leaves an interval wider than 0.3
# Share of the photo that is skin, up to this; few clinics know the distance in cm.
DISTANCES = {"far (half of it skin at most)": 0.5, "middle": 0.9, "near (nearly all is skin)": 1.0}


@dataclass(frozen=True)
class Kind:
    """What a sort of finding means to the clinic and what to do about it."""

    title: str
    remedy: str
    is_fatal: bool = True


KINDS = {
    "no_consent": Kind(
        "No consent",
        "The consent column does not say yes. Ask the patient, or take the photo out of the CSV.",
    ),
    "two_patients": Kind(
        "One photo under two patients",
        "Training would see the photo that later measures it. Find out whose it is, or whether the two are one "
        "person with two numbers.",
    ),
    "two_splits": Kind(
        "One patient in two splits",
        "The figures would be those of a model that already knows the patient. Give all photos of a patient the "
        "same use.",
    ),
    "two_diagnoses": Kind(
        "One photo with two diagnoses", "Keep the one that was confirmed; take the other line out of the CSV."
    ),
    "no_patient": Kind("No patient", "Without the patient's number nobody can keep the splits apart."),
    "unknown_diagnosis": Kind(
        "Unknown diagnosis", f"Known are {', '.join(CLASSES)}, in capitals; another condition is OTHER."
    ),
    "unknown_use": Kind(
        "Unknown use",
        f"Known are {', '.join(USES)}; or leave the column out, and the patients are split for you.",
    ),
    "no_number": Kind("A distance that is no number", "Write it in centimetres, or leave it empty."),
    "no_crop": Kind(
        "A crop that lies in no photo",
        "Write left, top, width and height, each as a share of the photo's side (0 to 1), or leave it empty.",
    ),
    "unreadable": Kind("Unreadable file", "Bring the file again, or take its line out of the CSV."),
    "no_class": Kind(
        "A diagnosis without a photo", "The model will never learn to name it, and will name another.", False
    ),
    "class_not_in_each_split": Kind(
        "A diagnosis with fewer than three patients",
        "It is not in each of the three splits: it cannot be learnt, calibrated and measured at once.",
        False,
    ),
    "few_patients": Kind(
        f"A diagnosis measured on fewer than {FEW_PATIENTS} patients",
        "Its figures will have wide intervals; decide nothing by their middle.",
        False,
    ),
    "unconfirmed": Kind("Not said how it was confirmed", "A model can be no better than its labels.", False),
    "same_photo": Kind("The same photo twice", "It was taken once.", False),
    "hard_to_read": Kind(
        "Hard to read", "A dermatologist should look whether it still shows its diagnosis.", False
    ),
    "no_tone": Kind("A skin tone without a photo", "Nothing can be said about people of this tone.", False),
    "no_distance": Kind("A distance without a photo", "Nothing can be said about photos like these.", False),
}


@dataclass(frozen=True)
class Finding:
    """One thing found, by a key of KINDS, with the photos it is about."""

    kind: str
    photos: tuple[Photo, ...] = ()
    note: str = ""

    @property
    def is_fatal(self) -> bool:
        return KINDS[self.kind].is_fatal


def check(photos: list[Photo]) -> list[Finding]:
    """Return all findings in the order of KINDS, so fatal ones first; split the patients that have no use yet."""
    if not any(photo.use for photo in photos):
        split(photos)
    found = [*_lines(photos), *_classes(photos)]
    if read := [photo for photo in photos if photo.print]:
        prints, patients = [photo.print for photo in read], [photo.patient for photo in read]
        found += [Finding("two_patients", (read[i], read[j])) for i, j in same_photos(prints, patients)]
        for i, j in same_hashes(prints, patients):
            is_agreed = read[i].diagnosis == read[j].diagnosis
            found.append(Finding("same_photo" if is_agreed else "two_diagnoses", (read[i], read[j])))
    for patient, own in _by(photos, lambda p: p.patient).items():
        if patient and len(uses := {photo.use for photo in own}) > 1:
            found.append(Finding("two_splits", tuple(own), ", ".join(sorted(uses))))
    for kind, parts, part_of in (("no_tone", TONES, tone), ("no_distance", DISTANCES, distance)):
        here = {part_of(photo) for photo in photos}
        found += [Finding(kind, note=part) for part in parts if part not in here]
    return sorted(found, key=lambda finding: list(KINDS).index(finding.kind))


def _is_crop(text: str) -> bool:
    try:
        crop_of(text)
    except ValueError:
        return False
    return True


# What a line shows by itself: whether it is wrong, and a note about it.
LINE_CHECKS: dict[str, tuple[Callable[[Photo], bool], Callable[[Photo], str]]] = {
    # Only a plain yes is one: "refused" in the column must not pass for being filled in.
    "no_consent": (lambda p: p.consent.split(":")[0].strip().lower() != "yes", lambda p: p.consent),
    "no_patient": (lambda p: not p.patient, lambda p: ""),
    "unknown_diagnosis": (lambda p: p.diagnosis not in CLASSES, lambda p: p.diagnosis),
    "unknown_use": (lambda p: p.use not in USES, lambda p: p.use),
    "no_crop": (lambda p: not _is_crop(p.crop), lambda p: p.crop),
    "unreadable": (lambda p: bool(p.reason), lambda p: p.reason),
    "no_number": (
        lambda p: p.distance_cm and not p.distance_cm.replace(".", "", 1).isdecimal(),
        lambda p: p.distance_cm,
    ),
    "unconfirmed": (lambda p: not p.confirmed, lambda p: ""),
    "hard_to_read": (lambda p: bool(p.fault), lambda p: p.fault),
}


def _lines(photos: list[Photo]) -> Iterator[Finding]:
    for kind, (is_wrong, note) in LINE_CHECKS.items():
        yield from (Finding(kind, (photo,), note(photo)) for photo in photos if is_wrong(photo))


def split(photos: list[Photo]) -> None:
    """Assign the patients of each class to the splits in turn, in a random order that is the same in each run.

    A patient with two diagnoses counts for the one that fewer have.
    """
    patients, classes = _by(photos, lambda p: p.patient), defaultdict(list)
    size = {name: len(patients_of(own)) for name, own in _by(photos, lambda p: p.diagnosis).items()}
    for patient in sorted(patients, key=lambda name: hashlib.sha256(name.encode()).digest()):
        rarest = min({p.diagnosis for p in patients[patient]}, key=lambda name: (size[name], name))
        classes[rarest].append(patient)
    for members in classes.values():
        for turn, patient in enumerate(members):
            for photo in patients[patient]:
                photo.use = TURNS[turn % len(TURNS)]


def _classes(photos: list[Photo]) -> Iterator[Finding]:
    for name in CLASSES:
        own = [photo for photo in photos if photo.diagnosis == name]
        patients = {use: len(patients_of(p for p in own if p.use == use)) for use in USES}
        if not own:
            yield Finding("no_class", note=name)
        elif not all(patients.values()):
            yield Finding("class_not_in_each_split", tuple(own), name)
        elif patients["evaluate"] < FEW_PATIENTS:
            yield Finding("few_patients", note=f"{name}: {patients['evaluate']}")


def tone(photo: Photo) -> str:
    """Return the part of TONES a photo belongs to; empty where it shows too little skin."""
    return "" if photo.tone is None else band(str(photo.tone), TONES)


def distance(photo: Photo) -> str:
    """Return the part of DISTANCES a photo belongs to; empty where it was not read."""
    return band(str(photo.skin), DISTANCES) if photo.print else ""


def patients_of(photos: Iterable[Photo]) -> set[str]:
    return {photo.patient for photo in photos}


def _by(photos: Iterable[Photo], key: Callable[[Photo], str]) -> dict[str, list[Photo]]:
    parts = defaultdict(list)
    for photo in photos:
        parts[key(photo)].append(photo)
    return parts
