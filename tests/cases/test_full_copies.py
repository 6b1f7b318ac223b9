"""All pixels of a photo are made when Dana asks for them: one job like any other, and a copy like any other."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from contract import messages
from contract.messages import Stage
from teleder.accounts.models import Purpose
from teleder.cases import consents, leftovers, withdrawal
from teleder.cases.models import AIStatus, Job, JobState, Photo
from teleder.cases.transitions import IllegalMoveError
from teleder.pipeline import dispatch, queue, recovery, results
from teleder.pipeline.queue import OnDemandState
from teleder.privacy import export
from tests.cases.conftest import received
from tests.conftest import send_for_test

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]
TWELVE_MEGAPIXELS = {"width": 4000, "height": 3000}


@pytest.fixture
def photo(alices_submission, analyse, stored) -> Photo:
    """A photo of alice's case with more pixels than its display copy has."""
    photo = alices_submission.photos.get()
    analyse(photo)
    stored(photo)
    Photo.objects.update(**TWELVE_MEGAPIXELS)
    photo.refresh_from_db()
    return photo


def state_of(photo: Photo) -> OnDemandState:
    return queue.full_copy_state(queue.with_full_copy_state(Photo.objects.filter(pk=photo.pk)).get())


def job() -> Job:
    return Job.objects.get(stage=Stage.FULL)


def make(photo: Photo, outcome: messages.Outcome | None = None) -> bool:
    """Record the copy of the photo as the results worker would, with its file."""
    name, attempt = send_for_test(photo, Stage.FULL)
    key = f"photos/{photo.pk}/full/{attempt}/full.jpg"
    settings.PHOTO_STORAGE.write(key, b"\xff\xd8 every pixel")
    outcome = outcome or messages.FullCopy(full_key=key)
    return results.record(job=name, attempt=attempt, worker="w", outcome=outcome)


# --- The job ----------------------------------------------------------------------------------------------
def test_asking_twice_makes_one_job_and_a_copy_is_not_made_again(photo):
    assert state_of(photo) == OnDemandState.NOT_ASKED
    queue.request_full_copy(photo)
    queue.request_full_copy(photo)
    assert (job().state, state_of(photo)) == (JobState.QUEUED, OnDemandState.WAITING)
    assert make(photo)
    queue.request_full_copy(photo)
    assert (job().state, state_of(photo)) == (JobState.DONE, OnDemandState.DONE)


