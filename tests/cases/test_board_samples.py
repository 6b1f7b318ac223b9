"""The figures of the board are kept every five minutes for two days, clinic by clinic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db.models import F
from django.utils import timezone

from contract.messages import Stage
from teleder.accounts.models import Clinic
from teleder.cases import board_samples, reviews
from teleder.cases.intervals import Share
from teleder.cases.models import BoardSample, Job, JobState, Submission

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "It looks like a flare of your eczema."}
NOON = datetime(2026, 12, 1, 12, 3, 20, tzinfo=UTC)


def test_a_sample_holds_what_waits_and_what_is_overdue_in_each_clinic(alice, submission_of, north):
    first, _second = submission_of(alice), submission_of(alice)
    now = timezone.now()
    Submission.objects.filter(pk=first.pk).update(
        due_at=now - timedelta(hours=1), submitted_at=now - timedelta(hours=5)
    )
    assert board_samples.take() == Clinic.objects.count() == 2
    mine, theirs = BoardSample.objects.get(clinic=alice.clinic), BoardSample.objects.get(clinic=north)
    assert (mine.waiting, mine.overdue, mine.oldest_seconds // 3600) == (2, 1, 5)
    assert (theirs.waiting, theirs.overdue, theirs.oldest_seconds) == (0, 0, 0)


def test_one_sample_is_kept_for_five_minutes_and_none_for_longer_than_two_days(db):
    clinics = Clinic.objects.count()
    with time_machine.travel(NOON, tick=False) as clock:
        assert board_samples.take() == clinics
        clock.shift(100)  # 12:05
        assert board_samples.take() == clinics
        clock.shift(60)
        assert board_samples.take() == 0
        assert set(BoardSample.objects.values_list("at", flat=True)) == {
            datetime(2026, 12, 1, 12, 0, tzinfo=UTC),
            datetime(2026, 12, 1, 12, 5, tzinfo=UTC),
        }
        clock.shift(2 * 24 * 3600)
        assert board_samples.take() == clinics
        assert BoardSample.objects.count() == clinics


def test_answers_count_as_on_time_by_their_first_signature(adam, alice, dana, submission_of):
    for hours in (-1, 1, 2):
        made = submission_of(alice)
        reviews.claim(made, by=dana)
        reviews.sign(made, by=dana, **ANSWER)
        reviews.amend(made, by=dana, **ANSWER | {"reason": "A word was missing."})
        Submission.objects.filter(pk=made.pk).update(due_at=timezone.now() + timedelta(hours=hours))
    assert board_samples.answered_on_time(adam, timezone.now()) == Share(of=2, n=3)
    assert board_samples.answered_on_time(adam, timezone.now() + timedelta(hours=25)) == Share(of=0, n=0)


def test_a_photo_that_waits_counts_as_long_as_it_has_waited(adam, alices_submission):
    assert board_samples.photo_seconds(adam, timezone.now()) < 60
    Job.objects.update(created_at=timezone.now() - timedelta(minutes=7))
    assert 419 < board_samples.photo_seconds(adam, timezone.now()) < 425


def test_of_photos_that_can_be_seen_the_time_from_sending_counts(adam, noel, alices_submission):
    jobs = Job.objects.filter(stage=Stage.PREPARE)
    jobs.update(state=JobState.DONE, finished_at=timezone.now(), created_at=timezone.now())
    jobs.update(created_at=F("finished_at") - timedelta(seconds=12))
    assert board_samples.photo_seconds(adam, timezone.now()) == pytest.approx(12)
    assert board_samples.photo_seconds(noel, timezone.now()) is None


def test_a_superuser_sees_all_clinics_together_and_an_admin_their_own(adam, sue, north):
    row = {"oldest_seconds": 5, "photo_seconds": 3.0, "photos": 4, "abstained": 1}
    at = timezone.now() - timedelta(minutes=10)
    for clinic, n in ((adam.clinic, 1), (north, 2)):
        BoardSample.objects.create(clinic=clinic, at=at, waiting=n, overdue=n, answered=n, on_time=n, **row)
    (moment,) = board_samples.of_the_day(adam, timezone.now())
    assert (moment.waiting, moment.answered, moment.abstained) == (1, Share(of=1, n=1), Share(of=1, n=4))
    (moment,) = board_samples.of_the_day(sue, timezone.now())
    assert (moment.waiting, moment.overdue, moment.abstained) == (3, 3, Share(of=2, n=8))


def test_samples_are_for_admins(dana, alice, north):
    board_samples.take()
    for person in (dana, alice):
        assert not BoardSample.objects.visible_to(person).exists()
