"""The export for training: pseudonymised photos of patients who agreed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from contract.messages import NoCropReason
from teleder.accounts.models import Clinic, Purpose
from teleder.accounts.people import end_consent, give_consent
from teleder.cases import reviews, training
from teleder.cases.models import DrawnCropFinding
from tests.drawn import draw, reanalysed, record

# A PNG of 4 x 1 pixels: background, skin, lesion, lesion.
MASK = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000004000000010800000000dc5750110000000d494441"
    "54789c63606064620200000e000669da81da0000000049454e44ae426082"
)


@pytest.fixture
def signed(submission_of, analyse, dana, settings):
    """An answered submission whose photo was prepared; its copy says which photo it is of."""

    def make(patient, impression="AD", site="elbow_crease"):
        submission = submission_of(patient)
        submission.case.body_site = site
        submission.case.save()
        photo = submission.photos.get()
        analyse(photo)
        photo.refresh_from_db()
        copy = Path(settings.MEDIA_ROOT) / photo.analysis_key
        copy.parent.mkdir(parents=True)
        copy.write_bytes(f"copy of {photo.pk}".encode())
        reviews.claim(submission, by=dana)
        reviews.sign(
            submission, by=dana, impression=impression, disposition="today", text="Please come today."
        )
        return submission

    return make


@pytest.fixture
def exported(tmp_path):
    """Export, and return the lines of the CSV."""

    def run(name="export", **options):
        call_command("export_training", out=tmp_path / name, **options)
        with (tmp_path / name / "photos.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    return run


@pytest.fixture
def drawn(settings, dana):
    """Draw a crop on the photo of a submission, with its lesion or without, as if a worker had read it."""

    def make(submission, lesion, **outcome):
        photo = submission.photos.get()
        crop = draw(photo, dana)
        type(crop).objects.filter(pk=crop.pk).update(lesion=lesion)
        record(photo, reanalysed(photo, **outcome))
        key = crop.photo.drawn_crops.select_related("finding").last().finding.mask_key
        settings.PHOTO_STORAGE.write(key, MASK)
        return crop

    return make


@pytest.mark.parametrize(("lesion", "use"), [([0, 100, 479_900], "train"), (None, "crop")])
def test_what_was_drawn_is_written_as_a_manifest_that_training_reads(
    signed, drawn, exported, alice, dana, tmp_path, lesion, use
):
    data = pytest.importorskip("training.data")
    give_consent(alice, Purpose.TRAINING)
    submission = signed(alice, "HI")
    drawn(submission, lesion)
    [photo] = exported()
    out = tmp_path / "export"
    [row] = csv.DictReader((out / "drawn.csv").open(newline=""))
    assert (row["image"], row["use"], row["label"]) == (photo["file"], use, "HI")
    assert (row["x"], row["y"], row["width"], row["height"]) == ("10", "20", "100", "100")
    assert row["author"] == training.pseudonym(dana) and dana.name not in str(row)
    [read] = data.read_rows(out / "drawn.csv", out)
    assert (read.use, read.label, read.group) == (use, "HI", photo["patient"])
    assert data.read_mask(read.mask).max() == 2
    # 100 of the 800 x 600 pixels of the analysis copy, from (10, 20) on.
    assert data.crop_of(photo["crop"]) == (0.0125, 0.0333, 0.125, 0.1667)


def test_a_drawn_crop_that_the_photo_was_read_without_trains_nothing(signed, drawn, exported, alice):
    give_consent(alice, Purpose.TRAINING)
    drawn(signed(alice), None, no_box=NoCropReason.TOO_LITTLE_SKIN)
    [row] = exported()
    assert row["crop"] == ""


def test_a_result_that_no_version_writes_keeps_no_photo_from_the_export(
    signed, drawn, exported, alice, tmp_path
):
    give_consent(alice, Purpose.TRAINING)
    drawn(signed(alice), None)
    DrawnCropFinding.objects.update(result={"segmented": 1})
    [row] = exported()
    assert row["crop"] == "" and not (tmp_path / "export" / "drawn.csv").exists()


def test_without_consent_to_training_nothing_that_was_drawn_is_written(
    signed, drawn, exported, alice, bob, tmp_path
):
    give_consent(bob, Purpose.TRAINING)
    drawn(signed(alice), [0, 100, 479_900])
    signed(bob)
    assert len(exported()) == 1 and not (tmp_path / "export" / "drawn.csv").exists()
    give_consent(alice, Purpose.TRAINING)
    assert len(exported("again")) == 2 and (tmp_path / "again" / "drawn.csv").exists()
    end_consent(alice, Purpose.TRAINING)
    assert len(exported("after")) == 1 and not (tmp_path / "after" / "drawn.csv").exists()


def test_a_signed_case_of_a_patient_who_agreed_is_written_with_its_copy(signed, exported, alice, tmp_path):
    give_consent(alice, Purpose.TRAINING)
    submission = signed(alice, "HI")
    [row] = exported()
    assert (row["diagnosis"], row["site"], row["visit"]) == ("HI", "elbow_crease", "1")
    assert row["consent"].startswith("yes: training")
    copy = (tmp_path / "export" / row["file"]).read_bytes()
    assert copy == f"copy of {submission.photos.get().pk}".encode()


def test_the_export_does_not_identify_alice(signed, exported, alice, tmp_path):
    """It has neither her name nor any number of the record, and only the folder's owner may open it."""
    give_consent(alice, Purpose.TRAINING)
    submission = signed(alice)
    exported()
    written = (tmp_path / "export/photos.csv").read_text() + " ".join(
        path.name for path in (tmp_path / "export").iterdir()
    )
    secrets = [alice.email, alice.name, alice.pk, submission.pk, submission.case.pk, submission.case.number]
    secrets += [submission.photos.get().pk, f"{submission.submitted_at:%Y-%m-%dT}"]
    assert not [secret for secret in secrets if str(secret) in written]
    assert (tmp_path / "export").stat().st_mode & 0o077 == 0