def test_the_worker_is_sent_the_original_and_a_folder_of_the_attempt(
    photo, valkey, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        queue.request_full_copy(photo)
    (message,) = received(valkey, Stage.FULL)
    (request,) = messages.unpack_requests(**message)
    assert request.source == photo.original_key
    assert request.prefix == f"photos/{photo.pk}/full/1"


def test_a_failed_copy_can_be_asked_for_again(photo):
    queue.request_full_copy(photo)
    assert make(photo, messages.Failed(code="too_many_pixels"))
    assert (job().state, state_of(photo)) == (JobState.FAILED, OnDemandState.FAILED)
    queue.request_full_copy(photo)
    assert (job().state, job().error) == (JobState.QUEUED, "")
    assert make(photo)


def test_a_lost_message_is_sent_again_and_a_late_result_is_refused(photo):
    queue.request_full_copy(photo)
    name, attempt = send_for_test(photo, Stage.FULL)
    Job.objects.filter(pk=name).update(deadline=timezone.now() - timedelta(seconds=1))
    assert recovery.expire() == 1
    assert job().state == JobState.QUEUED
    late = messages.FullCopy(full_key=f"photos/{photo.pk}/full/{attempt}/full.jpg")
    assert not results.record(job=name, attempt=attempt, worker="w", outcome=late)
    photo.refresh_from_db()
    assert photo.full_key == ""


def test_a_worker_that_crashes_three_times_quarantines_it_and_an_admin_runs_it_again(photo, adam):
    queue.request_full_copy(photo)
    for _ in range(settings.JOB_DEATHS):
        name, attempt = send_for_test(photo, Stage.FULL)
        results.started(worker="w", work={name: attempt})
        Job.objects.filter(pk=name).update(deadline=timezone.now() - timedelta(seconds=1))
        recovery.expire()
    assert (job().state, state_of(photo)) == (JobState.QUARANTINED, OnDemandState.FAILED)
    assert recovery.requeue(job(), by=adam)
    assert state_of(photo) == OnDemandState.WAITING


def test_no_case_waits_for_it_and_none_fails_with_it(alices_submission, photo):
    alices_submission.refresh_from_db()
    assert alices_submission.ai_status == AIStatus.DONE
    queue.request_full_copy(photo)
    make(photo, messages.Failed(code="original_locked"))
    alices_submission.refresh_from_db()
    assert alices_submission.ai_status == AIStatus.DONE


def test_it_needs_no_consent_to_ai(alice, photo, adam):
    queue.request_full_copy(photo)
    consents.withdraw_consent(alice, Purpose.AI)
    assert job().state == JobState.QUEUED
    make(photo, messages.Failed(code="file_missing"))
    assert recovery.requeue(job(), by=adam)


def test_a_withdrawn_case_makes_none_any_more(alice, alices_submission, photo):
    queue.request_full_copy(photo)
    alices_submission.refresh_from_db()
    withdrawal.withdraw(alices_submission, by=alice)
    assert job().state == JobState.CANCELLED


@pytest.mark.parametrize("sides", [{"width": 2048, "height": 1536}, {"width": 300, "height": 400}])
def test_a_photo_whose_display_copy_has_all_pixels_has_none(photo, sides):
    Photo.objects.update(**sides)
    with pytest.raises(IllegalMoveError):
        queue.request_full_copy(photo)
    assert not Job.objects.filter(stage=Stage.FULL).exists()


def test_a_photo_that_was_removed_or_is_not_prepared_has_none(photo, bob, submission_of):
    unprepared = submission_of(bob).photos.get()
    Photo.objects.filter(pk=photo.pk).update(removed_at=timezone.now())
    for one in (photo, unprepared):
        with pytest.raises(IllegalMoveError):
            queue.request_full_copy(one)


def test_it_goes_while_preparation_is_busy(photo, bob, submission_of, valkey):
    for _ in range(3):
        submission_of(bob)
    dispatch.dispatch_stage(Stage.PREPARE)
    queue.request_full_copy(photo)
    assert dispatch.dispatch_stage(Stage.FULL) == 1


# --- The copy is one like the others ----------------------------------------------------------------------
def test_it_is_exported_kept_and_erased_with_the_photo(alice, photo):
    queue.request_full_copy(photo)
    make(photo)
    photo.refresh_from_db()
    with zipfile.ZipFile(io.BytesIO(b"".join(export.answer(alice).streaming_content))) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/full.jpg"))
        assert archive.read(name) == b"\xff\xd8 every pixel"
    assert photo.full_key not in list(leftovers.leftovers(-1))
    Photo.objects.filter(pk=photo.pk).update(full_key="")
    assert f"photos/{photo.pk}/full/1/full.jpg" in list(leftovers.leftovers(-1))


def test_its_patient_and_her_clinic_open_it_and_nobody_else(client, alice, bob, dana, nora, photo):
    queue.request_full_copy(photo)
    link = reverse("web:photo", args=[photo.pk, "full"])
    client.force_login(dana)
    assert client.get(link).status_code == 404, "not made yet"
    make(photo)
    found = {}
    for person in (alice, bob, dana, nora):
        client.force_login(person)
        found[person] = client.get(link, headers={"Sec-Fetch-Site": "none"}).status_code
    assert found == {alice: 200, bob: 404, dana: 200, nora: 404}
    assert Path(photo.original_key).name not in link


# --- Dana asks --------------------------------------------------------------------------------------------
@pytest.fixture
def ask(client, dana, alices_submission, photo):
    client.force_login(dana)
    return lambda **headers: client.post(
        reverse("web:make_full_copy", args=[alices_submission.pk]), {"photo": photo.pk}, headers=headers
    )


def test_the_page_says_that_the_pixels_are_fetched_and_then_names_their_address(
    client, alices_submission, photo, ask
):
    page = client.get(reverse("web:review", args=[alices_submission.pk])).content.decode()
    assert 'data-state="not_asked"' in page and 'data-enough="0.512"' in page
    assert "are being fetched" in ask(**{"HX-Request": "true"}).content.decode()
    polled = reverse("web:full_copy", args=[alices_submission.pk]) + f"?photo={photo.pk}"
    first = client.get(polled)
    assert "data-poll" in first.content.decode()
    assert client.get(polled, headers={"If-None-Match": first["ETag"]}).status_code == 304
    make(photo)
    done = client.get(polled, headers={"If-None-Match": first["ETag"]}).content.decode()
    assert f"{reverse('web:photo', args=[photo.pk, 'full'])}?v=" in done and "data-poll" not in done


def test_a_failure_is_said_and_can_be_tried_again(client, alices_submission, photo, ask):
    assert ask().url.endswith(f"?photo={photo.pk}")
    make(photo, messages.Failed(code="too_many_pixels"))
    page = client.get(reverse("web:review", args=[alices_submission.pk])).content.decode()
    assert "could not be fetched" in page and "Try again" in page
    ask()
    assert state_of(photo) == OnDemandState.WAITING


def test_a_photo_of_an_earlier_visit_can_be_seen_in_full_too_and_a_strangers_cannot(
    client, dana, bob, submission_of, analyse, photo, alices_submission
):
    stranger = submission_of(bob).photos.get()
    client.force_login(dana)
    url = reverse("web:make_full_copy", args=[alices_submission.pk])
    for wrong in ({}, {"photo": "x"}, {"photo": stranger.pk}):
        assert client.post(url, wrong).status_code == 409
    assert not Job.objects.filter(stage=Stage.FULL).exists()


def test_by_the_api(dana, adam, photo):
    url, caller = f"/api/v1/photos/{photo.pk}/full-copy", APIClient()
    caller.force_login(dana)
    assert caller.get(url).json() == {"state": "not_asked"}
    assert caller.post(url).json() == {"state": "waiting"}
    make(photo)
    assert caller.get(url).json() == {"state": "done"}
    assert caller.get(f"/api/v1/photos/{photo.pk}").json()["files"]["full"].endswith("/full")
    caller.force_login(adam)
    assert caller.post(url).status_code == 403
