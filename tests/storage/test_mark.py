"""The mark by which web and workers know that the storage is there, and this database's."""

from __future__ import annotations

import uuid

import pytest
from django.core.cache import caches
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse

from contract.storage import MARK, FileMissingError, FileStorage, StorageUnavailableError
from teleder.cases import storage_mark
from teleder.cases.models import Photo, StorageMark
from teleder.web.operations import health
from tests.api.conftest import API
from tests.api.description import DescribedClient
from tests.api.test_bad_input import problem_code
from tests.conftest import JPEG_HEAD

pytestmark = pytest.mark.django_db


def look_again() -> None:
    caches["process"].delete(storage_mark.KNOWN)


@pytest.fixture
def asking(alice) -> DescribedClient:
    client = DescribedClient(HTTP_ACCEPT_LANGUAGE="en")
    client.force_login(alice)
    return client


@pytest.fixture
def unmounted(settings, tmp_path) -> None:
    """Mark the storage, then show an empty folder in its place, as where its disk is not mounted."""
    call_command("init_storage")
    (tmp_path / "below").mkdir()
    settings.PHOTO_STORAGE = FileStorage(tmp_path / "below")
    look_again()


def test_the_command_marks_once(storage, capsys):
    call_command("init_storage")
    first = storage.mark()
    assert (first, "now holds" in capsys.readouterr().out) == (str(StorageMark.objects.get()), True)
    call_command("init_storage")
    assert (storage.mark(), "already" in capsys.readouterr().out) == (first, True)
    look_again()
    storage_mark.require_mark()


def test_a_storage_of_another_database_is_refused(storage):
    storage.create(MARK, str(uuid.uuid4()).encode())
    with pytest.raises(CommandError, match="belongs to another database"):
        call_command("init_storage")
    look_again()
    with pytest.raises(StorageUnavailableError):
        storage_mark.require_mark()


def test_a_storage_that_lacks_photos_is_refused(alices_submission, settings, tmp_path):
    """After a restore of the database alone, or below a mount point, a mark would hide that photos are missing."""
    settings.PHOTO_STORAGE = FileStorage(tmp_path / "empty")
    with pytest.raises(CommandError, match="lacks files"):
        call_command("init_storage")
    assert settings.PHOTO_STORAGE.mark() == ""


def test_a_restored_copy_is_marked_again(storage, alices_submission):
    call_command("init_storage")
    storage.delete(MARK)
    call_command("init_storage")
    assert storage.mark() == str(StorageMark.objects.get())


def test_no_photo_goes_below_a_mount_point(asking, alices_draft, unmounted, settings):
    photos = alices_draft.photos.count()
    upload = {"view": "close_up", "file": SimpleUploadedFile("a.jpg", JPEG_HEAD)}
    answer = asking.post(f"{API}/submissions/{alices_draft.pk}/photos", upload, format="multipart")
    assert problem_code(answer, 503) == "storage_unavailable"
    assert answer["Retry-After"]
    assert not list(settings.PHOTO_STORAGE.root.rglob("*"))
    assert Photo.objects.filter(submission=alices_draft).count() == photos


def test_no_photo_is_accepted_in_the_seconds_after_a_disk_went_away(asking, alices_draft, settings, tmp_path):
    """The process still takes the storage for ours; what it writes would be lost when the disk comes back over it."""
    call_command("init_storage")
    look_again()
    storage_mark.require_mark()
    (tmp_path / "below").mkdir()
    settings.PHOTO_STORAGE = FileStorage(tmp_path / "below")
    storage_mark.require_mark()
    upload = {"view": "close_up", "file": SimpleUploadedFile("a.jpg", JPEG_HEAD)}
    answer = asking.post(f"{API}/submissions/{alices_draft.pk}/photos", upload, format="multipart")
    assert problem_code(answer, 503) == "storage_unavailable"
    assert not [file for file in settings.PHOTO_STORAGE.root.rglob("*") if file.is_file()]


def test_a_photo_below_a_mount_point_is_away_and_not_missing(asking, alices_submission, settings, tmp_path):
    call_command("init_storage")
    photo = alices_submission.photos.get()
    Photo.objects.filter(pk=photo.pk).update(display_key=f"photos/{photo.pk}/prepare/1/display.jpg")
    path = f"{API}/photos/{photo.pk}/display"
    look_again()
    assert asking.get(path).status_code == 404, "of all files this one alone is missing"
    (tmp_path / "below").mkdir()
    settings.PHOTO_STORAGE = FileStorage(tmp_path / "below")
    look_again()
    assert problem_code(asking.get(path), 503) == "unavailable"


@pytest.mark.usefixtures("unmounted")
def test_probe_and_board_say_that_the_storage_is_away(client, adam, settings):
    answer = client.get(reverse("readyz"))
    assert (answer.status_code, b"storage of photos" in answer.content) == (503, True)
    look_again()
    first = health.board(adam).problems[0]
    assert str(settings.PHOTO_STORAGE) in first.words
    assert "init_storage" in first.remedy


def test_a_worker_calls_no_photo_missing_while_the_mark_is(storage):
    key = f"photos/{uuid.uuid4()}/original/a"
    with pytest.raises(StorageUnavailableError):
        storage.read_same(key, "")
    call_command("init_storage")
    with pytest.raises(FileMissingError):
        storage.read_same(key, "")
