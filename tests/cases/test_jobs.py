"""Jobs have exactly-once effects although messages are delivered at least once. Valkey is real, the worker is simulated."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import redis
from celery.exceptions import Reject
from django.db import OperationalError, connection
from django.utils import timezone

from contract import messages
from contract.messages import Stage
from teleder.cases import intake, reviews, transitions, withdrawal
from teleder.cases.models import AIStatus, Job, JobState, Photo, Submission
from teleder.cases.triage import Urgency
from teleder.pipeline import broker, dispatch, recovery, results, tasks
from tests import forged
from tests.cases.conftest import depth, receive_all, received
from tests.conftest import MODEL, send_for_test

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]
JOB = "01890a5d-ac96-774b-bcce-b302099a8057"


def prepared(photo, attempt: int = 1) -> messages.Prepared:
    return messages.Prepared(
        **{
            f"{name}_key": f"photos/{photo.pk}/prepare/{attempt}/{name}.jpg"
            for name in ("display", "analysis", "thumbnail")
        },
        width=8,
        height=8,
        analysis_width=8,
        analysis_height=8,
        quality={"sharpness": 1.0},
    )


def age(**fields) -> None:
    """Move all deadlines into the past."""
    Job.objects.update(deadline=timezone.now() - timedelta(seconds=1), **fields)


def test_a_photo_waits_in_postgres_and_one_message_is_sent(alices_draft, valkey):
    assert dispatch.dispatch_stage(Stage.PREPARE) == 1
    job = Job.objects.get()
    assert (job.state, job.attempt) == (JobState.SENT, 1)
    assert depth(valkey, Stage.PREPARE) == 1
    assert dispatch.dispatch_stage(Stage.PREPARE) == 0


def test_a_result_sends_the_next_waiting_job_and_the_next_stage(
    alice, submission_of, valkey, settings, django_capture_on_commit_callbacks
):
    settings.JOB_WINDOW = 1
    submission_of(alice, photos=2)
    assert dispatch.dispatch_all() == 1
    done = Job.objects.get(state=JobState.SENT)
    receive_all(valkey)  # a worker has received it
    with django_capture_on_commit_callbacks(execute=True):
        results.record(
            job=str(done.pk), attempt=done.attempt, worker="w", outcome=prepared(done.photo, done.attempt)
        )
    sent = Job.objects.filter(state=JobState.SENT).values_list("stage", flat=True)
    assert sorted(sent) == [Stage.ANALYSE, Stage.PREPARE]


def test_the_window_limits_the_messages_in_the_broker(alice, draft_of, valkey, settings):
    settings.JOB_WINDOW, settings.JOB_BATCH = 2, 2
    draft_of(alice, photos=6)
    Job.objects.update(stage=Stage.ANALYSE)
    dispatch.dispatch_all()
    assert depth(valkey, Stage.ANALYSE) == 2
    assert Job.objects.filter(state=JobState.SENT).count() == 4
    assert Job.objects.filter(state=JobState.SENT).values("sent_at").distinct().count() == 2
    age()
    recovery.expire()
    dispatch.dispatch_all()  # the messages of the lost attempts still fill the window
    assert depth(valkey, Stage.ANALYSE) == 2


def test_urgent_photos_are_sent_before_waiting_ones(alice, bob, draft_of, settings):
    settings.JOB_WINDOW, settings.JOB_BATCH = 1, 1
    draft_of(alice, photos=3)
    urgent = draft_of(bob, fever="yes")
    dispatch.dispatch_stage(Stage.PREPARE)
    assert Job.objects.get(state=JobState.SENT).photo.submission == urgent


def test_when_idle_a_message_carries_one_photo_and_under_load_several(alice, draft_of, settings):
    settings.JOB_WINDOW, settings.JOB_BATCH = 4, 4
    draft_of(alice, photos=3)
    Job.objects.update(stage=Stage.ANALYSE)
    dispatch.dispatch_stage(Stage.ANALYSE)
    assert set(Job.objects.values_list("batch", flat=True)) == {1}
    receive_all(redis.Redis.from_url(settings.REDIS_URL))
    draft_of(alice, photos=6)
    Job.objects.update(stage=Stage.ANALYSE, state=JobState.QUEUED)
    dispatch.dispatch_stage(Stage.ANALYSE)
    assert max(Job.objects.values_list("batch", flat=True)) == 3


def test_prepare_sends_one_photo_per_message(alice, draft_of, settings, valkey):
    """Drill R8: a photo in the same message as one that hangs waited a minute for it."""
    settings.JOB_WINDOW, settings.JOB_BATCH = 2, 4
    draft_of(alice, photos=6)
    assert dispatch.dispatch_stage(Stage.PREPARE) == 2
    assert set(Job.objects.filter(state=JobState.SENT).values_list("batch", flat=True)) == {1}


def test_a_photo_that_crashed_a_worker_is_sent_alone(alice, draft_of, settings):
    settings.JOB_WINDOW = 1
    draft_of(alice, photos=3)
    poison = Job.objects.order_by("created_at")[1]
    Job.objects.filter(pk=poison.pk).update(deaths=1)
    batches = dispatch._batches(list(Job.objects.order_by("created_at")), room=3, size=4)
    assert [poison] in [list(batch) for batch in batches]


def test_a_result_of_an_old_attempt_changes_nothing(alices_draft):
    photo = alices_draft.photos.get()
    job, first = send_for_test(photo, "prepare")
    age()
    recovery.expire()
    job, second = send_for_test(photo, "prepare")
    assert not results.record(job=job, attempt=first, worker="late", outcome=prepared(photo, first))
    assert Photo.objects.get().state == "stored"
    assert results.record(job=job, attempt=second, worker="w", outcome=prepared(photo, second))
    assert not results.record(job=job, attempt=second, worker="w", outcome=prepared(photo, second))
    assert Photo.objects.get().state == "ready"


def test_silence_without_started_is_a_loss_and_not_a_crash(alices_draft):
    for _ in range(5):
        send_for_test(alices_draft.photos.get(), "prepare")
        age()
        assert recovery.expire() == 1
    job = Job.objects.get()
    assert (job.state, job.losses, job.deaths) == (JobState.QUEUED, 5, 0)


def test_jobs_are_requeued_at_once_after_a_broker_flush(alices_draft, valkey):
    """Drill R3: after FLUSHALL each stage waited a minute, because only the deadline revealed the loss."""
    recovery.requeue_after_broker_flush()
    dispatch.dispatch_all()
    assert recovery.requeue_after_broker_flush() == 0
    valkey.flushdb()
    assert recovery.requeue_after_broker_flush() == 1
    job = Job.objects.get()
    assert (job.state, job.losses, job.deaths) == (JobState.QUEUED, 1, 0)


def test_a_result_lost_in_a_broker_flush_is_not_counted_as_a_crash(alices_draft, valkey):
    job, attempt = send_for_test(alices_draft.photos.get(), "prepare")
    results.started(worker="w", work={job: attempt})
    valkey.delete(broker.BROKER_MARK)
    recovery.requeue_after_broker_flush()
    assert Job.objects.get().deadline < timezone.now() + timedelta(seconds=recovery.STRAY_SECONDS + 1)
    age()
    assert recovery.expire() == 1
    row = Job.objects.get()
    assert (row.state, row.losses, row.deaths) == (JobState.QUEUED, 1, 0)


def test_a_result_that_arrives_after_a_broker_flush_is_accepted(alices_draft, valkey):
    job, attempt = send_for_test(alices_draft.photos.get(), "prepare")
    results.started(worker="w", work={job: attempt})
    valkey.delete(broker.BROKER_MARK)
    recovery.requeue_after_broker_flush()
    outcome = prepared(alices_draft.photos.get(), attempt)
    assert results.record(job=job, attempt=attempt, worker="w", outcome=outcome)


def test_three_crashes_quarantine_the_job_and_the_ai_is_unavailable(alices_submission):
    for _ in range(3):
        job, attempt = send_for_test(alices_submission.photos.get(), "prepare")
        results.started(worker="w", work={job: attempt})
        age()
        assert recovery.expire() == 1
    alices_submission.refresh_from_db()
    assert Job.objects.get().state == JobState.QUARANTINED
    assert alices_submission.ai_status == AIStatus.UNAVAILABLE
    assert alices_submission.status == "submitted"


def seconds_left() -> float:
    return (Job.objects.get().deadline - timezone.now()).total_seconds()


@pytest.mark.parametrize("everything", [False, True])
def test_a_job_that_its_worker_ended_without_result_is_requeued_soon(alices_draft, everything):
    job, attempt = send_for_test(alices_draft.photos.get(), "prepare")
    results.started(worker="w", work={job: attempt})
    results.ended(worker="w", work=None if everything else {job: attempt})
    assert seconds_left() < results.RESULT_GRACE_SECONDS + 1


@pytest.mark.parametrize(("worker", "attempts"), [("other", 0), ("w", -1)])
def test_an_end_of_another_worker_or_attempt_changes_nothing(alices_draft, worker, attempts):
    job, attempt = send_for_test(alices_draft.photos.get(), "prepare")
    results.started(worker="w", work={job: attempt})
    results.ended(worker=worker, work={job: attempt + attempts})
    assert seconds_left() > results.RESULT_GRACE_SECONDS + 5


@pytest.mark.parametrize(
    "strange", [{"contract": messages.VERSION + 1}, {"outcome": {"code": "x", "more": 1}}, {"more": 1}]
)
@pytest.mark.parametrize(
    ("task", "message_of"),
    [(tasks.results_task, forged.message), (tasks.older_record_task, forged.older_message)],
)
def test_a_result_of_a_newer_version_is_requeued_and_not_counted_as_a_crash(
    alices_draft, monkeypatch, strange, task, message_of
):
    """During a deploy a newer process can read it; otherwise three unread results would quarantine a good photo."""
    monkeypatch.setattr(tasks, "HAND_BACK_SECONDS", 0)
    job, attempt = send_for_test(alices_draft.photos.get(), "prepare")
    results.started(worker="w", work={job: attempt})
    message = message_of(job, attempt, "failed", {"code": "x"}, **strange)
    with pytest.raises(Reject) as handed_back:
        task(**message)
    assert handed_back.value.requeue
    age()
    recovery.expire()
    row = Job.objects.get()
    assert (row.state, row.losses, row.deaths) == (JobState.QUEUED, 1, 0)
    task(**message)  # no job waits for it any more


def test_a_result_for_a_submission_of_a_newer_policy_is_requeued_and_not_counted_as_a_crash(
    alices_submission, monkeypatch
):
    """During a deploy the new web judges by a policy that an old results worker does not have."""
    monkeypatch.setattr(tasks, "HAND_BACK_SECONDS", 0)
    job, attempt = send_for_test(alices_submission.photos.get(), "prepare")
    results.started(worker="w", work={job: attempt})
    message = forged.message(job, attempt, "failed", {"code": "x"})
    policy = alices_submission.policy
    Submission.objects.update(policy="2999-01-01")
    with pytest.raises(Reject) as handed_back:
        tasks.results_task(**message)
    assert handed_back.value.requeue
    assert Job.objects.get().state == JobState.SENT
    Submission.objects.update(policy=policy)
    tasks.results_task(**message)
    row = Job.objects.get()
    assert (row.state, row.deaths) == (JobState.FAILED, 0)


@pytest.mark.parametrize(
    ("task", "verb", "more"),
    [
        (tasks.started_task, "started", {"work": {JOB: 1}}),
        (tasks.older_started_task, "started", {"job": JOB, "attempt": 1}),
        (tasks.ended_task, "ended", {"work": None}),
        (tasks.results_task, "_record", forged.message(JOB, 1, "failed", {"code": "x"})),
        (tasks.older_record_task, "_record", forged.older_message(JOB, 1, "failed", {"code": "x"})),
    ],
)
def test_a_message_that_met_an_unavailable_database_is_repeated(task, verb, more, monkeypatch):
    """Drill R6: each result lost to a restart cost 40 s and looked like a worker crash."""

    def away(**_message):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(tasks, "HAND_BACK_SECONDS", 0)
    monkeypatch.setattr(connection, "close", lambda: None)
    monkeypatch.setattr(results, verb, away)
    with pytest.raises(Reject) as handed_back:
        task(**{"worker": "w"} | more)
    assert handed_back.value.requeue


def test_a_photo_whose_worker_crashed_does_not_block_others(alice, draft_of, valkey, settings):
    """Drill R8: four crashes at once filled the window, and all other photos waited 50 s."""
    settings.JOB_WINDOW = 1
    draft_of(alice, photos=2)
    assert dispatch.dispatch_stage(Stage.PREPARE) == 1
    receive_all(valkey)  # a worker received it
    dead = Job.objects.get(state=JobState.SENT)
    results.started(worker="w", work={str(dead.pk): 1})
    assert dispatch.dispatch_stage(Stage.PREPARE) == 0
    results.ended(worker="w", work=None)
    assert dispatch.dispatch_stage(Stage.PREPARE) == 1
    age()
    recovery.expire()
    dead.refresh_from_db()
    assert (dead.state, dead.deaths) == (JobState.QUEUED, 1)


def test_each_crash_lengthens_the_wait_before_the_next_attempt(alices_draft):
    """Otherwise a machine without memory for half a minute would use up the three attempts."""
    job, attempt = send_for_test(alices_draft.photos.get(), "prepare")
    results.started(worker="w", work={job: attempt})
    Job.objects.update(deaths=1)
    results.ended(worker="w", work={job: attempt})
    assert 3 * results.RESULT_GRACE_SECONDS - 2 < seconds_left() < 3 * results.RESULT_GRACE_SECONDS + 1


def test_started_sets_a_deadline_for_the_size_of_the_batch(alices_draft):
    job, attempt = send_for_test(alices_draft.photos.get(), "prepare")
    Job.objects.update(batch=4)
    results.started(worker="w", work={job: attempt})
    left = Job.objects.get().deadline - timezone.now()
    assert left > timedelta(seconds=4 * messages.HARD_LIMIT_SECONDS[Stage.PREPARE] - 5)


def test_a_draft_is_prepared_and_checked_but_analysed_only_after_submission(alice, alices_draft, analyse):
    analyse(alices_draft.photos.get())
    assert set(Job.objects.values_list("stage", flat=True)) == {"prepare", "check"}
    intake.submit(alices_draft, by=alice)
    assert Job.objects.filter(stage="analyse", state=JobState.QUEUED).exists()


def test_a_submission_that_is_withdrawn_and_sent_again_is_analysed(alice, alices_draft, analyse):
    analyse(alices_draft.photos.get())
    submission = intake.submit(alices_draft, by=alice)
    withdrawal.withdraw(submission, by=alice)
    assert Job.objects.get(stage="analyse").state == JobState.CANCELLED
    withdrawal.restore(submission, by=alice)
    submission = intake.submit(submission, by=alice)
    assert Job.objects.get(stage="analyse").state == JobState.QUEUED
    assert submission.ai_status == AIStatus.WAITING


def test_findings_raise_the_urgency_and_bring_the_due_time_forward(alices_submission, analyse):
    analyse(alices_submission.photos.get(), probabilities={"AD": 0.6, "HI": 0.3, "IM": 0.1})
    alices_submission.refresh_from_db()
    assert alices_submission.level == Urgency.SAME_DAY
    assert alices_submission.due_at == alices_submission.submitted_at + timedelta(hours=2)
    assert alices_submission.ai_status == AIStatus.DONE
    assert "urgency_raised" in alices_submission.events.values_list("kind", flat=True)


def test_findings_never_lower_the_urgency_of_the_answers(alice, submission_of, analyse):
    urgent = submission_of(alice, grouped_blisters="yes")
    due = urgent.due_at
    analyse(urgent.photos.get(), probabilities={"AD": 1.0})
    urgent.refresh_from_db()
    assert (urgent.level, urgent.due_at) == (Urgency.SAME_DAY, due)


def test_an_analysis_stores_all_that_is_needed_to_repeat_it(alices_submission, analyse):
    analyse(alices_submission.photos.get())
    analysis = alices_submission.photos.get().analysis
    assert analysis.segmentation_model["sha256"] and analysis.classification_model["sha256"]
    assert analysis.thresholds["HI"] == 0.2
    assert analysis.boxes[0]["skin"] == 0.95
    assert [view["box"] for view in analysis.views] == [None, 0]


def test_one_photo_without_a_result_makes_the_ai_status_partly(alice, submission_of, analyse):
    submission = submission_of(alice, photos=2)
    first, second = submission.photos.all()
    analyse(first)
    submission.refresh_from_db()
    assert submission.ai_status == AIStatus.WAITING
    job, attempt = send_for_test(second, "prepare")
    assert results.record(job=job, attempt=attempt, worker="w", outcome=messages.Failed(code="no_file"))
    submission.refresh_from_db()
    assert submission.ai_status == AIStatus.PARTLY


def refused(_photo) -> messages.Failed:
    return messages.Failed(code="weights_refused")


def only_segmented(photo) -> messages.Analysed:
    box = messages.Box(x=1, y=1, width=2, height=2, skin=1.0, lesion=0.5)
    mask = f"photos/{photo.pk}/analyse/1/mask.png"
    segmented = messages.Segmented(mask_key=mask, skin=0.9, lesion=0.3, boxes=(box,), model=MODEL)
    return messages.Analysed(segmented=segmented, failure="weights_refused")


@pytest.mark.parametrize(("analysed", "crops"), [(refused, 0), (only_segmented, 1)])
def test_refused_weights_do_not_delay_the_answer_by_people(alices_submission, dana, analysed, crops):
    photo, due = alices_submission.photos.get(), alices_submission.due_at
    for stage, outcome_of in {"prepare": prepared, "analyse": analysed}.items():
        job, attempt = send_for_test(photo, stage)
        assert results.record(job=job, attempt=attempt, worker="w", outcome=outcome_of(photo))
    alices_submission.refresh_from_db()
    assert alices_submission.ai_status == AIStatus.UNAVAILABLE
    assert (alices_submission.status, alices_submission.due_at) == ("submitted", due)
    assert Job.objects.get(stage="analyse").error == "weights_refused"
    assert not Job.objects.filter(state__in=["queued", "sent", "started"]).exists()
    assert sum(len(analysis.boxes) for analysis in photo.analyses.all()) == crops
    reviews.claim(alices_submission, by=dana)


def test_an_analysis_that_lacks_a_finding_is_made_again_in_its_place(alices_submission, adam):
    photo = alices_submission.photos.get()
    for stage, outcome_of in {"prepare": prepared, "analyse": only_segmented}.items():
        job, attempt = send_for_test(photo, stage)
        assert results.record(job=job, attempt=attempt, worker="w", outcome=outcome_of(photo))
    assert recovery.requeue(Job.objects.get(pk=job), by=adam)
    job, attempt = send_for_test(photo, "analyse")
    found = forged.outcome(Stage.ANALYSE, f"photos/{photo.pk}/analyse/{attempt}")
    found["segmented"] |= {"boxes": [], "nearest_miss": None}
    found["classified"] |= {"views": found["classified"]["views"][:1], "attribution": None}
    outcome = messages.unpack_outcome(contract=messages.VERSION, kind="analysed", outcome=found)
    assert results.record(job=job, attempt=attempt, worker="w", outcome=outcome)
    analysis = photo.analyses.get()
    assert analysis.is_classified and analysis.mask_key.endswith("/analyse/2/mask.png")
    alices_submission.refresh_from_db()
    assert alices_submission.ai_status == AIStatus.DONE


def test_an_admin_requeues_and_cancels(alices_submission, adam):
    job = Job.objects.get()
    assert recovery.cancel(job, by=adam)
    assert not recovery.cancel(job, by=adam)
    alices_submission.refresh_from_db()
    assert alices_submission.ai_status == AIStatus.UNAVAILABLE
    assert recovery.requeue(job, by=adam)
    assert Job.objects.get().state == JobState.QUEUED


def test_an_unavailable_broker_does_not_block_a_submission(alices_draft, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert dispatch.dispatch_all() == 0
    assert Job.objects.get().state == JobState.QUEUED


def test_jobs_that_a_failing_broker_did_not_take_are_sent_again(alices_draft, monkeypatch):
    from kombu.exceptions import OperationalError

    from teleder.celery import app

    def away(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(app, "send_task", away)
    assert dispatch.dispatch_all() == 0
    job = Job.objects.get()
    assert (job.state, job.losses) == (JobState.QUEUED, 1)


def in_threads(count: int, act) -> None:
    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_an_urgent_photo_overtakes_messages_that_wait_in_the_broker(alice, bob, draft_of, valkey, settings):
    settings.JOB_WINDOW, settings.JOB_BATCH = 2, 4
    for _ in range(2):
        draft_of(alice, photos=6)
    Job.objects.update(stage=Stage.ANALYSE)
    assert dispatch.dispatch_stage(Stage.ANALYSE) == 8
    urgent = draft_of(bob, fever="yes", baby_or_pregnant="yes").photos.get().jobs.get()
    Job.objects.filter(pk=urgent.pk).update(stage=Stage.ANALYSE)
    assert dispatch.dispatch_stage(Stage.ANALYSE) == 1
    urgent.refresh_from_db()
    assert (urgent.state, urgent.batch) == (JobState.SENT, 1)
    first = next(received(valkey, Stage.ANALYSE))
    assert [row["job"] for row in first["requests"]] == [str(urgent.pk)]


@pytest.mark.django_db(transaction=True)
def test_eight_dispatchers_fill_the_window_once(alice, draft_of, valkey, settings):
    settings.JOB_WINDOW, settings.JOB_BATCH = 3, 1
    settings.REDIS_URL, url = "redis://127.0.0.1:1/0", settings.REDIS_URL
    draft_of(alice, photos=6)
    settings.REDIS_URL = url
    in_threads(8, lambda: dispatch.dispatch_stage(Stage.PREPARE))
    assert Job.objects.filter(state=JobState.SENT).count() == 3
    assert depth(valkey, Stage.PREPARE) == 3


@pytest.mark.django_db(transaction=True)
def test_a_dispatcher_never_waits_for_another(alice, draft_of, valkey):
    """A session that hung with this lock once held up every upload; the sweeper sends what is left."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('dispatch.prepare'))")
    try:
        job = draft_of(alice).photos.get().jobs.get()
        assert dispatch.dispatch_all() == 0
        assert depth(valkey, Stage.PREPARE) == 0
    finally:
        other.close()
    assert dispatch.dispatch_all() == 1
    job.refresh_from_db()
    assert job.state == JobState.SENT


@pytest.mark.django_db(transaction=True)
def test_two_photos_that_finish_together_finish_the_submission(alice, submission_of, analyse):
    for _ in range(5):
        submission = submission_of(alice, photos=2)
        photos = list(submission.photos.all())
        runs = iter(photos)
        lock = threading.Lock()

        def play(runs=runs, lock=lock) -> None:
            with lock:
                photo = next(runs)
            analyse(photo)

        in_threads(2, play)
        submission.refresh_from_db()
        assert submission.ai_status == AIStatus.DONE


@pytest.mark.django_db(transaction=True)
def test_of_ten_dermatologists_at_once_one_claims(person, alices_submission):
    team = [person(f"derm{n}", "dermatologist") for n in range(10)]
    turn, won = iter(team), []

    def act() -> None:
        who = next(turn)
        try:
            reviews.claim(type(alices_submission).objects.get(pk=alices_submission.pk), by=who)
            won.append(who)
        except transitions.IllegalMoveError:
            pass

    in_threads(10, act)
    assert len(won) == 1
    alices_submission.refresh_from_db()
    assert alices_submission.claimed_by == won[0]
