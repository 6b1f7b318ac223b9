"""Photos that cannot be seen: told within seconds, listed, run again, and shown by themselves once they are ready."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from contract import messages
from teleder.cases import reviews
from teleder.cases.models import Job, JobState, Photo
from teleder.pipeline import recovery, results
from tests.conftest import send_for_test
from tests.web.test_clinician_browser import EACH_WAY, read, review  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)


def client_of(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def board_of(adam) -> str:
    return client_of(adam).get(reverse("web:operations")).content.decode()


def seconds_pass(seconds: int) -> None:
    Photo.objects.update(created_at=timezone.now() - timedelta(seconds=seconds))
    Job.objects.update(created_at=timezone.now() - timedelta(seconds=seconds))


@pytest.fixture
def stopped(adam, alices_submission):
    """Alice's only photo, whose preparation was cancelled."""
    recovery.cancel(alices_submission.photos.get().jobs.get(stage="prepare"), by=adam)
    return alices_submission


# --- The board --------------------------------------------------------------------------------------------
def test_with_the_workers_down_the_board_says_it_within_fifteen_seconds(adam, alice, bob, submission_of):
    submission_of(alice), submission_of(bob, photos=2)
    assert "can't be seen yet." not in board_of(adam)
    seconds_pass(11)  # the page asks every 5 s
    board = board_of(adam)
    assert "The photos of 2 cases can&#x27;t be seen yet." in board
    assert "The prepare worker does not respond" in board
    assert "Everything works" not in board


def test_workers_that_work_raise_no_alarm(adam, alice, submission_of):
    submission_of(alice, photos=2)
    seconds_pass(11)
    Job.objects.filter(pk=Job.objects.first().pk).update(
        state=JobState.STARTED, sent_at=timezone.now(), deadline=timezone.now() + timedelta(seconds=30)
    )
    assert "The prepare worker does not respond" not in board_of(adam)


def test_adam_is_told_of_his_own_clinic_only(noel, dana, alices_submission):
    seconds_pass(11)
    assert "of 1 case" not in board_of(noel)


# --- Cancelled --------------------------------------------------------------------------------------------
def test_a_cancelled_preparation_is_listed_with_what_people_see_and_run_again(adam, stopped):
    page = board_of(adam)
    listed = page.partition("Stopped jobs")[2].partition("Unfinished jobs")[0]
    assert stopped.case.number in listed and "cancelled" in listed
    assert "Dermatologist: no photo, the answers only." in listed
    assert "1 job has stopped." in page
    job = Job.objects.get(stage="prepare")
    form = {"verb": "requeue", "job": str(job.pk), "sure": "1"}
    client_of(adam).post(reverse("web:change_jobs"), form)
    job.refresh_from_db()
    assert job.state != JobState.CANCELLED
    page = board_of(adam)
    assert "Stopped jobs" in page and "Dermatologist: no photo, the answers only." not in page


def test_what_a_patient_took_back_is_not_listed(adam, alice, draft_of):
    from teleder.cases import intake

    draft = draft_of(alice, photos=2)
    Job.objects.update(state=JobState.QUEUED, sent_at=None, deadline=None)  # no worker has it yet
    intake.remove_photo(draft.photos.first())
    assert Job.objects.filter(state=JobState.CANCELLED).exists()
    assert not Job.objects.all().stopped().exists()


def test_before_cancelling_adam_reads_that_nobody_can_see_the_photo(adam, alices_submission):
    job = Job.objects.get(stage="prepare")
    page = client_of(adam).post(reverse("web:change_jobs"), {"verb": "cancel", "job": str(job.pk)})
    assert "no dermatologist can see that photo" in page.content.decode()


def test_the_photo_of_an_emergency_is_not_cancelled(adam, alice, submission_of):
    submission = submission_of(alice, eye_symptoms="yes")
    job = submission.photos.get().jobs.get(stage="prepare")
    assert not recovery.cancel(job, by=adam)
    job.refresh_from_db()
    assert job.state != JobState.CANCELLED


# --- The placeholder --------------------------------------------------------------------------------------
def test_dana_may_try_a_stopped_photo_again_or_ask_for_a_new_one(dana, stopped):
    danas = client_of(dana)
    page = danas.get(reverse("web:review", args=[stopped.pk])).content.decode()
    assert "Try again" in page and "Ask for a new photo" not in page, "she has not claimed it"
    reviews.claim(stopped, by=dana)
    page = danas.get(reverse("web:review", args=[stopped.pk])).content.decode()
    (link,) = re.findall(r'href="([^"]+#ask-photos)"', page)
    assert 'id="ask-photos" open' not in page
    assert 'id="ask-photos" open' in danas.get(link).content.decode()


def test_a_photo_that_cannot_be_prepared_says_why_and_can_be_tried_again(dana, alices_submission):
    photo = alices_submission.photos.get()
    job, attempt = send_for_test(photo, "prepare")
    outcome = messages.Prepared(quality={}, reason=messages.Reason.CORRUPT_IMAGE)
    assert results.record(job=job, attempt=attempt, worker="test", outcome=outcome)
    reviews.claim(alices_submission, by=dana)
    danas, address = client_of(dana), reverse("web:review", args=[alices_submission.pk])
    page = danas.get(address).content.decode()
    assert "This photo cannot be shown:" in page and "Try again" in page and "Ask for a new photo" in page
    danas.post(reverse("web:prepare_photo", args=[alices_submission.pk]))
    assert Job.objects.get(stage="prepare").state in {JobState.QUEUED, JobState.SENT}
    danas.post(reverse("web:prepare_photo", args=[alices_submission.pk]))
    assert alices_submission.events.filter(kind="job_requeued").count() == 1


def test_alice_reads_that_her_photo_arrived_although_it_cannot_be_shown(alice, stopped):
    page = client_of(alice).get(reverse("web:submission", args=[stopped.pk])).content.decode()
    assert "We have it. It cannot be shown yet." in page


# --- The open page ----------------------------------------------------------------------------------------
@pytest.mark.browser
@EACH_WAY
def test_a_photo_shows_itself_in_the_open_page_and_is_announced(
    visit,
    is_accessible,
    dana,
    alices_submission,
    read,  # noqa: F811
    language,
    size,
):
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, language=language, size=size)
    page.goto(review(alices_submission))
    page.locator("#id_text").fill("Half an answer")
    expect(page.locator("#photo .notice")).to_be_visible()
    is_accessible(page, language)
    read(alices_submission)
    expect(page.locator("#photo .original")).to_be_visible(timeout=10_000)
    expect(page.locator("#news")).not_to_be_empty()
    expect(page.locator("#id_text")).to_have_value("Half an answer")
    expect(page.locator("#id_text")).to_be_focused()


@pytest.mark.browser
@EACH_WAY
def test_dana_runs_a_stopped_preparation_again(visit, is_accessible, dana, stopped, language, size):
    page = visit(dana, language=language, size=size)
    page.goto(review(stopped))
    is_accessible(page, language)
    page.locator("#photo form button").click()
    expect(page.locator("#photo .notice")).to_be_visible()
    expect(page.locator("#photo form")).to_have_count(0)
    assert Job.objects.get(stage="prepare").state != JobState.CANCELLED
