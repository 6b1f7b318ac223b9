"""From a photo to an answer with real Postgres, real Valkey and real processes; the photos are phantoms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from contract import messages
from contract.alarms import Condition
from drills.client import photo
from teleder.cases import intake, invariants, reviews
from teleder.cases.models import NOT_AWAITED, AIStatus, Job, JobState, Status, Submission
from tests.conftest import CALM
from tests.live.conftest import kill, wait_until

pytestmark = [
    pytest.mark.live,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not pytest.importorskip("importlib").util.find_spec("torch"), reason="needs [inference]"
    ),
]


@pytest.fixture
def phantom_photo() -> Callable:
    """A drawn photo of a condition, as a phone uploads it."""
    phantom = pytest.importorskip("training.phantom")

    def make(condition: str, seed: int) -> SimpleUploadedFile:
        return SimpleUploadedFile(f"{condition}.jpg", photo(condition, seed, phantom.LONG_SIDE))

    return make


def send(patient, phantom_photo, photos: int = 1, **answers: str) -> Submission:
    submission = intake.start(patient=patient, answers=CALM | answers)
    intake.describe(submission, body_site="elbow_crease", history={})
    for number in range(photos):
        upload = phantom_photo("AD", seed=number)
        intake.add_photo(submission, view="close_up", upload=upload)
    return intake.submit(submission, by=patient, send_anyway=True)


def status_of(submission: Submission) -> str:
    return Submission.objects.values_list("ai_status", flat=True).get(pk=submission.pk)


def test_alice_sends_a_photo_and_reads_danas_answer(process, alice, dana, phantom_photo, mailbox):
    for name in ("results", "inference", "sweeper"):
        process(name)
    submission = send(alice, phantom_photo)
    wait_until(lambda: status_of(submission) == AIStatus.DONE)
    photo = submission.photos.get()
    assert photo.analysis.findings.count() == len(Condition)
    assert photo.analysis.classification_model["sha256"] != photo.analysis.segmentation_model["sha256"]
    reviews.claim(submission, by=dana)
    reviews.sign(
        submission,
        by=dana,
        impression="AD",
        disposition="days_2",
        text="Please come in tomorrow.",
        reason="Seen.",
    )
    wait_until(lambda: len(mailbox.mails_to(alice.email)) == 2)
    assert not any(
        word in mail
        for mail in mailbox.mails_to(alice.email).values()
        for word in ("tomorrow", "AD", "elbow")
    )
    assert [check.__name__ for check in invariants.INVARIANTS if list(check())] == []


def test_kill_9_of_the_inference_worker_loses_nothing(process, alice, phantom_photo):
    for name in ("results", "sweeper"):
        process(name)
    victim, _other = process("inference"), process("inference")
    submission = send(alice, phantom_photo, photos=4)
    wait_until(lambda: Job.objects.filter(state=JobState.STARTED).exists())
    kill(victim)
    wait_until(lambda: status_of(submission) == AIStatus.DONE, seconds=180)
    jobs = Job.objects.exclude(stage__in=NOT_AWAITED)
    stages = len(messages.Stage) - len(NOT_AWAITED)
    assert list(jobs.values_list("state", flat=True)) == [JobState.DONE] * 4 * stages
    assert all(photo.analyses.count() == 1 for photo in submission.photos.all())


def test_with_no_inference_worker_dana_still_answers(process, alice, dana, phantom_photo):
    for name in ("results", "sweeper"):
        process(name)
    submission = send(alice, phantom_photo, grouped_blisters="yes")
    assert Submission.objects.worklist().first() == submission
    Submission.objects.update(ai_deadline=timezone.now() - timedelta(seconds=1))  # ten minutes later
    wait_until(lambda: status_of(submission) == AIStatus.UNAVAILABLE, seconds=30)
    reviews.claim(submission, by=dana)
    reviews.sign(submission, by=dana, impression="HI", disposition="today", text="Please go today.")
    assert submission.status == Status.ANSWERED
