"""From a photo to an answer with real Postgres, real Valkey and real processes; the photos are phantoms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from contract import messages
from contract.alarms import Condition
from drills.client import photo
from drills.system import descendants
from local.processes import WORKERS
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
    return intake.submit(submission, by=patient, send_anyway=True, missing_photo="other")


def status_of(submission: Submission) -> str:
    return Submission.objects.values_list("ai_status", flat=True).get(pk=submission.pk)


def test_alice_sends_a_photo_and_reads_danas_answer(process, alice, dana, phantom_photo, mailbox):
    for name in ("results", "prepare", "inference", "sweeper"):
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


@pytest.mark.parametrize("killed", ["inference", "prepare"])
def test_kill_9_of_a_worker_loses_nothing(process, alice, phantom_photo, killed):
    for name in ("results", "sweeper", *WORKERS):
        process(name)
    victim = process(killed)
    submission = send(alice, phantom_photo, photos=4)
    begun = Job.objects.filter(state=JobState.STARTED, worker__startswith=killed)
    wait_until(begun.exists, every=0.01)  # a photo is prepared in a few tenths of a second
    kill(victim)
    wait_until(lambda: status_of(submission) == AIStatus.DONE, seconds=180)
    jobs = Job.objects.exclude(stage__in=NOT_AWAITED)
    stages = len(messages.Stage) - len(NOT_AWAITED)
    assert list(jobs.values_list("state", flat=True)) == [JobState.DONE] * 4 * stages
    assert all(photo.analyses.count() == 1 for photo in submission.photos.all())


def test_with_no_inference_worker_dana_sees_the_photo_and_answers(
    process, client, alice, dana, phantom_photo
):
    for name in ("results", "sweeper"):
        process(name)
    prepare = process("prepare")
    submission = send(alice, phantom_photo, grouped_blisters="yes")
    assert Submission.objects.worklist().first() == submission
    wait_until(lambda: submission.photos.get().was_prepared)
    client.force_login(dana)
    for kind in ("display", "thumbnail"):
        assert client.get(reverse("web:photo", args=[submission.photos.get().pk, kind])).status_code == 200
    assert set(Job.objects.filter(state=JobState.DONE).values_list("stage", flat=True)) == {"prepare"}
    pids = [prepare.pid, *descendants(prepare.pid)]
    assert not [pid for pid in pids if "openvino" in Path(f"/proc/{pid}/maps").read_text()]  # no network
    Submission.objects.update(ai_deadline=timezone.now() - timedelta(seconds=1))  # ten minutes later
    wait_until(lambda: status_of(submission) == AIStatus.UNAVAILABLE, seconds=30)
    reviews.claim(submission, by=dana)
    reviews.sign(submission, by=dana, impression="HI", disposition="today", text="Please go today.")
    assert submission.status == Status.ANSWERED
