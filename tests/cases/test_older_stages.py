"""Jobs of the stages `segment` and `classify` become `analyse`, and what workers of that version still send is late."""

from __future__ import annotations

import importlib
from datetime import timedelta

import pytest
from celery.exceptions import Reject
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from contract import messages
from contract.messages import Stage
from teleder.cases.models import Analysis, Job, JobState, Photo
from teleder.cases.models.job import UNDER_WAY
from teleder.pipeline import dispatch, recovery, results, tasks
from teleder.pipeline.transitions import STOPPED, SUCCEEDED, WAITING
from tests import forged
from tests.conftest import send_for_test

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]
SOON = timedelta(minutes=1)

# State of `segment`, state of `classify` (None: no such job), and what becomes of both.
BECOMES = [
    ("queued", None, "queued"),
    ("sent", None, "queued"),
    ("started", None, "queued"),
    ("failed", None, "failed"),
    ("quarantined", None, "quarantined"),
    ("cancelled", None, "cancelled"),
    ("done", None, "cancelled"),  # its submission was withdrawn: the job is queued when it is sent again
    ("done", "queued", "queued"),
    ("done", "sent", "queued"),
    ("done", "started", "queued"),
    ("done", "done", "done"),
    ("done", "failed", "failed"),
    ("done", "quarantined", "quarantined"),
    ("done", "cancelled", "cancelled"),
]


@pytest.fixture
def prepared(alice, submission_of, analyse) -> Photo:
    """A photo that waits to be analysed."""
    photo = submission_of(alice).photos.get()
    job, attempt = send_for_test(photo, Stage.PREPARE)
    row = forged.outcome(Stage.PREPARE, f"photos/{photo.pk}/prepare/{attempt}")
    outcome = messages.unpack_outcome(contract=messages.VERSION, kind="prepared", outcome=row)
    assert results.record(job=job, attempt=attempt, worker="w", outcome=outcome)
    photo.refresh_from_db()
    return photo


def add(photo: Photo, stage: str, state: str, **more: object) -> Job:
    times = {"deadline": timezone.now() + SOON, "sent_at": timezone.now()} if state in UNDER_WAY else {}
    return Job.objects.create(photo=photo, stage=stage, state=state, priority=0, attempt=2, **times, **more)


def migrate() -> None:
    with connection.cursor() as cursor:
        cursor.execute(importlib.import_module("teleder.cases.migrations.0017_analyse").MERGE)


@pytest.mark.parametrize(("segment", "classify", "state"), BECOMES)
def test_the_migration_leaves_one_job_a_photo_in_the_state_of_the_later(prepared, segment, classify, state):
    prepared.jobs.filter(stage=Stage.ANALYSE).delete()
    last = add(prepared, "segment", segment, deaths=1, error="e")
    if classify:
        last = add(prepared, "classify", classify, deaths=1, error="e")
    migrate()
    job = Job.objects.get(photo=prepared, stage=Stage.ANALYSE)
    assert (job.pk, job.state, job.attempt, job.deaths, job.error) == (last.pk, state, 2, 1, "e")
    assert not Job.objects.filter(stage__in=messages.OLDER_STAGES).exists()
    sets = [states for states in (WAITING, UNDER_WAY, STOPPED, SUCCEEDED) if job.state in states]
    assert len(sets) == 1 and (job.deadline is None or job.state in UNDER_WAY)


def test_a_migrated_photo_is_read_again_in_the_place_of_its_segmentation(prepared):
    prepared.jobs.filter(stage=Stage.ANALYSE).delete()
    Analysis.objects.create(photo=prepared, mask_key="photos/x/segment/1/mask.png", skin=1, lesion=0)
    add(prepared, "segment", "done")
    add(prepared, "classify", "queued")
    migrate()
    job, attempt = send_for_test(prepared, Stage.ANALYSE)
    folder = f"photos/{prepared.pk}/analyse/{attempt}"
    tasks.results_task(**forged.message(job, attempt, "analysed", forged.outcome(Stage.ANALYSE, folder)))
    analysis = Analysis.objects.get()
    assert attempt == 3 and analysis.is_classified and analysis.mask_key == f"{folder}/mask.png"


@pytest.mark.parametrize("state", ["queued", "sent", "started"])
@pytest.mark.parametrize("stage", messages.OLDER_STAGES)
def test_a_job_that_an_older_web_makes_later_is_replaced_without_a_crash_count(prepared, stage, state):
    """During a deploy both webs run, and the older one queues what it knows."""
    prepared.jobs.filter(stage=Stage.ANALYSE).delete()
    job = add(prepared, stage, state)
    assert recovery.replace_older_stages() == 1
    row = Job.objects.get(pk=job.pk)
    assert (row.stage, row.state, row.deaths, row.attempt) == (Stage.ANALYSE, JobState.QUEUED, 0, 2)
    assert dispatch.dispatch_stage(Stage.ANALYSE) == 1


def test_a_job_of_an_older_stage_beside_its_replacement_is_removed(prepared):
    add(prepared, "segment", "started")
    assert recovery.replace_older_stages() == 1
    assert list(prepared.jobs.values_list("stage", flat=True).order_by("stage")) == ["analyse", "prepare"]
    assert recovery.replace_older_stages() == 0


def older_results(job: str, attempt: int, folder: str) -> list[dict]:
    row = forged.outcome(Stage.ANALYSE, folder)
    kinds = {"segmented": row["segmented"], "classified": row["classified"]}
    return [forged.older_message(job, attempt, kind, found) for kind, found in kinds.items()]


