"""Dana puts a case off: it comes back by itself, and its due time stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from teleder.cases import held, intake, reviews, snoozing
from teleder.cases.models import EventKind, SnoozeFor, Status, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import IllegalMoveError
from teleder.cases.triage import Urgency

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "It looks like a flare of your eczema."}
NOON = "2026-12-01T12:00:00+09:00"  # a Tuesday


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as moved:
        yield moved


@pytest.fixture
def calm(clock, alices_submission) -> Submission:
    """A routine case that is due in two days."""
    due = timezone.now() + timedelta(days=2)
    Submission.objects.filter(pk=alices_submission.pk).update(due_at=due)
    alices_submission.refresh_from_db()
    return alices_submission


@pytest.fixture
def erik(person):
    return person("erik", "dermatologist")


def listed() -> list[Submission]:
    return list(Submission.objects.worklist().awake())


def put_off(submission, by, length="hour") -> None:
    snoozing.snooze(submission, by=by, length=length, reason="phoning")


def test_it_is_off_the_list_for_an_hour_and_then_on_it_again(calm, dana, clock):
    due = calm.due_at
    put_off(calm, dana)
    assert listed() == [] and list(Submission.objects.snoozed()) == [calm]
    clock.shift(timedelta(minutes=59))
    assert listed() == []
    clock.shift(timedelta(minutes=1))
    assert listed() == [calm] and not Submission.objects.snoozed().exists()
    calm.refresh_from_db()
    assert (calm.due_at, calm.status) == (due, Status.SUBMITTED)


def test_the_history_says_who_how_long_and_why(calm, dana):
    put_off(calm, dana, "tomorrow")
    event = calm.events.get(kind=EventKind.SNOOZED)
    assert event.actor == dana
    assert event.detail == {"until": "2026-12-02T09:00:00+09:00", "for": "tomorrow", "reason": "phoning"}


@pytest.mark.parametrize(
    ("length", "until"),
    [
        ("hour", "2026-12-01T13:00:00+09:00"),
        ("afternoon", "2026-12-01T15:00:00+09:00"),
        ("tomorrow", "2026-12-02T09:00:00+09:00"),
        ("photos", "2026-12-03T11:00:00+09:00"),  # an hour before it is due
    ],
)
def test_each_length_ends_when_it_says(calm, dana, length, until):
    put_off(calm, dana, length)
    assert timezone.localtime(calm.snoozed_until).isoformat() == until


def test_it_is_never_put_off_past_its_due_time(calm, dana):
    Submission.objects.filter(pk=calm.pk).update(due_at=timezone.now() + timedelta(minutes=59))
    calm.refresh_from_db()
    assert [snoozing.until_of(length, calm) for length in SnoozeFor] == [None] * 4
    for length in SnoozeFor:
        with pytest.raises(RefusedError, match="due before"):
            put_off(calm, dana, length)
    assert listed() == [calm]


def test_after_three_the_afternoon_is_over(calm, clock):
    clock.shift(timedelta(hours=3))
    assert snoozing.until_of("afternoon", calm) is None


@pytest.mark.parametrize("level", [Urgency.SAME_DAY, Urgency.EMERGENCY])
def test_an_urgent_case_is_not_put_off(calm, dana, level):
    Submission.objects.filter(pk=calm.pk).update(urgency=level)
    with pytest.raises(RefusedError, match="same-day"):
        put_off(calm, dana)
    assert listed() == [calm]


def test_one_that_becomes_urgent_is_back_at_once(calm, dana):
    put_off(calm, dana, "tomorrow")
    Submission.objects.filter(pk=calm.pk).update(urgency=Urgency.SAME_DAY)
    assert listed() == [calm] and not Submission.objects.snoozed().exists()


def test_a_photo_of_the_patient_brings_it_back(calm, dana, alice, photo_file):
    put_off(calm, dana, "photos")
    intake.add_photo(calm, view="close_up", upload=photo_file("another.jpg"))
    assert listed() == [calm]
    assert calm.events.filter(kind=EventKind.SNOOZE_ENDED, actor=None).count() == 1


def test_something_else_that_the_patient_sends_brings_it_back(calm, dana, alice, submission_of):
    put_off(calm, dana, "tomorrow")
    other = submission_of(alice)
    assert set(listed()) == {calm, other}


def test_ones_own_claim_ends_with_it_and_a_colleagues_stays(calm, dana, erik):
    reviews.claim(calm, by=dana)
    with pytest.raises(IllegalMoveError):
        put_off(calm, erik)
    put_off(calm, dana)
    assert (calm.status, calm.claimed_by) == (Status.SUBMITTED, None)


def test_an_answer_that_waits_to_be_sent_is_not_put_off(calm, dana, settings):
    settings.HOLD_SECONDS = 60
    reviews.claim(calm, by=dana)
    reviews.sign(calm, by=dana, **ANSWER)
    with pytest.raises(IllegalMoveError):
        put_off(calm, dana)
    assert held.held_by(dana)


def test_a_claim_ends_it_and_what_is_released_is_on_the_list(calm, dana, erik):
    put_off(calm, dana, "tomorrow")
    reviews.claim(calm, by=erik)
    assert calm.snoozed_until is None and calm.snooze_reason == ""
    reviews.release(calm, by=erik)
    assert listed() == [calm]


def test_dana_puts_it_back_before_its_time_once(calm, dana):
    put_off(calm, dana, "tomorrow")
    snoozing.end_snooze(calm, by=dana)
    assert listed() == [calm]
    with pytest.raises(IllegalMoveError):
        snoozing.end_snooze(calm, by=dana)


def test_of_several_one_that_is_refused_does_not_hold_the_others_back(calm, dana, alice, submission_of):
    urgent = submission_of(alice, fever="yes", grouped_blisters="yes")
    outcome = snoozing.snooze_each([urgent, calm], by=dana, length="hour", reason="time")
    assert outcome.snoozed == 1
    assert [(row, "same-day" in why) for row, why in outcome.refused] == [(urgent, True)]
    assert listed() == [urgent]
