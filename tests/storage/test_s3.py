"""S3 that stops, refuses or has no bucket: a clear error, no loss, and no secret in the error."""

from __future__ import annotations

import os
import sys
import traceback
from dataclasses import replace

import pytest
from django.urls import reverse

from contract import messages
from contract.storage import FileMissingError, StorageUnavailableError, from_url
from contract.storage.keys import ORIGINAL
from local import s3
from teleder.cases import intake, leftovers, stored_files
from teleder.cases.originals import RefusedError
from teleder.pipeline import recovery, results
from tests.conftest import send_for_test

pytestmark = pytest.mark.xdist_group("s3")
SECRET = "hidden-word-0123456789"


@pytest.fixture
def own_server(tmp_path, settings, monkeypatch):
    """A server that a test may stop."""
    with s3.running(tmp_path / "s3") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        settings.PHOTO_STORAGE = from_url(f"s3://{s3.BUCKET}/stopped")
        yield server


@pytest.fixture
def away(settings):
    """A storage whose server does not answer."""
    settings.PHOTO_STORAGE = s3_at("http://127.0.0.1:9")
    return settings.PHOTO_STORAGE


def s3_at(endpoint: str, **changes: str):
    from contract.storage import S3Storage

    plain = S3Storage("photos", endpoint=endpoint, access_key="access", secret_key=SECRET)
    return replace(plain, **changes)


def test_a_server_that_stops_and_restarts_has_lost_nothing(own_server, settings):
    storage = settings.PHOTO_STORAGE
    storage.create("photos/1/original/a", b"before")
    own_server.stop()
    for call in (
        lambda: storage.read("photos/1/original/a"),
        lambda: storage.size("photos/1/original/a"),
        lambda: storage.write("photos/1/original/a", b"half"),
        lambda: storage.create("photos/1/original/b", b"half"),
        lambda: list(storage.list("photos")),
        lambda: storage.delete("photos/1/original/a"),
        lambda: storage.delete_all("photos/1"),
        lambda: storage.check(),
    ):
        with pytest.raises(StorageUnavailableError):
            call()
    own_server.start()
    assert [entry.key for entry in storage.list("photos")] == ["photos/1/original/a"]
    assert storage.read("photos/1/original/a") == b"before"


def test_wrong_keys_are_an_error_that_names_no_secret(s3_server, caplog):
    storage = s3_at(s3_server.environment["TELEDER_S3_ENDPOINT"])
    with pytest.raises(StorageUnavailableError, match="InvalidAccessKeyId") as refused:
        storage.write("photos/1", b"x")
    assert refused.value.__suppress_context__
    text = "".join(traceback.format_exception(refused.value)) + caplog.text + repr(storage)
    assert SECRET not in text and "access" not in text.replace("access_key", "")


def test_a_missing_bucket_is_not_reported_as_a_missing_photo(s3_server, monkeypatch):
    """Otherwise a wrong setting would end jobs for good with "file missing"."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises((StorageUnavailableError, FileMissingError)) as found:
        from_url("s3://no-such-bucket/x").read("photos/1")
    assert isinstance(found.value, StorageUnavailableError)


def test_a_process_forked_after_s3_was_used_gets_an_error_and_does_not_hang(monkeypatch):
    """The threads of obstore do not survive a fork: without this check the child would wait for ever."""
    monkeypatch.setattr("contract.storage.s3._process", os.getpid() + 1)
    with pytest.raises(StorageUnavailableError, match="forked"):
        s3_at("http://127.0.0.1:9").read("photos/1")


def test_the_library_is_loaded_only_if_s3_is_used():
    import subprocess

    code = "import sys, contract.storage; print('obstore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


# --- Errors for people and jobs ---------------------------------------------------------------------------
@pytest.mark.django_db
def test_an_upload_answers_503_and_a_repeat_works(client, alice, alices_draft, photo_file, settings, away):
    client.force_login(alice)
    address = reverse("api:photos", args=[alices_draft.pk])
    upload = photo_file()
    answer = client.post(address, {"view": "other", "file": upload})
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert SECRET not in answer.content.decode() and alices_draft.photos.count() == 1
    settings.PHOTO_STORAGE = type(settings.PHOTO_STORAGE) and from_url(settings.MEDIA_ROOT.as_uri())
    upload.seek(0)
    assert client.post(address, {"view": "other", "file": upload}).status_code == 201
    assert alices_draft.photos.count() == 2


@pytest.mark.django_db
def test_a_photo_that_cannot_be_read_now_is_503_and_not_404(
    client, alice, alices_submission, analyse, stored, away
):
    photo = alices_submission.photos.get()
    analyse(photo)
    client.force_login(alice)
    client.raise_request_exception = False
    photo.refresh_from_db()
    for name in ("web:photo", "api:photo-file"):
        answer = client.get(reverse(name, args=[photo.pk, "display"]))
        assert answer.status_code == 503
        assert SECRET not in answer.content.decode() and "127.0.0.1:9" not in answer.content.decode()


@pytest.mark.django_db
def test_probe_and_check_record_report_an_unavailable_storage(client, alices_submission, away):
    assert client.get("/readyz").status_code == 503
    with pytest.raises(StorageUnavailableError):  # no photo is called missing
        stored_files.size_of(
            alices_submission.photos.get().pk, ORIGINAL, alices_submission.photos.get().original_key
        )
    with pytest.raises(StorageUnavailableError):
        leftovers.collect_leftovers()


@pytest.mark.django_db
def test_a_job_with_an_unavailable_storage_is_sent_again_without_a_crash_count(alices_submission, settings):
    photo = alices_submission.photos.get()
    away = messages.Failed(code=messages.STORAGE_UNAVAILABLE)
    for _ in range(2 * settings.JOB_DEATHS):
        job, attempt = send_for_test(photo, "prepare")
        results.started(worker="w", work={job: attempt})
        assert not results.record(job=job, attempt=attempt, worker="w", outcome=away)
        results.ended(worker="w", work={job: attempt})
        photo.jobs.update(deadline="2020-01-01T00:00:00Z")
        assert recovery.expire() == 1
    row = photo.jobs.get(stage="prepare")
    assert (row.state, row.deaths, row.losses) == ("queued", 0, 2 * settings.JOB_DEATHS)


@pytest.mark.django_db
def test_a_photo_refused_by_a_full_storage_gets_that_reason(alices_draft, photo_file, settings, monkeypatch):
    from contract.storage import FileStorage, StorageFullError

    def full(*_args):
        raise StorageFullError("QuotaExceeded")

    monkeypatch.setattr(FileStorage, "create", full)
    with pytest.raises(RefusedError) as refused:
        intake.add_photo(alices_draft, view="other", upload=photo_file())
    assert refused.value.code == "storage_full"
