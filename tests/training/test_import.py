"""A clinic's photos become a dataset only if nothing in them would falsify its figures."""

from __future__ import annotations

import base64
import csv
import re

import cv2
import numpy as np
import pytest

from inference_worker.models.segmentation import LESION, SKIN
from training import checks, dataset
from training.data import read_rows
from training.importing import main
from training.phantom.__main__ import main as draw_phantoms

DIAGNOSES = ("AD", "HI", "IM", "MF", "OTHER", "NORMAL")


class Painted:
    """A stub for the segmentation network: the middle is lesion, the rest skin."""

    def __call__(self, photos):
        masks = [np.full(photo.shape[:2], SKIN, np.uint8) for photo in photos]
        for mask in masks:
            mask[100:150, 100:150] = LESION
        return masks


@pytest.fixture(autouse=True)
def _segmenter(monkeypatch):
    monkeypatch.setattr("training.importing.Segmenter", lambda *_: Painted())


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    draw_phantoms(["--out", str(folder), "--count", "6", "--size", "448"])
    return sorted(path.name for path in folder.glob("*.jpg")), folder


class Clinic:
    """A folder of photos with a CSV whose lines tests change before they import it."""

    def __init__(self, names, source, folder):
        self.root, self.csv, self.out = folder / "photos", folder / "photos.csv", folder / "set"
        self.root.mkdir()
        for name in names:
            (self.root / name).write_bytes((source / name).read_bytes())
        self.rows = [
            {
                "file": name,
                "patient": f"P{index}",
                "visit": "1",
                "diagnosis": DIAGNOSES[index % 6],
                "confirmed": "biopsy",
                "site": "elbow",
                "consent": "yes",
            }
            for index, name in enumerate(names)
        ]

    def photo(self, index):
        return cv2.imread(str(self.root / self.rows[index]["file"]))

    def add(self, photo, quality=70, **changes):
        """Add a photo with the data of the first patient and the given changes."""
        name = f"added{len(self.rows)}.jpg"
        cv2.imwrite(str(self.root / name), photo, [cv2.IMWRITE_JPEG_QUALITY, quality])
        self.rows.append(self.rows[0] | {"file": name} | changes)

    def run(self):
        columns = dict.fromkeys(name for row in self.rows for name in row)
        with self.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)
        return main(["--csv", str(self.csv), "--root", str(self.root), "--out", str(self.out)])

    def report(self):
        return (self.out.parent / "set.html").read_text()

    def manifest(self):
        return read_rows(self.out / "manifest.csv", self.out)

    def is_refused(self, words):
        """Import; return whether no dataset was written and the report begins with these words."""
        code = self.run()
        first = self.report().split("What must be corrected")[1].split("</h3>")[0]
        return code == 1 and not self.out.exists() and words in first


@pytest.fixture
def clinic(photos, tmp_path):
    return Clinic(*photos, tmp_path)


def test_a_valid_folder_becomes_photos_without_metadata_and_a_manifest(clinic):
    tagged = clinic.root / clinic.rows[0]["file"]
    content = tagged.read_bytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\0\0SecretOwner"
    tagged.write_bytes(content[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + content[2:])
    assert clinic.run() == 0
    rows = clinic.manifest()
    assert [row.label for row in rows] == list(DIAGNOSES) and {row.use for row in rows} == {"train"}
    assert all(cv2.imread(str(row.path)) is not None for row in rows)
    assert not any(b"SecretOwner" in row.path.read_bytes() for row in rows)
    assert "The dataset was written" in clinic.report() and "must be corrected:" not in clinic.report()


def cropped(photo):
    height, width = photo.shape[:2]
    return photo[height // 8 : height * 7 // 8, width // 8 : width * 7 // 8]


def test_a_drawn_crop_goes_into_the_dataset(clinic):
    clinic.rows[1]["crop"] = "0.1 0.2 0.5 0.6"
    clinic.rows[2]["crop"] = ""
    assert clinic.run() == 0
    assert [row.crop for row in clinic.manifest()][:3] == [None, (0.1, 0.2, 0.5, 0.6), None]


@pytest.mark.parametrize("crop", ["0.1 0.2 0.5", "0.6 0 0.5 0.5", "0 nan 0.5 0.5", "0 0 0 1", "left"])
def test_a_crop_that_lies_in_no_photo_fails_the_import(clinic, crop):
    clinic.rows[1]["crop"] = crop
    assert clinic.is_refused("A crop that lies in no photo")


@pytest.mark.parametrize(
    ("change", "quality"),
    [(lambda photo: photo, 95), (lambda photo: cv2.resize(photo, None, fx=0.7, fy=0.7), 50), (cropped, 80)],
    ids=["copied", "encoded again", "cropped"],
)
def test_a_photo_planted_under_a_second_patient_fails_the_import(clinic, change, quality):
    clinic.add(change(clinic.photo(0)), quality, patient="P9")
    assert clinic.is_refused("One photo under two patients")
    assert "P0" in clinic.report() and "P9" in clinic.report()


def test_a_patient_planted_in_two_splits_fails_the_import(clinic):
    for row in clinic.rows:
        row["use"] = "train"
    clinic.rows[1] |= {"use": "evaluate", "patient": "P0"}
    assert clinic.is_refused("One patient in two splits")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"consent": ""}, "No consent"),
        ({"consent": "refused"}, "No consent"),
        ({"consent": "yes but withdrawn"}, "No consent"),
        ({"diagnosis": "eczema"}, "Unknown diagnosis"),
        ({"patient": ""}, "No patient"),
        ({"file": "gone.jpg"}, "Unreadable file"),
        ({"use": "test"}, "Unknown use"),
        ({"distance_cm": "near"}, "A distance that is no number"),
    ],
)
def test_a_line_that_cannot_be_used_fails_the_import(clinic, change, words):
    clinic.rows[2] |= change
    assert clinic.is_refused(words)


