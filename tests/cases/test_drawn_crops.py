"""Dana draws a crop over the model's: it is read beside the model's own, changes no urgency, and is kept with her name."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from contract import messages
from contract.alarms import Alarm, Condition, Figure
from contract.drawn import RUNS_AT_MOST, Drawn, Rectangle, pixels_of
from contract.messages import Abstention, NoCropReason, Stage
from teleder.accounts.models import Purpose
from teleder.audit import rights
from teleder.cases import ai_opinion, consents, invariants, leftovers, reviews
from teleder.cases.ai_opinion import NotOpenError
from teleder.cases.drawn_crops import DRAWN_CROPS_A_PHOTO, DrawnCropState, draw_crop, drawn_crops_of
from teleder.cases.drawn_verdict import verdict_on
from teleder.cases.models import (
    Analysis,
    DrawnCrop,
    DrawnCropFinding,
    EventKind,
    Finding,
    Job,
    JobState,
    Photo,
    Submission,
)
from teleder.cases.transitions import IllegalMoveError
from teleder.cases.triage import Urgency
from teleder.cases.verdict import NO_CROP, UNPROVEN, VerdictKind, verdict_of
from teleder.pipeline import dispatch, recovery, results
from teleder.privacy import erasure, export
from tests.conftest import send_for_test
from tests.drawn import AREA, draw, reanalysed, record

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]
SIZE = 800 * 600
# An alarm that would raise to the same day, had it rung on the model's own crops.
STRONG = Figure(value=8.0, low=5.0, high=12.0, n=400)
SURE = Figure(value=0.8, low=0.7, high=0.9, n=90)
HERPES_ALARM = Alarm(
    condition=Condition.HI,
    score=0.9,
    threshold=0.2,
    sensitivity=SURE,
    likelihood_ratio=STRONG,
    likelihood_ratio_ad=STRONG,
)


@pytest.fixture
def photo(alices_submission, analyse, dana) -> Photo:
    """A photo that the model has read without an alarm, of a case that Dana holds and has looked at."""
    photo = alices_submission.photos.get()
    analyse(photo)
    reviews.claim(alices_submission, by=dana)
    ai_opinion.choose(alices_submission, by=dana, impression="AD")
    return Photo.objects.select_related("submission").get()


def job() -> Job:
    return Job.objects.get(stage=Stage.REANALYSE)


def urgency() -> tuple:
    return Submission.objects.values_list("urgency", "flags", "due_at", "ai_status", "ai_precedence").get()


# --- Who draws what ---------------------------------------------------------------------------------------
def test_what_dana_draws_is_kept_with_her_name_and_the_result_that_it_corrects(photo, dana):
    row = draw_crop(photo, by=dana, box=AREA, lesion=[5, 100, SIZE - 105])
    row.refresh_from_db()
    assert (row.author, row.box, row.lesion) == (dana, AREA, [5, 100, SIZE - 105])
    assert row.analysis == photo.analysis and row.analysis.classification_model["sha256"]
    assert photo.submission.events.filter(kind=EventKind.CROP_DRAWN, actor=dana).count() == 1
    assert job().state in {JobState.QUEUED, JobState.SENT}


def test_the_same_drawn_again_is_the_same_row(photo, dana):
    first = draw_crop(photo, by=dana, box=AREA, lesion=None)
    assert draw_crop(photo, by=dana, box=AREA, lesion=None) == first
    assert photo.submission.events.filter(kind=EventKind.CROP_DRAWN).count() == 1


def test_only_who_holds_the_case_draws(photo, dana, nora):
    for other in (nora,):
        with pytest.raises(IllegalMoveError):
            draw_crop(photo, by=other, box=AREA, lesion=None)
    reviews.release(photo.submission, by=dana)
    with pytest.raises(IllegalMoveError):
        draw_crop(photo, by=dana, box=AREA, lesion=None)
    assert not DrawnCrop.objects.exists() and not Job.objects.filter(stage=Stage.REANALYSE).exists()


def test_nobody_draws_before_they_have_looked(alices_submission, analyse, dana):
    photo = alices_submission.photos.get()
    analyse(photo)
    reviews.claim(alices_submission, by=dana)
    with pytest.raises(NotOpenError):
        draw_crop(photo, by=dana, box=AREA, lesion=None)


def test_nothing_is_drawn_on_a_photo_that_the_ai_may_not_read_any_more(photo, alice, dana):
    consents.withdraw_consent(alice, Purpose.AI)
    with pytest.raises(IllegalMoveError):
        draw_crop(photo, by=dana, box=AREA, lesion=None)


@pytest.mark.parametrize(
    ("box", "lesion", "field"),
    [
        ({"x": 701}, None, "box"),
        ({"y": 501}, None, "box"),
        ({"width": 63}, None, "box"),
        ({"height": 2**31 - 1}, None, "box"),
        ({}, [SIZE - 1], "lesion"),
        ({}, [SIZE + 1], "lesion"),
        ({}, [], "lesion"),
        ({}, [0, 0, SIZE], "lesion"),
        ({}, [-1, SIZE + 1], "lesion"),
        ({}, [1.5, SIZE - 1.5], "lesion"),
        ({}, [1] * (RUNS_AT_MOST + 1), "lesion"),
        ({}, [True, SIZE - 1], "lesion"),
    ],
)
def test_what_lies_outside_the_photo_is_refused(photo, dana, box, lesion, field):
    area = dataclasses.replace(
        AREA, x=10, y=10, **{name: side for name, side in box.items() if name in {"width", "height"}}
    )
    area = dataclasses.replace(area, **box)
    if field == "box" and box.keys() & {"x", "y"}:
        area = dataclasses.replace(area, width=100, height=100)
    with pytest.raises(ValidationError) as refused:
        draw_crop(photo, by=dana, box=area, lesion=lesion)
    assert set(refused.value.message_dict) == {field}
    assert not DrawnCrop.objects.exists()


def test_a_photo_is_not_drawn_on_without_end(photo, dana):
    for number in range(DRAWN_CROPS_A_PHOTO):
        draw_crop(photo, by=dana, box=dataclasses.replace(AREA, x=number), lesion=None)
        record(photo, reanalysed(photo, dataclasses.replace(AREA, x=number)))
    with pytest.raises(IllegalMoveError):
        draw_crop(photo, by=dana, box=dataclasses.replace(AREA, x=99), lesion=None)


def test_the_web_changes_no_drawn_crop():
    assert rights.RIGHTS["cases_drawncrop"] == rights.RIGHTS["cases_drawncropfinding"] == "INSERT, DELETE"


# --- Sending and reading ----------------------------------------------------------------------------------
def test_the_worker_is_sent_what_was_drawn_last(photo, dana):
    draw(photo, dana)
    record(photo, reanalysed(photo))
    lesion = [0, 100, SIZE - 100]
    draw_crop(photo, by=dana, box=dataclasses.replace(AREA, x=30), lesion=lesion)
    request = dispatch._request(Job.objects.select_related("photo").get(stage=Stage.REANALYSE))
    assert request.drawn == Drawn(box=Rectangle(x=30, y=20, width=100, height=100), lesion=tuple(lesion))
    (sent,) = messages.unpack_requests(**messages.pack_requests([request]))
    assert sent == request and sum(pixels_of(lesion)) == 100


def test_other_stages_are_sent_as_the_version_before_reads_them(photo):
    request = dispatch._request(Job.objects.select_related("photo").get(stage=Stage.ANALYSE))
    (row,) = messages.pack_requests([request])["requests"]
    assert row.keys() == {"stage", "job", "attempt", "photo", "source", "prefix"}


def test_the_result_stands_beside_the_models_own_and_replaces_nothing(photo, dana):
    before = list(Analysis.objects.values()), list(Finding.objects.values())
    row = draw_crop(photo, by=dana, box=AREA, lesion=None)
    assert record(photo, reanalysed(photo))
    assert (list(Analysis.objects.values()), list(Finding.objects.values())) == before
    ((shown, state),) = drawn_crops_of(photo)
    assert (shown, state) == (row, DrawnCropState.DONE)
    assert shown.finding.outcome.segmented.boxes[0].lesion == 0.34
    assert shown.finding.outcome.classified.attribution is None


def test_an_alarm_on_a_drawn_crop_is_named_without_numbers_and_changes_no_urgency(photo, dana):
    before, said = urgency(), verdict_of(Submission.objects.get())
    assert before[0] < Urgency.SAME_DAY
    draw_crop(photo, by=dana, box=AREA, lesion=None)
    record(photo, reanalysed(photo, alarms=(HERPES_ALARM,), abstention=None))
    assert urgency() == before
    assert verdict_of(Submission.objects.get()) == said
    assert not photo.submission.events.filter(kind=EventKind.URGENCY_RAISED).exists()
    ((row, _state),) = drawn_crops_of(photo)
    verdict = verdict_on(row, row.finding.outcome)
    (alarm,) = verdict.alarms
    assert verdict.kind == VerdictKind.CANNOT_RULE_OUT and alarm.condition == Condition.HI
    assert (alarm.level, alarm.estimate, alarm.false_alarms) == (None, None, None)
    assert "own crops" in alarm.why_muted


@pytest.mark.parametrize(
    ("found", "kind", "reason"),
    [
        ({}, VerdictKind.INCONCLUSIVE, Abstention.UNCERTAIN),
        ({"abstention": Abstention.OUT_OF_SCOPE}, VerdictKind.INCONCLUSIVE, Abstention.OUT_OF_SCOPE),
        ({"no_box": NoCropReason.TOO_LITTLE_SKIN}, VerdictKind.INCONCLUSIVE, NO_CROP),
        ({"top": Condition.AD, "abstention": None}, VerdictKind.INCONCLUSIVE, "demonstration"),
        (
            {"alarms": (Alarm(condition=Condition.MF, score=0.5, threshold=0.2),), "abstention": None},
            VerdictKind.INCONCLUSIVE,
            UNPROVEN,
        ),
    ],
)
def test_the_verdict_on_a_drawn_crop_says_no_more_than_the_models_own_may(photo, dana, found, kind, reason):
    draw_crop(photo, by=dana, box=AREA, lesion=None)
    assert record(photo, reanalysed(photo, **found))
    ((row, _state),) = drawn_crops_of(photo)
    verdict = verdict_on(row, row.finding.outcome)
    assert (verdict.kind, verdict.reason) == (kind, reason) and verdict.sentence


def test_a_second_drawing_waits_for_the_first_and_both_results_stay(photo, dana):
    draw_crop(photo, by=dana, box=AREA, lesion=None)
    other = dataclasses.replace(AREA, x=200)
    with pytest.raises(IllegalMoveError):
        draw_crop(photo, by=dana, box=other, lesion=None)
    record(photo, reanalysed(photo))
    draw_crop(photo, by=dana, box=other, lesion=None)
    assert [state for _row, state in drawn_crops_of(photo)] == [DrawnCropState.WAITING, DrawnCropState.DONE]
    assert record(photo, reanalysed(photo, other))
    assert [state for _row, state in drawn_crops_of(photo)] == [DrawnCropState.DONE] * 2
    assert DrawnCropFinding.objects.count() == 2


# --- What goes wrong --------------------------------------------------------------------------------------
def test_a_failed_analysis_is_said_and_can_be_drawn_again(photo, dana):
    draw_crop(photo, by=dana, box=AREA, lesion=None)
    record(photo, messages.Failed(code="weights_refused"))
    ((_row, state),) = drawn_crops_of(photo)
    assert state == DrawnCropState.FAILED and job().error == "weights_refused"
    draw_crop(photo, by=dana, box=dataclasses.replace(AREA, x=11), lesion=None)
    assert job().error == "" and record(photo, reanalysed(photo, dataclasses.replace(AREA, x=11)))
    assert [state for _row, state in drawn_crops_of(photo)] == [DrawnCropState.DONE, DrawnCropState.FAILED]


def test_a_segmentation_without_a_classification_is_a_failure(photo, dana):
    draw_crop(photo, by=dana, box=AREA, lesion=None)
    found = dataclasses.replace(reanalysed(photo), classified=None, failure="not_classified")
    assert record(photo, found)
    assert job().state == JobState.FAILED and not DrawnCropFinding.objects.exists()


def test_a_late_or_second_result_changes_nothing(photo, dana):
    draw_crop(photo, by=dana, box=AREA, lesion=None)
    sent, attempt = send_for_test(photo, Stage.REANALYSE)
    found = dataclasses.replace(reanalysed(photo))
    mask = f"photos/{photo.pk}/reanalyse/{attempt}/mask.png"
    found = dataclasses.replace(found, segmented=dataclasses.replace(found.segmented, mask_key=mask))
    given = {"job": sent, "worker": "w", "outcome": found}
    assert not results.record(attempt=attempt - 1, **given)
    assert results.record(attempt=attempt, **given)
    assert not results.record(attempt=attempt, **given)
    assert DrawnCropFinding.objects.count() == 1


@pytest.mark.parametrize(
    ("state", "then"), [(JobState.SENT, JobState.QUEUED), (JobState.STARTED, JobState.QUARANTINED)]
)
def test_a_lost_message_is_sent_again_and_a_crash_is_quarantined(photo, dana, settings, adam, state, then):
    settings.JOB_DEATHS = 1
    draw_crop(photo, by=dana, box=AREA, lesion=None)
    send_for_test(photo, Stage.REANALYSE)
    before = urgency()
    Job.objects.filter(stage=Stage.REANALYSE).update(state=state, worker="w", deadline=timezone.now())
    assert recovery.expire() == 1
    assert job().state == then and urgency() == before
    if then == JobState.QUARANTINED:
        assert Job.objects.stopped().filter(stage=Stage.REANALYSE).exists()
        assert recovery.requeue(job(), by=adam)
        ((_row, shown),) = drawn_crops_of(photo)
        assert shown == DrawnCropState.WAITING


def test_a_withdrawn_consent_cancels_the_analysis(photo, alice, dana):
    draw_crop(photo, by=dana, box=AREA, lesion=None)
    sent, attempt = send_for_test(photo, Stage.REANALYSE)
    found = reanalysed(photo)
    consents.withdraw_consent(alice, Purpose.AI)
    assert job().state == JobState.CANCELLED
    assert not results.record(job=sent, attempt=attempt, worker="w", outcome=found)


def test_a_result_that_no_version_writes_counts_as_none(photo, dana):
    draw_crop(photo, by=dana, box=AREA, lesion=None)
    record(photo, reanalysed(photo))
    DrawnCropFinding.objects.update(result={"segmented": 1})
    ((row, _state),) = drawn_crops_of(photo)
    assert row.finding.outcome is None


# --- The record -------------------------------------------------------------------------------------------
def test_the_record_is_whole_and_its_mask_is_no_leftover(photo, dana, settings):
    draw_crop(photo, by=dana, box=AREA, lesion=None)
    record(photo, reanalysed(photo))
    assert list(invariants.jobs_that_are_done_have_left_their_result()) == []
    key = DrawnCropFinding.objects.get().mask_key
    settings.PHOTO_STORAGE.write(key, b"mask")
    settings.PHOTO_STORAGE.write(key.replace("mask", "attribution"), b"heat")
    assert [found for found in leftovers.leftovers(-1) if "reanalyse" in found] == [
        key.replace("mask", "attribution")
    ]
    DrawnCropFinding.objects.all().delete()
    assert list(invariants.jobs_that_are_done_have_left_their_result()) == [str(job().pk)]


def test_the_export_holds_what_was_drawn_and_nothing_that_the_ai_said(photo, alice, dana):
    draw_crop(photo, by=dana, box=AREA, lesion=[5, 100, SIZE - 105])
    record(photo, reanalysed(photo, alarms=(HERPES_ALARM,), abstention=None))
    (case,) = export.record_of(alice)["cases"]
    (drawn,) = case["submissions"][0]["photos"][0]["drawn_crops"]
    assert drawn == {
        "at": DrawnCrop.objects.get().at,
        "x": 10,
        "y": 20,
        "width": 100,
        "height": 100,
        "lesion": [5, 100, SIZE - 105],
    }
    assert "HI" not in str(drawn)


def test_an_erasure_takes_what_was_drawn(photo, alice, dana):
    draw_crop(photo, by=dana, box=AREA, lesion=None)
    record(photo, reanalysed(photo))
    erasure.erase_submissions(Submission.objects.filter(pk=photo.submission_id))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert not DrawnCrop.objects.exists() and not DrawnCropFinding.objects.exists()


def test_a_photo_that_is_erased_alone_takes_what_was_drawn(photo, dana):
    from teleder.privacy import belongings

    draw_crop(photo, by=dana, box=AREA, lesion=None)
    record(photo, reanalysed(photo))
    belongings.delete(belongings.OF_PHOTO, [photo.pk])
    assert not DrawnCrop.objects.exists()


def test_a_drawn_crop_is_late_for_nobody(photo, dana):
    draw_crop(photo, by=dana, box=AREA, lesion=None)
    Job.objects.filter(stage=Stage.REANALYSE).update(created_at=timezone.now() - timedelta(hours=1))
    before = urgency()
    record(photo, messages.Failed(code="file_missing"))
    assert urgency() == before