def test_the_key_gives_a_patient_the_same_pseudonym_each_time(signed, exported, alice, settings):
    give_consent(alice, Purpose.TRAINING)
    signed(alice)
    signed(alice)
    rows = exported()
    assert len({row["patient"] for row in rows}) == 1 and [row["visit"] for row in rows] == ["1", "2"]
    assert exported("again") == rows
    settings.SECRET_KEY = "another"
    assert exported("elsewhere")[0]["patient"] != rows[0]["patient"]


def test_patients_who_did_not_agree_or_withdrew_are_left_out(signed, exported, alice, bob):
    give_consent(bob, Purpose.TRAINING)
    signed(alice)
    signed(bob)
    assert len(exported()) == 1
    end_consent(bob, Purpose.TRAINING)
    assert exported("later") == []


@pytest.mark.parametrize(
    ("impression", "site"), [("unclear", "elbow_crease"), ("AD", "groin"), ("AD", "buttocks")]
)
def test_intimate_photos_and_impressions_without_a_class_are_left_out(
    signed, exported, alice, impression, site
):
    give_consent(alice, Purpose.TRAINING)
    signed(alice, impression, site)
    assert exported() == []


def test_an_amended_answer_counts_as_amended(signed, exported, alice, dana):
    give_consent(alice, Purpose.TRAINING)
    submission = signed(alice, "AD")
    reviews.amend(submission, by=dana, impression="MF", disposition="today", text="I was wrong.")
    assert [row["diagnosis"] for row in exported()] == ["MF"]


def test_unanswered_photos_and_removed_ones_are_left_out(signed, exported, alice, submission_of, analyse):
    give_consent(alice, Purpose.TRAINING)
    analyse(submission_of(alice).photos.get())
    signed(alice).photos.update(removed_at="2026-11-23T00:00Z")
    assert exported() == []


def test_another_clinics_cases_are_not_written(signed, exported, alice):
    give_consent(alice, Purpose.TRAINING)
    signed(alice)
    other = Clinic.objects.create(name="Other")
    with pytest.raises(CommandError, match="name one of"):
        exported()
    assert exported(clinic=other.name) == []
    assert len(exported("ours", clinic=Clinic.objects.exclude(pk=other.pk).get().name)) == 1


def test_an_existing_folder_is_not_written_to(exported, db, tmp_path):
    (tmp_path / "export").mkdir()
    with pytest.raises(CommandError, match="exists"):
        exported()


def test_the_import_reads_the_export(signed, exported, alice, tmp_path):
    dataset = pytest.importorskip("training.dataset")
    checks = pytest.importorskip("training.checks")
    give_consent(alice, Purpose.TRAINING)
    signed(alice, "other")
    exported()
    [photo] = dataset.read_csv(tmp_path / "export/photos.csv")
    assert not [finding.kind for finding in checks.check([photo]) if finding.is_fatal]
    assert training.pseudonym(alice) == photo.patient
