"""Files that changed on the disk: told, never shown, and made again where that can be."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from contract import messages
from teleder.accounts.models import Consent, Purpose
from teleder.cases import file_checks, invariants, originals, storage_mark, stored_files
from teleder.cases.models import Analysis, DamagedFile, Job, JobState, Photo, StoredFile
from teleder.notifications import reconcile
from teleder.pipeline import mending, recovery, results
from teleder.web.operations import health
from tests.conftest import MODEL, send_for_test

pytestmark = pytest.mark.django_db
JPEG = b"\xff\xd8\xff%s\xff\xd9"
PNG = b"\x89PNG\r\n%sIEND\xaeB`\x82"


def write_files(storage, photo) -> Photo:
    """Write all that a worker makes, and keep the hashes, as its result does."""
    photo.refresh_from_db()
    for row in (photo, photo.analysis):
        for file in file_checks.files_named_by(row):
            if file.name != StoredFile.ORIGINAL:
                like = JPEG if file.key.endswith(".jpg") else PNG
                digest = storage.write_hashed(file.key, like % f"{photo.pk} {file.name}".encode())
                setattr(row, f"{file.name}_sha256", digest)
        row.save()
    return photo


@pytest.fixture
def photo(storage, alices_submission, analyse) -> Photo:
    photo = alices_submission.photos.get()
    analyse(photo)
    return write_files(storage, photo)


@pytest.fixture
def bobs_photo(storage, bob, submission_of, analyse) -> Photo:
    photo = submission_of(bob).photos.get()
    analyse(photo)
    return write_files(storage, photo)


@pytest.fixture
def get(client, dana):
    client.force_login(dana)
    client.raise_request_exception = False
    return lambda photo, kind="display", **headers: client.get(
        reverse("web:photo", args=[photo.pk, kind]), headers=headers
    )


def damage(storage, key: str) -> None:
    content = bytearray(storage.read(key))
    content[len(content) // 2] ^= 1
    storage.write(key, bytes(content))


def look_again() -> int:
    DamagedFile.objects.filter(mended_at=None).update(due_at=timezone.now() - timedelta(minutes=1))
    return mending.mend()


def words(adam) -> str:
    return " ".join(problem.words for problem in health.board(adam).problems)


def make(photo, **changed) -> None:
    """Record a copy that was made again."""
    job, attempt = send_for_test(photo, "prepare")
    folder = f"photos/{photo.pk}/prepare/{attempt}"
    copies = [name for name in file_checks.COPIES if stored_files.MADE_BY[name] == "prepare"]
    made = {f"{name}_key": f"{folder}/{name}.jpg" for name in copies}
    for key in made.values():
        originals.settings.PHOTO_STORAGE.write(key, JPEG % b"again")
    made |= {f"{name}_sha256": sha256(JPEG % b"again").hexdigest() for name in copies}
    sizes = dict.fromkeys(("width", "height", "analysis_width", "analysis_height"), 800)
    outcome = messages.Prepared(**made, **sizes, quality={}, **changed)
    assert results.record(job=job, attempt=attempt, worker="test", outcome=outcome)


@pytest.mark.parametrize("kind", ["display", "thumbnail", "mask"])
def test_a_damaged_copy_is_not_shown_not_even_a_range_of_it(storage, photo, get, kind, ai_is_open):
    assert get(photo, kind).status_code == 200
    row = photo.analysis if kind == "mask" else photo
    damage(storage, getattr(row, f"{kind}_key"))
    for headers in ({}, {"Range": "bytes=0-1"}):
        answer = get(photo, kind, **headers)
        assert answer.status_code == 503 and answer["Retry-After"]
    assert DamagedFile.objects.get().name == kind


def test_nobody_sees_a_copy_that_was_exchanged_with_another_persons(storage, photo, bobs_photo, get):
    mine, others = storage.read(photo.display_key), storage.read(bobs_photo.display_key)
    storage.write(photo.display_key, others)
    storage.write(bobs_photo.display_key, mine)
    assert get(photo).status_code == get(bobs_photo).status_code == 503


def test_a_damaged_copy_is_told_at_once_and_made_again(storage, photo, get, adam, noel):
    damage(storage, photo.display_key)
    get(photo)
    assert "1 copy of a photo was damaged" in words(adam)
    assert "damaged" not in words(noel)
    assert look_again() == 0
    assert photo.jobs.get(stage="prepare").state in {JobState.QUEUED, JobState.SENT}
    make(photo)
    assert look_again() == 1
    assert get(photo).getvalue() == JPEG % b"again"
    assert not DamagedFile.objects.filter(mended_at=None)
    assert "1 copy of a photo was damaged" in words(adam), "told for a day"
    DamagedFile.objects.update(mended_at=timezone.now() - timedelta(days=2))
    assert "damaged" not in words(adam)


def test_a_copy_that_is_missing_is_made_again(storage, photo, get):
    storage.delete(photo.thumbnail_key)
    assert get(photo, "thumbnail").status_code == 404
    look_again()
    make(photo)
    assert look_again() == 1


def test_while_the_original_is_damaged_too_nothing_is_made_of_it(storage, photo, get, adam, noel, mailoutbox):
    copy, original = photo.display_key, storage.read(photo.original_key)
    damage(storage, copy)
    damage(storage, photo.original_key)
    get(photo)
    look_again()
    assert photo.jobs.get(stage="prepare").state == JobState.DONE
    assert "1 photo is damaged in the storage" in words(adam)
    look_again()
    assert reconcile.tell_of_damaged_originals() == 1
    assert reconcile.tell_of_damaged_originals() == 0
    assert [mail.to for mail in mailoutbox] == [[adam.email]]
    assert str(photo.pk) in mailoutbox[0].body
    storage.write(photo.original_key, original)
    assert look_again() == 1
    look_again()
    assert photo.jobs.get(stage="prepare").state in {JobState.QUEUED, JobState.SENT}


def test_what_could_not_be_prepared_is_prepared_once_its_original_is_back(storage, alices_submission):
    photo = alices_submission.photos.get()
    original = storage.read(photo.original_key)
    damage(storage, photo.original_key)
    job, attempt = send_for_test(photo, "prepare")
    outcome = messages.Failed(code=messages.ORIGINAL_LOCKED)
    assert results.record(job=job, attempt=attempt, worker="test", outcome=outcome)
    assert (look_again(), photo.jobs.get().state) == (0, JobState.FAILED)
    storage.write(photo.original_key, original)
    assert (look_again(), photo.jobs.get().state) == (1, JobState.QUEUED)


def test_a_worker_that_meets_a_damaged_copy_waits_for_the_new_one(storage, alices_draft, alice, analyse):
    from teleder.cases import intake

    photo = alices_draft.photos.get()
    analyse(photo)
    intake.submit(alices_draft, by=alice)
    photo = write_files(storage, photo) if photo.analysis else photo
    job, attempt = send_for_test(photo, "analyse")
    Job.objects.filter(pk=job).update(state=JobState.STARTED)
    outcome = messages.Failed(code=messages.FILE_DAMAGED)
    assert not results.record(job=job, attempt=attempt, worker="test", outcome=outcome)
    assert Job.objects.get(pk=job).state == JobState.SENT
    assert DamagedFile.objects.get().name == StoredFile.ANALYSIS


def record_again(photo, model=MODEL) -> str:
    """Record another analysis of the photo, by this model; return the key of its mask."""
    job, attempt = send_for_test(photo, "analyse")
    folder = f"photos/{photo.pk}/analyse/{attempt}"
    found = dict.fromkeys(("AD", "HI", "IM", "MF", "OTHER"), 0.2)
    segmented = messages.Segmented(
        mask_key=f"{folder}/mask.png", mask_sha256="a" * 64, skin=0.5, lesion=0.1, model=model
    )
    drawn = messages.Attribution(key=f"{folder}/attribution.png", sha256="b" * 64, condition="MF", box=None)
    classified = messages.Classified(
        probabilities=found,
        views=(messages.View(box=None, probabilities=found),),
        thresholds={},
        top=None,
        attribution=drawn,
        demonstration=True,
        model=MODEL,
    )
    outcome = messages.Analysed(segmented=segmented, classified=classified)
    assert results.record(job=job, attempt=attempt, worker="test", outcome=outcome)
    return f"{folder}/mask.png"


@pytest.mark.parametrize("is_same_model", [True, False])
def test_a_picture_of_the_ai_is_drawn_again_and_its_finding_stays(storage, photo, is_same_model):
    before = photo.analysis
    damage(storage, before.mask_key)
    file_checks.check_photo(photo)
    look_again()
    assert photo.jobs.get(stage="analyse").state in {JobState.QUEUED, JobState.SENT}
    other = messages.ModelRef(name="test", version="2", sha256="1" * 64)
    key = record_again(photo, MODEL if is_same_model else other)
    after = Analysis.objects.get()
    assert (after.skin, after.top, after.probabilities()) == (0.8, before.top, before.probabilities())
    assert (after.mask_key, after.mask_sha256) == ((key, "a" * 64) if is_same_model else ("", ""))


def test_without_consent_to_ai_its_damaged_picture_is_shown_no_more(storage, photo, alice):
    damage(storage, photo.analysis.attribution_key)
    file_checks.check_photo(photo)
    Consent.objects.filter(person=alice, purpose=Purpose.AI).update(withdrawn_at=timezone.now())
    look_again()
    assert photo.jobs.get(stage="analyse").state == JobState.DONE
    assert Analysis.objects.get().attribution_key == ""
    assert look_again() == 1


def test_a_photo_that_was_shown_does_not_become_unusable(storage, photo, get):
    damage(storage, photo.thumbnail_key)
    get(photo, "thumbnail")
    look_again()
    job, attempt = send_for_test(photo, "prepare")
    outcome = messages.Prepared(quality={}, reason=messages.Reason.CORRUPT_IMAGE)
    assert results.record(job=job, attempt=attempt, worker="test", outcome=outcome)
    assert get(photo).status_code == 200


def test_nothing_is_damaged_where_the_disk_is_not_mounted(storage, photo, monkeypatch):
    DamagedFile.objects.create(photo=photo, name=StoredFile.DISPLAY)
    monkeypatch.setattr(storage_mark, "is_ours", lambda: False)
    assert look_again() == 0
    assert DamagedFile.objects.get().tries == 0


def test_check_record_reads_every_file(storage, photo, bobs_photo):
    reads = invariants.import_string("teleder.cases.file_checks.stored_files_are_as_they_were_written")
    assert list(reads()) == []
    damage(storage, photo.analysis.mask_key)
    damage(storage, bobs_photo.original_key)
    names = dict(invariants.broken())
    assert len(names["stored files are as they were written"]) == 2
    assert "stored files are as they were written" not in dict(invariants.broken(reads_files=False))


def test_each_file_is_read_in_a_month(storage, photo, bobs_photo, monkeypatch):
    monkeypatch.setattr(file_checks, "RUNS_A_NIGHT", 1)
    assert file_checks.check_share()["photos"] == 0, "what was just written counts as read"
    long_ago = timezone.now() - timedelta(days=file_checks.DAYS + 1)
    Photo.objects.update(created_at=long_ago)
    Photo.objects.filter(pk=photo.pk).update(files_read_at=long_ago - timedelta(days=1))
    assert file_checks.check_share()["photos"] == 1
    photo.refresh_from_db()
    assert photo.files_read_at > long_ago + timedelta(days=1)
    assert file_checks.check_share()["photos"] == 1
    assert file_checks.check_share()["photos"] == 0
    Photo.objects.update(files_read_at=long_ago - timedelta(days=9))
    assert "stored files were read lately" in dict(invariants.broken(reads_files=False))


def test_files_of_earlier_versions_get_their_hash_once_if_they_look_whole(storage, photo, bobs_photo, capsys):
    for each in (photo, bobs_photo):
        Photo.objects.filter(pk=each.pk).update(
            display_sha256="", created_at=timezone.now() - timedelta(days=3)
        )
    Analysis.objects.update(mask_sha256="")
    storage.write(bobs_photo.display_key, storage.read(bobs_photo.display_key)[:-5])
    assert "copies have a hash" in dict(invariants.broken(reads_files=False))
    with pytest.raises(CommandError, match="made again"):
        call_command("check_files")
    assert "2 photos read, 3 files got their hash" in capsys.readouterr().out
    photo.refresh_from_db()
    assert photo.display_sha256 == sha256(storage.read(photo.display_key)).hexdigest()
    assert (DamagedFile.objects.get().photo, DamagedFile.objects.get().name) == (bobs_photo, "display")


def test_a_lost_picture_of_an_older_analysis_is_let_go(storage, photo, analyse):
    older = photo.analysis
    analyse(photo)
    photo = write_files(storage, Photo.objects.get(pk=photo.pk))
    damage(storage, older.mask_key)
    assert file_checks.check_photo(photo)["damaged"] == 1
    older.refresh_from_db()
    assert (older.mask_key, DamagedFile.objects.count()) == ("", 0)


# --- Files that a worker did not find ---------------------------------------------------------------------
def test_a_photo_whose_original_was_missing_is_prepared_by_itself_once_it_is_back(
    storage, alices_submission, adam
):
    photo = alices_submission.photos.get()
    original = storage.read(photo.original_key)
    storage.delete(photo.original_key)
    job, attempt = send_for_test(photo, "prepare")
    outcome = messages.Failed(code=messages.FILE_MISSING)
    assert results.record(job=job, attempt=attempt, worker="test", outcome=outcome)
    assert DamagedFile.objects.get().name == StoredFile.ORIGINAL
    assert "1 photo is damaged in the storage" in words(adam)
    assert (look_again(), photo.jobs.get().state) == (0, JobState.FAILED)
    storage.write(photo.original_key, original)
    assert (look_again(), photo.jobs.get().state) == (1, JobState.QUEUED)


def test_a_copy_that_the_ai_did_not_find_is_made_again_and_read(storage, photo, alice):
    storage.delete(photo.analysis_key)
    job, attempt = send_for_test(photo, "analyse")
    outcome = messages.Failed(code=messages.FILE_MISSING)
    assert results.record(job=job, attempt=attempt, worker="test", outcome=outcome)
    assert DamagedFile.objects.get().name == StoredFile.ANALYSIS
    look_again()
    assert photo.jobs.get(stage="prepare").state in {JobState.QUEUED, JobState.SENT}
    make(photo)
    assert photo.jobs.get(stage="analyse").state == JobState.FAILED
    assert look_again() == 1
    assert photo.jobs.get(stage="analyse").state in {JobState.QUEUED, JobState.SENT}


def test_without_consent_to_ai_the_copy_is_made_again_and_not_read(storage, photo, alice):
    job, attempt = send_for_test(photo, "analyse")
    outcome = messages.Failed(code=messages.FILE_MISSING)
    assert results.record(job=job, attempt=attempt, worker="test", outcome=outcome)
    Consent.objects.filter(person=alice, purpose=Purpose.AI).update(withdrawn_at=timezone.now())
    assert look_again() == 1
    assert photo.jobs.get(stage="analyse").state == JobState.FAILED


def test_a_full_storage_is_no_crash_of_a_worker_however_often(storage, alices_submission):
    photo = alices_submission.photos.get()
    for _ in range(5):
        job, attempt = send_for_test(photo, "prepare")
        Job.objects.filter(pk=job).update(state=JobState.STARTED)
        outcome = messages.Failed(code=messages.STORAGE_UNAVAILABLE)
        assert not results.record(job=job, attempt=attempt, worker="test", outcome=outcome)
        Job.objects.filter(pk=job).update(deadline=timezone.now() - timedelta(minutes=1))
        assert recovery.expire() == 1
        found = Job.objects.get(pk=job)
        assert (found.state, found.deaths, found.error) == (JobState.QUEUED, 0, "")