@pytest.mark.parametrize("replaced", [False, True])
def test_results_of_older_stages_are_late(prepared, replaced, caplog):
    prepared.jobs.filter(stage=Stage.ANALYSE).delete()
    job = add(prepared, "segment", "started")
    if replaced:
        recovery.replace_older_stages()
    tasks.older_started_task(job=str(job.pk), attempt=2, worker="w")
    before = Job.objects.filter(pk=job.pk).values().get()
    for message in older_results(str(job.pk), 2, f"photos/{prepared.pk}/segment/2"):
        tasks.older_record_task(**message)
    assert Job.objects.filter(pk=job.pk).values().get() == before
    assert not Analysis.objects.exists()
    assert caplog.text.count("late result") == 2


def test_a_result_of_an_older_stage_for_an_attempt_of_the_new_one_is_refused(prepared, caplog):
    job, attempt = send_for_test(prepared, Stage.ANALYSE)
    for message in older_results(job, attempt, f"photos/{prepared.pk}/analyse/{attempt}"):
        tasks.older_record_task(**message)
    assert not Analysis.objects.exists() and Job.objects.get(pk=job).state == JobState.SENT
    assert caplog.text.count("refused: ") == 2


def test_an_older_worker_still_prepares_for_a_new_web(alice, submission_of):
    photo = submission_of(alice).photos.get()
    job, attempt = send_for_test(photo, Stage.PREPARE)
    tasks.older_started_task(job=job, attempt=attempt, worker="w", contract=messages.VERSION)
    assert Job.objects.get(pk=job).state == JobState.STARTED
    row = forged.outcome(Stage.PREPARE, f"photos/{photo.pk}/prepare/{attempt}")
    tasks.older_record_task(**forged.older_message(job, attempt, "prepared", row))
    assert photo.jobs.get(stage=Stage.ANALYSE).state == JobState.QUEUED


# --- Several results in one message -----------------------------------------------------------------------
def checks_of(photos: list[Photo]) -> list[tuple[str, int]]:
    for photo in photos:
        Job.objects.create(photo=photo, stage=Stage.CHECK, priority=0)
    return [send_for_test(photo, Stage.CHECK) for photo in photos]


def together(work: list[tuple[str, int]], rows: list[dict]) -> dict:
    kind = forged.KINDS[Stage.CHECK]
    results_of = [
        forged.message(*each, kind, row)["results"][0] for each, row in zip(work, rows, strict=True)
    ]
    return {"contract": messages.VERSION, "worker": "w", "results": results_of}


def states(work: list[tuple[str, int]]) -> list[str]:
    return [Job.objects.get(pk=job).state for job, _attempt in work]


def test_one_refused_result_undoes_no_other_of_its_message(alice, bob, submission_of, caplog):
    photos = [submission_of(patient).photos.get() for patient in (bob, alice)]
    photos.append(submission_of(alice).photos.get())
    work, right = checks_of(photos), forged.outcome(Stage.CHECK, "")
    tasks.results_task(**together(work, [right, right | {"largest": 0.9}, right]))
    assert states(work) == [JobState.DONE, JobState.SENT, JobState.DONE]
    assert caplog.text.count("refused: ") == 1


def test_an_unforeseen_error_at_one_result_undoes_no_other(alice, bob, submission_of, monkeypatch, caplog):
    photos = [submission_of(patient).photos.get() for patient in (alice, bob)]
    work, right, advance = checks_of(photos), forged.outcome(Stage.CHECK, ""), results.queue.advance

    def fails_for_alice(photo, submission) -> None:
        if photo == photos[0]:
            raise ZeroDivisionError
        advance(photo, submission)

    monkeypatch.setattr(results.queue, "advance", fails_for_alice)
    tasks.results_task(**together(work, [right, right]))
    assert states(work) == [JobState.SENT, JobState.DONE]
    assert Photo.objects.get(pk=photos[0].pk).check_result is None
    assert "not recorded: " in caplog.text


def test_of_a_message_that_goes_back_to_the_queue_nothing_counts_twice(
    alice, bob, submission_of, monkeypatch
):
    monkeypatch.setattr(tasks, "HAND_BACK_SECONDS", 0)
    photos = [submission_of(patient).photos.get() for patient in (alice, bob)]
    work, right = checks_of(photos), forged.outcome(Stage.CHECK, "")
    message = together(work, [right, right | {"newer": 1}])
    for _ in range(2):
        with pytest.raises(Reject) as handed_back:
            tasks.results_task(**message)
        assert handed_back.value.requeue
        assert states(work) == [JobState.DONE, JobState.SENT]


def test_what_may_go_next_is_looked_for_once_a_message(
    alice, bob, submission_of, monkeypatch, django_capture_on_commit_callbacks
):
    photos = [submission_of(patient).photos.get() for patient in (alice, bob)]
    work, right, asked = checks_of(photos), forged.outcome(Stage.CHECK, ""), []
    monkeypatch.setattr(dispatch, "dispatch_all", asked.append)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.results_task(**together(work, [right, right]))
    assert asked == [(Stage.CHECK, Stage.DISTANCE)]


def test_results_of_several_submissions_lock_them_in_one_order(alice, bob, submission_of):
    photos = [submission_of(patient).photos.get() for patient in (alice, bob)]
    jobs = [job for job, _attempt in checks_of(photos)]
    with CaptureQueriesContext(connection) as asked:
        results.queue.lock_jobs(jobs)
    query = asked.captured_queries[0]["sql"]
    assert query.startswith('SELECT "cases_submission"."id"')
    assert query.endswith('ORDER BY "cases_submission"."id" ASC FOR UPDATE OF "cases_submission"')
    assert [each["sql"].count("FOR UPDATE") for each in asked.captured_queries] == [1, 0, 0, 0]
