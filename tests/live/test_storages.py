"""A photo from upload to a signed answer with real processes, on each storage."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contract.messages import Stage
from local import s3
from teleder.cases import invariants, reviews
from teleder.cases.models import NOT_AWAITED, AIStatus, Job, JobState
from tests.live.conftest import wait_until
from tests.live.test_photo_to_answer import phantom_photo, pytestmark, send, status_of

__all__ = ["phantom_photo", "pytestmark"]


@pytest.fixture
def environment(storage, environment, request) -> dict[str, str]:
    """The environment of the live tests, with this test's storage."""
    of_s3 = request.getfixturevalue("s3_server").environment if str(storage).startswith("s3:") else {}
    return environment | of_s3


def test_alice_sends_a_photo_and_dana_signs_an_answer(
    process, storage, client, alice, dana, phantom_photo, ai_is_open
):
    for name in ("results", "prepare", "inference", "sweeper"):
        process(name)
    submission = send(alice, phantom_photo)
    wait_until(lambda: status_of(submission) == AIStatus.DONE)
    photo = submission.photos.get()
    keys = {photo.original_key, photo.display_key, photo.analysis_key, photo.thumbnail_key}
    keys |= {photo.analysis.mask_key, photo.analysis.attribution_key}
    # A repeated attempt may have left files of its own, which the nightly collection removes.
    assert {entry.key for entry in storage.list("photos")} >= keys
    client.force_login(dana)
    for kind in ("display", "thumbnail", "mask", "attribution"):
        assert client.get(reverse("web:photo", args=[photo.pk, kind])).status_code == 200
    reviews.claim(submission, by=dana)
    reviews.sign(
        submission, by=dana, impression="AD", disposition="days_2", text="Please come in.", reason="Seen."
    )
    assert [check.__name__ for check in invariants.INVARIANTS if list(check())] == []


def test_an_outage_of_the_storage_delays_but_loses_no_photo(
    tmp_path, settings, monkeypatch, environment, alice, phantom_photo, request
):
    """S3 stops before the worker reads the photo and restarts: no job fails, no crash is counted."""
    if not str(settings.PHOTO_STORAGE).startswith("s3:"):
        pytest.skip("a folder does not stop")
    server = request.getfixturevalue("s3_server")
    process = request.getfixturevalue("process")
    submission = send(alice, phantom_photo)
    server.stop()
    try:
        for name in ("results", "prepare", "inference", "sweeper"):
            process(name)
        wait_until(lambda: Job.objects.filter(stage=Stage.PREPARE, losses__gt=0).exists(), seconds=120)
    finally:
        server.start()
    wait_until(lambda: status_of(submission) == AIStatus.DONE, seconds=180)
    jobs = Job.objects.exclude(stage__in=NOT_AWAITED)
    assert set(jobs.values_list("state", "deaths")) == {(JobState.DONE, 0)}
    assert s3.BUCKET in str(settings.PHOTO_STORAGE)
