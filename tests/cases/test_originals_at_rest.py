"""Originals are encrypted on disk, with keys that can be rotated."""

from __future__ import annotations

import hashlib
from io import StringIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import RequestFactory

from contract import encryption
from teleder.cases import invariants, originals
from teleder.cases.models import Photo
from teleder.pipeline import results

OLD, NEW = (encryption.Keys({encryption.name_of(key): key}) for key in (b"o" * 32, b"n" * 32))
BOTH = encryption.Keys({**NEW.by_name, **OLD.by_name})

pytestmark = pytest.mark.django_db


def rotate(**options) -> str:
    out = StringIO()
    call_command("rotate_photo_keys", stdout=out, stderr=out, **options)
    return out.getvalue()


@pytest.fixture
def photo(settings, alices_submission):
    """A photo of alice's, encrypted with the old key."""
    photo = alices_submission.photos.get()
    content = originals.read(photo.pk, photo.original_key)
    settings.PHOTO_KEYS = OLD
    originals.write(photo.pk, photo.original_key, OLD.seal(content, photo.original_key))
    Photo.objects.update(sealed_by=OLD.newest)
    photo.refresh_from_db()
    return photo


def stored(settings, photo) -> bytes:
    return (settings.MEDIA_ROOT / photo.original_key).read_bytes()


def test_an_uploaded_photo_cannot_be_read_from_the_disk(settings, alices_submission):
    photo = alices_submission.photos.get()
    on_disk = stored(settings, photo)
    assert encryption.key_of(on_disk) == photo.sealed_by == settings.PHOTO_KEYS.newest
    assert (
        not on_disk.startswith((b"\xff\xd8", b"\x89PNG"))
        and originals.read(photo.pk, photo.original_key)[:2] == b"\xff\xd8"
    )
    assert hashlib.sha256(originals.read(photo.pk, photo.original_key)).hexdigest() == photo.sha256


def test_after_a_rotation_the_new_key_opens_all_originals(settings, photo):
    before = originals.read(photo.pk, photo.original_key)
    settings.PHOTO_KEYS = BOTH
    assert "1 of 1" in rotate()
    settings.PHOTO_KEYS = NEW
    photo.refresh_from_db()
    assert photo.sealed_by == NEW.newest and originals.read(photo.pk, photo.original_key) == before
    assert "0 of 0" in rotate()


def test_a_rotation_encrypts_originals_from_before_there_were_keys(settings, photo):
    plain = originals.read(photo.pk, photo.original_key)
    originals.write(photo.pk, photo.original_key, plain)
    Photo.objects.update(sealed_by="")
    assert list(invariants.originals_are_sealed()) == [
        str(photo.pk)
    ]  # an upgrade alone seals nothing, and says so
    rotate()
    assert not list(invariants.originals_are_sealed())
    assert (
        encryption.is_sealed(stored(settings, photo))
        and originals.read(photo.pk, photo.original_key) == plain
    )


def test_a_result_recorded_during_a_rotation_keeps_the_name_of_the_new_key(
    settings, photo, analyse, monkeypatch
):
    settings.PHOTO_KEYS, state_of = BOTH, results._photo_state
    monkeypatch.setattr(results, "_photo_state", lambda outcome: (rotate(), state_of(outcome))[1])
    analyse(photo)
    photo.refresh_from_db()
    assert (photo.sealed_by, bool(photo.display_key)) == (NEW.newest, True)


def test_a_dry_run_counts_and_changes_nothing(settings, photo):
    before = stored(settings, photo)
    settings.PHOTO_KEYS = BOTH
    assert "1 originals would be" in rotate(dry_run=True)
    assert stored(settings, photo) == before


@pytest.mark.parametrize("fault", ["no key", "no file", "changed"])
def test_a_rotation_reports_and_keeps_a_photo_that_it_cannot_read(settings, photo, fault):
    settings.PHOTO_KEYS = BOTH
    if fault == "no key":
        settings.PHOTO_KEYS = NEW
    elif fault == "no file":
        (settings.MEDIA_ROOT / photo.original_key).unlink()
    else:
        originals.write(photo.pk, photo.original_key, OLD.seal(b"\xff\xd8 another photo", photo.original_key))
    with pytest.raises(CommandError, match="1 originals were left"):
        rotate()
    photo.refresh_from_db()
    assert photo.sealed_by == OLD.newest


def test_check_record_names_photos_whose_key_is_missing(settings, photo):
    assert not list(invariants.originals_have_a_key_that_we_hold())
    settings.PHOTO_KEYS = NEW
    assert list(invariants.originals_have_a_key_that_we_hold()) == [str(photo.pk)]


def test_a_large_upload_in_progress_is_an_unnamed_file(settings, tmp_path):
    """Otherwise a process killed during the upload would leave the unencrypted photo behind."""
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    content = b"x" * (settings.FILE_UPLOAD_MAX_MEMORY_SIZE + 1)
    form = RequestFactory().post("/", {"file": SimpleUploadedFile("a.jpg", content)})
    upload = form.FILES["file"]
    upload.file.fileno()  # it is a file, or is made one here
    assert not list(tmp_path.iterdir())
    assert upload.read() == content
    form.close()
