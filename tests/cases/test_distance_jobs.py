"""Each alarm gets a distance report; it waits for everything else, changes no urgency and takes back no alarm."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from contract import messages
from contract.alarms import Condition
from contract.distance import INCONCLUSIVE, NOT_USABLE, named_verdict
from contract.messages import Stage
from teleder.accounts.models import Purpose
from teleder.cases import consents
from teleder.cases.models import AIStatus, Analysis, EventKind, Job, JobState, Photo, Submission
from teleder.cases.transitions import IllegalMoveError
from teleder.cases.triage import Urgency
from teleder.cases.verdict import UNSTABLE, Chip, VerdictKind, verdict_of
from teleder.pipeline import dispatch, queue, recovery, results
from teleder.pipeline.queue import OnDemandState, distance_state, request_distance_report
from teleder.web.operations import health
from tests.cases.conftest import depth, receive_all
from tests.conftest import send_for_test
from tests.distances import STOPS_NEARER, record, report_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]
HERPES = {"AD": 0.1, "HI": 0.8, "IM": 0.05, "MF": 0.03, "OTHER": 0.02}
FAILED = messages.Failed(code="weights_refused")
NAMES = named_verdict(Condition.AD)


@pytest.fixture
def alarmed(alices_submission, analyse) -> Photo:
    """A photo whose herpes alarm rang."""
    photo = alices_submission.photos.get()
    analyse(photo, probabilities=HERPES)
    return photo


@pytest.fixture
def calm(alices_submission, analyse) -> Photo:
    """A photo without an alarm."""
    photo = alices_submission.photos.get()
    analyse(photo)
    return photo


def jobs() -> list[str]:
    return list(Job.objects.filter(stage=Stage.DISTANCE).values_list("state", flat=True))


def urgency() -> tuple:
    return Submission.objects.values_list("urgency", "flags", "due_at").get()


# --- When it is measured ----------------------------------------------------------------------------------
def test_an_alarm_queues_a_report_and_no_alarm_queues_none(alarmed, bob, submission_of, analyse):
    analyse(submission_of(bob).photos.get())
    assert [job.photo for job in Job.objects.filter(stage=Stage.DISTANCE)] == [alarmed]
    assert distance_state(alarmed) == OnDemandState.WAITING


def test_a_report_is_queued_with_the_result_or_not_at_all(alices_submission, analyse, monkeypatch):
    settle = results.ai_status.settle

    def fail_once_classified(submission) -> None:
        settle(submission)
        if submission.photos.get().analyses.exclude(classified_at=None).exists():
            raise RuntimeError

    monkeypatch.setattr(results.ai_status, "settle", fail_once_classified)
    with pytest.raises(RuntimeError):
        analyse(alices_submission.photos.get(), probabilities=HERPES)
    assert jobs() == [] and Job.objects.get(stage=Stage.ANALYSE).state == JobState.SENT


def test_asking_twice_makes_one_job_and_a_report_is_not_made_again(calm):
    request_distance_report(calm)
    request_distance_report(calm)
    assert jobs() == [JobState.QUEUED]
    assert record(calm, report_of())
    request_distance_report(calm)
    assert jobs() == [JobState.DONE] and distance_state(calm) == OnDemandState.DONE


def test_a_failed_report_can_be_asked_for_again(alarmed):
    assert record(alarmed, FAILED)
    assert jobs() == [JobState.FAILED] and distance_state(alarmed) == OnDemandState.FAILED
    request_distance_report(alarmed)
    job = Job.objects.get(stage=Stage.DISTANCE)
    assert (job.state, job.error, job.deaths) == (JobState.QUEUED, "", 0)
    assert record(alarmed, report_of())


def test_a_photo_that_was_not_read_or_may_not_be_read_any_more_is_not_measured(
    alice, bob, submission_of, calm
):
    unread = submission_of(bob).photos.get()
    consents.withdraw_consent(alice, Purpose.AI)
    for photo in (unread, calm):
        with pytest.raises(IllegalMoveError):
            request_distance_report(photo)
    assert jobs() == []


def test_a_report_waits_until_nothing_else_is_unfinished(alarmed, bob, submission_of, valkey):
    prepare = submission_of(bob).photos.get().jobs.get()
    assert dispatch.dispatch_stage(Stage.DISTANCE) == 0
    dispatch.dispatch_stage(Stage.PREPARE)
    assert dispatch.dispatch_stage(Stage.DISTANCE) == 0 == depth(valkey, Stage.DISTANCE)
    prepare.refresh_from_db()
    results.record(job=str(prepare.pk), attempt=prepare.attempt, worker="w", outcome=FAILED)
    assert dispatch.dispatch_stage(Stage.DISTANCE) == 1 == depth(valkey, Stage.DISTANCE)


def test_on_a_busy_clinic_reports_go_by_age_once_they_have_waited_ten_minutes(
    alice, bob, submission_of, analyse, valkey
):
    reports, emergency = [], {"fever": "yes", "baby_or_pregnant": "yes"}
    for minutes, answers in ((9, emergency), (11, emergency), (12, {})):
        photo = submission_of(alice, **answers).photos.get()
        analyse(photo, probabilities=HERPES)
        reports.append(photo.jobs.get(stage=Stage.DISTANCE))
        Job.objects.filter(pk=reports[-1].pk).update(created_at=timezone.now() - timedelta(minutes=minutes))
    waiting = submission_of(bob).photos.get().jobs.get()
    for report in reversed(reports[1:]):
        assert dispatch.dispatch_stage(Stage.DISTANCE) == 1
        assert dispatch.dispatch_stage(Stage.DISTANCE) == 0  # one for each slot
        report.refresh_from_db()
        assert report.state == JobState.SENT
        receive_all(valkey)
        results.record(job=str(report.pk), attempt=report.attempt, worker="w", outcome=FAILED)
    assert dispatch.dispatch_stage(Stage.DISTANCE) == 0
    waiting.refresh_from_db()
    assert waiting.state == JobState.QUEUED


def test_one_report_is_measured_at_a_time(alice, submission_of, analyse, valkey):
    for photo in submission_of(alice, photos=3).photos.all():
        analyse(photo, probabilities=HERPES)
    assert dispatch.dispatch_stage(Stage.DISTANCE) == 1
    assert sorted(jobs()) == [JobState.QUEUED, JobState.QUEUED, JobState.SENT]


def test_a_result_that_leaves_nothing_unfinished_sends_a_report(
    alarmed, bob, submission_of, django_capture_on_commit_callbacks
):
    job, attempt = send_for_test(submission_of(bob).photos.get(), Stage.PREPARE)
    with django_capture_on_commit_callbacks(execute=True):
        results.record(job=job, attempt=attempt, worker="w", outcome=FAILED)
    assert jobs() == [JobState.SENT]


# --- What it never changes --------------------------------------------------------------------------------
def test_the_ai_is_done_although_a_report_is_under_way_and_its_failure_changes_nothing(adam, alarmed):
    assert jobs() == [JobState.QUEUED]
    assert Submission.objects.get().ai_status == AIStatus.DONE
    before = urgency()
    assert record(alarmed, FAILED)
    assert health.board(adam).problems == []
    assert Submission.objects.get().ai_status == AIStatus.DONE and urgency() == before


@pytest.mark.parametrize("found", [{"probabilities": HERPES}, {}])
@pytest.mark.parametrize(
    "report", [report_of(STOPS_NEARER), report_of(), report_of(verdicts=[NOT_USABLE] * 8, scores=[0] * 8)]
)
def test_no_report_raises_or_lowers_the_urgency_or_takes_back_an_alarm(
    alices_submission, analyse, found, report
):
    photo = alices_submission.photos.get()
    analyse(photo, **found)
    before, alarms = urgency(), Analysis.objects.get().alarms
    verdict = verdict_of(Submission.objects.get())
    request_distance_report(photo)
    assert record(photo, report)
    after = verdict_of(Submission.objects.get())
    assert urgency() == before and Analysis.objects.get().alarms == alarms
    assert (after.kind, after.alarms, after.sentence) == (verdict.kind, verdict.alarms, verdict.sentence)
    assert (
        not Submission.objects.get()
        .events.filter(kind=EventKind.URGENCY_RAISED, detail__from=before[0])
        .exists()
    )


def test_a_crashing_report_is_given_up_and_counts_as_no_crash_of_the_ai(alarmed, settings):
    settings.JOB_DEATHS = 1
    send_for_test(alarmed, Stage.DISTANCE)
    Job.objects.filter(stage=Stage.DISTANCE).update(
        state=JobState.STARTED, worker="w", deadline=timezone.now()
    )
    assert recovery.expire() == 1
    assert jobs() == [JobState.QUARANTINED] and distance_state(alarmed) == OnDemandState.FAILED
    assert Submission.objects.get().ai_status == AIStatus.DONE


def test_a_consent_that_is_withdrawn_cancels_the_report_and_leaves_the_answer(alice, alarmed):
    job, attempt = send_for_test(alarmed, Stage.DISTANCE)
    consents.withdraw_consent(alice, Purpose.AI)
    assert jobs() == [JobState.CANCELLED]
    assert not results.record(job=job, attempt=attempt, worker="w", outcome=report_of())
    assert Submission.objects.get().ai_status == AIStatus.DONE


def test_a_long_report_is_no_silent_worker(adam, alarmed):
    long_ago = timezone.now() - timedelta(minutes=5)
    Job.objects.update(finished_at=long_ago, created_at=long_ago)
    assert jobs() == [JobState.QUEUED]
    assert not any("do not respond" in problem.words for problem in health.board(adam).problems)


# --- Instability ------------------------------------------------------------------------------------------
def test_an_unstable_answer_is_a_flag_beside_the_alarm(alarmed):
    record(alarmed, report_of(STOPS_NEARER))
    verdict = verdict_of(Submission.objects.get())
    assert verdict.unstable_with_distance
    assert (verdict.kind, verdict.chip) == (VerdictKind.CANNOT_RULE_OUT, Chip.SOONER)
    assert Submission.objects.get().urgency == Urgency.SAME_DAY


def test_a_stable_answer_is_no_flag(alarmed):
    record(alarmed, report_of())
    assert not verdict_of(Submission.objects.get()).unstable_with_distance


def named(photo: Photo, verdicts: list[str]) -> object:
    request_distance_report(photo)
    record(photo, report_of([0.1] * 8, verdicts=verdicts))
    return verdict_of(Submission.objects.get(), may_name=lambda clinic: True)


@pytest.fixture
def own(alices_submission, analyse) -> Photo:
    """A photo that a clinic's own model names."""
    photo = alices_submission.photos.get()
    analyse(photo, demonstration=False)
    return photo


def test_an_unstable_answer_withdraws_a_name(own):
    verdict = named(own, [NAMES] * 4 + [INCONCLUSIVE] * 4)
    assert (verdict.kind, verdict.reason, verdict.named) == (VerdictKind.INCONCLUSIVE, UNSTABLE, None)
    assert "changes with the distance" in verdict.sentence


def test_a_stable_answer_keeps_the_name(own):
    verdict = named(own, [NAMES] * 7 + [INCONCLUSIVE])
    assert (verdict.named, verdict.unstable_with_distance) == (Condition.AD, False)


def test_where_nothing_is_named_names_make_nothing_unstable(calm):
    request_distance_report(calm)
    record(calm, report_of([0.1] * 8, verdicts=[NAMES] * 4 + [INCONCLUSIVE] * 4))
    assert not verdict_of(Submission.objects.get()).unstable_with_distance


def test_a_stored_report_that_no_version_writes_counts_as_none(alarmed):
    record(alarmed, report_of(STOPS_NEARER))
    Analysis.objects.update(distance={"looks": []})
    assert Analysis.objects.get().distance_report is None
    assert not verdict_of(Submission.objects.get()).unstable_with_distance
    assert queue.distance_state(Photo.objects.get()) == OnDemandState.NOT_ASKED
