"""A worker's message is checked against the job that it names before anything is written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery.exceptions import Reject
from django.utils import timezone

from contract import messages
from contract.messages import Stage
from teleder.cases.models import (
    Analysis,
    DrawnCropFinding,
    Event,
    Finding,
    Job,
    JobState,
    Photo,
    RefusedMessage,
    Submission,
)
from teleder.pipeline import dispatch, recovery, refusals, results, tasks
from tests import forged
from tests.cases.conftest import receive_all
from tests.conftest import send_for_test
from tests.drawn import AREA, draw

pytestmark = pytest.mark.django_db


class Attempt:
    """A started attempt at one stage of a photo; all earlier stages are done."""

    def __init__(self, photo: Photo, stage: Stage) -> None:
        for earlier in forged.EARLIER[stage]:
            job, attempt = send_for_test(photo, earlier)
            row = forged.outcome(earlier, f"photos/{photo.pk}/{earlier}/{attempt}")
            tasks.results_task(**forged.message(job, attempt, forged.KINDS[earlier], row))
        self.photo, self.stage = photo, stage
        if stage == Stage.REANALYSE:
            draw(photo, photo.submission.patient)
        # A check is of a photo that was a draft's when the job was queued; a full-size copy is asked for.
        if stage in (Stage.CHECK, Stage.FULL):
            Job.objects.create(photo=photo, stage=stage, priority=0)
        self.job, self.attempt = send_for_test(photo, stage)
        results.started(worker="w@host", work={self.job: self.attempt})

    @property
    def folder(self) -> str:
        return f"photos/{self.photo.pk}/{self.stage}/{self.attempt}"

    def right(self, **changed) -> dict:
        """Return a valid result; what is changed of an analysis is of that half of it which has the field."""
        row = forged.outcome(self.stage, self.folder)
        halves = [half for half in (row.get("segmented"), row.get("classified")) if half]
        for name, value in changed.items():
            next((half for half in halves if name in half), row)[name] = value
        return row

    def reports(self, row: object, kind: str = "", **changed) -> None:
        kind = kind or forged.KINDS[self.stage]
        tasks.results_task(**forged.message(self.job, self.attempt, kind, row, **changed))

    @property
    def is_done(self) -> bool:
        return Job.objects.get(pk=self.job).state == JobState.DONE


@pytest.fixture
def under_way(alices_submission):
    return lambda stage: Attempt(alices_submission.photos.get(), stage)


def everything() -> list:
    kinds = (Job, Photo, Analysis, Finding, DrawnCropFinding, Submission, Event)
    return [list(kind.objects.order_by("pk").values()) for kind in kinds]


@pytest.fixture
def refused(caplog):
    """Check that the messages sent in the block change no row, and that each is logged and counted once."""
    import contextlib

    @contextlib.contextmanager
    def check(times: int = 1):
        before, counted, lines = everything(), refusals.lately(), caplog.text.count("refused: ")
        yield
        assert everything() == before
        assert refusals.lately() == counted + times
        assert caplog.text.count("refused: ") == lines + times
        assert forged.CANARY not in caplog.text

    return check


@pytest.mark.parametrize("stage", Stage)
def test_a_valid_result_is_accepted(under_way, stage):
    attempt = under_way(stage)
    attempt.reports(attempt.right())
    assert attempt.is_done and refusals.lately() == 0


@pytest.mark.parametrize("stage", Stage)
def test_an_invalid_field_changes_no_row_and_no_deadline(under_way, refused, stage, bob, submission_of):
    attempt = under_way(stage)
    other = f"photos/{submission_of(bob).photos.get().pk}/prepare/1/display.jpg"
    rows = list(forged.one_by_one(stage, attempt.folder, other))
    with refused(len(rows)):
        for row in rows:
            attempt.reports(row)
    attempt.reports(attempt.right())
    assert attempt.is_done


@pytest.mark.parametrize(
    "key",
    [
        "/proc/self/environ",
        "../secret-key",
        "photos/../../secret-key",
        "photos/{other}/prepare/1/display.jpg",
    ],
)
@pytest.mark.parametrize("name", ["display_key", "analysis_key", "thumbnail_key"])
def test_a_copy_outside_the_folder_of_the_attempt_is_refused(
    under_way, refused, name, key, bob, submission_of
):
    attempt, other = under_way(Stage.PREPARE), submission_of(bob).photos.get()
    with refused():
        attempt.reports(attempt.right(**{name: key.format(other=other.pk)}))


# A drawn crop is reported as any analysis is, with one box.
ALIKE = (Stage.ANALYSE, Stage.REANALYSE)


@pytest.mark.parametrize(
    ("stage", "kind"), [(s, k) for s in Stage for k in Stage if s != k and (s, k) != ALIKE]
)
def test_only_an_outcome_of_the_same_stage_is_accepted(under_way, refused, stage, kind):
    attempt = under_way(stage)
    with refused():
        attempt.reports(forged.outcome(kind, attempt.folder), forged.KINDS[kind])


@pytest.mark.parametrize("stage", Stage)
def test_any_stage_may_fail(under_way, stage):
    attempt = under_way(stage)
    attempt.reports({"code": "file_missing"}, "failed")
    assert Job.objects.get(pk=attempt.job).error == "file_missing"


def box(**changed) -> dict:
    return forged.BOX | changed


OUTSIDE = [
    box(x=701),
    box(y=501),
    box(width=791),
    box(height=581),
    box(x=0, y=0, width=801, height=1),
    box(x=800, y=0, width=1, height=1),
    box(width=0),
    box(height=0),
    box(x=2**31 - 1, width=2**31 - 1),
]


@pytest.mark.parametrize("outside", OUTSIDE)
def test_a_box_outside_the_photo_is_refused(under_way, refused, outside):
    attempt = under_way(Stage.ANALYSE)
    with refused(2):
        attempt.reports(attempt.right(boxes=[forged.BOX, outside]))
        attempt.reports(attempt.right(nearest_miss=outside))


def test_a_sign_that_is_measured_twice_is_refused(under_way, refused):
    attempt = under_way(Stage.ANALYSE)
    with refused(1):
        attempt.reports(attempt.right(signs=[forged.SIGNS[0], forged.SIGNS[0]]))


def test_a_box_may_fill_the_photo(under_way):
    attempt = under_way(Stage.ANALYSE)
    attempt.reports(attempt.right(boxes=[box(x=0, y=0, width=800, height=600), forged.BOX]))
    assert attempt.is_done


def test_a_view_or_map_of_an_unknown_box_is_refused(under_way, refused):
    attempt = under_way(Stage.ANALYSE)
    view = {"box": 2, "probabilities": forged.FOUND}
    drawn = {"key": f"{attempt.folder}/attribution.png", "condition": "AD", "box": 2}
    twice = [view | {"box": 1}, view | {"box": 1}]
    with refused(3):
        attempt.reports(attempt.right(views=[view]))
        attempt.reports(attempt.right(views=twice))
        attempt.reports(attempt.right(attribution=drawn))


@pytest.mark.parametrize("changed", [{"classified": None}, {"failure": "weights_refused"}])
def test_an_analysis_has_a_finding_or_a_reason_for_having_none(under_way, refused, changed):
    attempt = under_way(Stage.ANALYSE)
    with refused():
        attempt.reports(attempt.right(**changed))


def test_a_condition_without_a_probability_is_neither_named_nor_drawn(under_way, refused):
    attempt = under_way(Stage.ANALYSE)
    drawn = {"key": f"{attempt.folder}/attribution.png", "condition": "MF"}
    with refused(2):
        attempt.reports(attempt.right(probabilities={"HI": 0.5}, attribution=None))
        attempt.reports(attempt.right(probabilities={"AD": 0.5}, attribution=drawn))


FIGURE = forged.FIGURE


@pytest.mark.parametrize(
    "alarms",
    [
        [forged.ALARM, forged.ALARM],
        [forged.ALARM | {"condition": "AD"}],
        [forged.ALARM | {"condition": "OTHER"}],
        [forged.ALARM | {"sensitivity": FIGURE}],  # above 1
        [forged.ALARM | {"likelihood_ratio": FIGURE | {"low": 9.5}}],
        [forged.ALARM | {"likelihood_ratio_ad": FIGURE | {"low": 9.5}}],
    ],
)
def test_an_alarm_that_makes_no_sense_is_refused(under_way, refused, alarms):
    attempt = under_way(Stage.ANALYSE)
    with refused():
        attempt.reports(attempt.right(alarms=alarms))


def test_alarms_are_kept_with_their_figures_and_an_older_worker_reports_none(under_way):
    attempt = under_way(Stage.ANALYSE)
    attempt.reports(attempt.right())
    assert Analysis.objects.get().alarms == [forged.ALARM]
    Analysis.objects.update(alarms=[forged.ALARM | {"score": 7}])  # as it was stored before the check
    assert Analysis.objects.get().ringing == ()


def looks(**changed) -> list[dict]:
    rows = forged.outcome(Stage.DISTANCE, "")["looks"]
    return [*rows[:-1], rows[-1] | changed]


@pytest.mark.parametrize(
    "changed",
    [
        {"looks": looks()[:-1]},
        {"looks": looks()[::-1]},
        {"looks": looks(boxes=[box(x=701)])},
        {"looks": looks(boxes=[forged.BOX] * 65)},
        {"looks": looks(verdict="inconclusive")},  # although its score is above the line
        {"looks": looks(verdict="alarm HI IM")},
        {"looks": looks(scores={"HI": 0.2})},  # although it tells of an alarm
        {"looks": looks(scores={})},
        {"thresholds": {}},
        {"thresholds": {"HI": 0.3, "AD": 0.9}},  # which has no alarm
    ],
)
def test_a_distance_report_that_makes_no_sense_is_refused(under_way, refused, changed):
    attempt = under_way(Stage.DISTANCE)
    with refused():
        attempt.reports(attempt.right(**changed))


@pytest.mark.parametrize("changed", [{"largest": 0.06}, {"lesion": 0.06}])
def test_a_part_of_the_skin_is_not_larger_than_all_of_it(under_way, refused, changed):
    attempt = under_way(Stage.CHECK)
    with refused():
        attempt.reports(attempt.right(**changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"reason": "corrupt_image"},  # although it has copies
        {"display_key": ""},
        {"analysis_key": "", "display_key": "", "thumbnail_key": ""},  # and no reason
        {"analysis_key": "", "reason": "poor_quality"},
        {"analysis_width": 0},
        {"width": 0},
    ],
)
def test_copies_must_match_the_reason_given_for_the_photo(under_way, refused, changed):
    attempt = under_way(Stage.PREPARE)
    with refused():
        attempt.reports(attempt.right(**changed))


@pytest.mark.parametrize(
    ("reason", "state"),
    [("poor_quality", "poor"), ("corrupt_image", "unusable"), ("image_too_small", "unusable")],
)
def test_a_reason_with_or_without_copies_is_accepted(under_way, reason, state):
    attempt = under_way(Stage.PREPARE)
    names = ("display_key", "analysis_key", "thumbnail_key", "veiled_key")
    copies = {} if state == "poor" else dict.fromkeys(names, "")
    attempt.reports(attempt.right(reason=reason, **copies))
    assert Photo.objects.get(pk=attempt.photo.pk).state == state


@pytest.mark.parametrize(
    "changed",
    [
        *({name: value} for name, values in forged.WRONG_WHOSE.items() for value in values),
        *({"contract": value} for value in forged.WRONG_CONTRACTS),
        *({"kind": value} for value in forged.WRONG_KINDS),
        *({"outcome": value} for value in (None, 1, "x", True, [], [1])),
    ],
)
def test_a_result_with_an_invalid_envelope_is_refused_and_not_requeued(under_way, refused, changed):
    attempt = under_way(Stage.PREPARE)
    with refused():
        tasks.results_task(
            **forged.message(attempt.job, attempt.attempt, "prepared", attempt.right(), **changed)
        )


TASKS = [tasks.started_task, tasks.ended_task, tasks.results_task]
TASKS += [tasks.older_started_task, tasks.older_record_task]


@pytest.mark.parametrize("task", TASKS)
def test_a_message_without_its_fields_is_refused(refused, task):
    with refused(3):
        task()
        task(1, 2, 3)
        task(gossip=forged.HUGE)


@pytest.mark.parametrize(
    "changed", [{name: value} for name, values in forged.WRONG_WHOSE.items() for value in values]
)
def test_an_unreadable_start_message_starts_no_job(alices_draft, refused, changed):
    job, attempt = send_for_test(alices_draft.photos.get(), "prepare")
    with refused():
        tasks.older_started_task(**{"job": job, "attempt": attempt, "worker": "w"} | changed)


@pytest.mark.parametrize("work", [None, *forged.WRONG_WORK])
def test_an_unreadable_start_of_a_task_starts_no_job(alices_draft, refused, work):
    send_for_test(alices_draft.photos.get(), "prepare")
    with refused():
        tasks.started_task(work=work, worker="w")


@pytest.mark.parametrize("work", forged.WRONG_WORK)
def test_an_unreadable_end_message_ends_no_job(under_way, refused, work):
    under_way(Stage.PREPARE)
    with refused(2):
        tasks.ended_task(worker="w@host", work=work)
        tasks.ended_task(worker="w@host")


def test_a_job_whose_results_are_refused_is_retried_and_finally_quarantined(under_way):
    """A worker whose results are always refused must not block a photo and its submission for ever."""
    attempt = under_way(Stage.PREPARE)
    for _ in range(3):
        attempt.reports(attempt.right(display_key="/proc/self/environ"))
        Job.objects.update(deadline=timezone.now() - timedelta(seconds=1))
        assert recovery.expire() == 1
        if Job.objects.get().state != JobState.QUARANTINED:
            attempt.job, attempt.attempt = send_for_test(attempt.photo, "prepare")
            results.started(worker="w@host", work={attempt.job: attempt.attempt})
    assert Job.objects.get().state == JobState.QUARANTINED
    assert Submission.objects.get().ai_status == "unavailable"


@pytest.mark.parametrize("unreadable", [{"contract": 99}, {"outcome": {"code": "x", "more": 1}}, {"more": 1}])
def test_alternating_starts_and_unreadable_results_do_not_block_a_job_for_ever(
    under_way, settings, monkeypatch, unreadable
):
    monkeypatch.setattr(tasks, "HAND_BACK_SECONDS", 0)
    attempt = under_way(Stage.PREPARE)
    begun = timezone.now()
    lease = messages.HARD_LIMIT_SECONDS[Stage.PREPARE] + results.RESULT_GRACE_SECONDS
    longest = timedelta(seconds=2 * settings.JOB_WAIT_SECONDS + lease)
    for minutes in range(10):
        Job.objects.update(sent_at=begun - timedelta(minutes=minutes))  # simulate the passing of time
        with pytest.raises(Reject):
            attempt.reports({"code": "x"}, "failed", **unreadable)
        results.started(worker="w@host", work={attempt.job: attempt.attempt})
        row = Job.objects.get()
        assert row.deadline <= row.sent_at + longest
    assert recovery.expire() == 1
    attempt.reports({"code": "x"}, "failed", **unreadable)  # no job waits for it, so it is not requeued


def test_an_unreadable_stored_box_does_not_stop_dispatch(under_way, settings):
    attempt = under_way(Stage.DISTANCE)
    for boxes in ({"x": 1}, [1], [{"x": "1"}], "boxes", [None]):
        Analysis.objects.update(boxes=boxes)
        Job.objects.filter(pk=attempt.job).update(state=JobState.QUEUED)
        import redis

        receive_all(redis.Redis.from_url(settings.REDIS_URL))
        assert dispatch.dispatch_stage(Stage.DISTANCE) == 1


@pytest.mark.parametrize("key", ["/proc/self/environ", "photos/{other}/prepare/1/analysis.jpg", "../x.jpg"])
def test_no_worker_is_given_a_file_of_another_photo(under_way, key, bob, submission_of):
    attempt, other = under_way(Stage.ANALYSE), submission_of(bob).photos.get()
    Photo.objects.filter(pk=attempt.photo.pk).update(analysis_key=key.format(other=other.pk))
    assert dispatch._request(Job.objects.get(pk=attempt.job)).source == ""


@pytest.mark.parametrize(
    "changed",
    [
        {"boxes": [forged.BOX | {"x": AREA.x + 1}]},
        {"boxes": [forged.BOX, forged.BOX]},
        {"boxes": [], "no_box": None},
        {"no_box": "too_little_skin"},
        {"boxes": [], "no_box": "too_little_skin", "nearest_miss": None},
        {"boxes": [], "no_box": "too_little_skin", "nearest_miss": forged.BOX | {"width": AREA.width + 1}},
    ],
)
def test_another_crop_than_the_drawn_one_is_refused(under_way, refused, changed):
    attempt = under_way(Stage.REANALYSE)
    with refused():
        attempt.reports(attempt.right(**changed))


def test_a_drawn_crop_that_does_not_obey_the_rule_is_reported_with_its_reason(under_way):
    attempt = under_way(Stage.REANALYSE)
    row = attempt.right(boxes=[], no_box="too_little_skin", nearest_miss=forged.BOX)
    row["classified"] |= {"views": row["classified"]["views"][:1], "attribution": None}
    attempt.reports(row)
    assert attempt.is_done and refusals.lately() == 0


def test_refusals_are_counted_by_day_and_kind(under_way):
    attempt = under_way(Stage.PREPARE)
    for _ in range(5):
        attempt.reports(None)
        tasks.started_task(job=1)
    counts = RefusedMessage.objects.order_by("kind").values_list("kind", "count")
    assert list(counts) == [(messages.RESULTS, 5), (messages.STARTED, 5)]
    RefusedMessage.objects.update(last_at=timezone.now() - timedelta(hours=25))
    assert refusals.lately() == 0