def test_a_photo_outside_the_folder_fails_the_import(clinic):
    """A path in a CSV must not read other files of the machine."""
    name = clinic.rows[0]["file"]
    (clinic.root / name).rename(clinic.root.parent / name)
    clinic.rows[0]["file"] = f"../{name}"
    assert clinic.is_refused("Unreadable file")


def test_a_truncated_file_fails_the_import(clinic):
    path = clinic.root / clinic.rows[3]["file"]
    path.write_bytes(path.read_bytes()[:300])
    assert clinic.is_refused("Unreadable file")


def test_a_photo_that_a_patient_sent_twice_is_imported_once(clinic):
    clinic.add(clinic.photo(0), 60)
    assert clinic.run() == 0
    assert len(clinic.manifest()) == 6 and "The same photo twice" in clinic.report()


def test_one_photo_with_two_diagnoses_fails_the_import(clinic):
    clinic.add(clinic.photo(0), 60, diagnosis="MF")
    assert clinic.is_refused("One photo with two diagnoses")


def test_the_report_is_one_file_and_runs_no_text_of_a_csv(clinic):
    """Names in a CSV are untrusted text: shown, never run; and the page loads nothing from elsewhere."""
    clinic.rows[0]["site"] = "<script>alert(1)</script>"
    clinic.rows[1]["consent"] = "no"
    assert clinic.run() == 1
    page = clinic.report()
    assert "<script" not in page and "&lt;script&gt;" in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources and all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert base64.b64decode(sources[0].split(",")[1]).startswith(b"\xff\xd8")


def test_an_existing_dataset_is_never_changed(clinic):
    clinic.out.mkdir()
    with pytest.raises(SystemExit, match="2"):
        clinic.run()
    assert not list(clinic.out.iterdir())


def test_a_csv_without_a_column_is_refused(clinic, capsys):
    for row in clinic.rows:
        del row["consent"]
    with pytest.raises(SystemExit, match="2"):
        clinic.run()
    assert "consent" in capsys.readouterr().err


# --- Splits and coverage, without files -------------------------------------------------------------------
def line(number, patient, diagnosis, **facts):
    fields = dict.fromkeys((*dataset.COLUMNS, *dataset.OPTIONAL), "") | {
        "confirmed": "biopsy",
        "consent": "yes",
    }
    return dataset.Photo(number, **fields | {"patient": patient, "diagnosis": diagnosis} | facts)


def test_the_split_is_by_patient_and_class_and_independent_of_their_order():
    photos = [line(n, f"{d}{n // 2}", d) for d in ("AD", "HI") for n in range(40)]
    checks.split(photos)
    uses = {photo.patient: photo.use for photo in photos}
    assert all(photo.use == uses[photo.patient] for photo in photos)
    for name in ("AD", "HI"):
        own = sorted(use for patient, use in uses.items() if patient.startswith(name))
        assert own == ["calibrate"] * 4 + ["evaluate"] * 4 + ["train"] * 12
    again = [line(p.line, p.patient, p.diagnosis) for p in reversed(photos)]
    checks.split(again)
    assert {photo.patient: photo.use for photo in again} == uses


def test_patients_with_two_diagnoses_count_for_the_rarer_and_are_not_split():
    photos = [line(n, f"P{n}", "AD") for n in range(9)] + [line(9 + n, f"P{n}", "HI") for n in range(3)]
    checks.split(photos)
    uses = {patient: {p.use for p in photos if p.patient == patient} for patient in ("P0", "P1", "P2")}
    assert sorted(map(tuple, uses.values())) == [("calibrate",), ("evaluate",), ("train",)]


def test_missing_subgroups_are_reported_and_do_not_fail_the_import():
    photos = [line(n, f"P{n}", "AD", tone=60.0, skin=0.95) for n in range(12)]
    found = {(finding.kind, finding.note.split(":")[0]) for finding in checks.check(photos)}
    assert ("no_class", "HI") in found and ("few_patients", "AD") in found
    assert ("no_tone", "1 dark") in found and ("no_tone", "6 very light") not in found
    assert not any(finding.is_fatal for finding in checks.check(photos))


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ((245, 225, 210), "6 very light"),
        ((190, 140, 110), "3 tan"),
        ((150, 105, 80), "2 brown"),
        ((60, 40, 30), "1 dark"),
    ],
)
def test_the_skin_tone_depends_only_on_healthy_skin(colour, name):
    pixels = np.full((60, 60, 3), colour, np.uint8)
    mask = np.full((60, 60), SKIN, np.uint8)
    pixels[:40], mask[:40] = (190, 20, 20), LESION
    assert checks.tone(line(1, "P", "AD", tone=dataset.tone_of(pixels, mask))) == name


def test_a_photo_with_hardly_any_skin_has_no_tone():
    assert dataset.tone_of(np.zeros((50, 50, 3), np.uint8), np.zeros((50, 50), np.uint8)) is None
