"""An admin hands several cases on at once, and takes that back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from teleder.cases import reassigning, reviews
from teleder.cases.models import Event, EventKind, Status, Submission
from tests.conftest import rewrite

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "It looks like a flare of your eczema."}


@pytest.fixture
def erik(person):
    return person("erik", "dermatologist")


@pytest.fixture
def three(alice, dana, submission_of) -> list[Submission]:
    """Nobody holds the first two; dana reads the third."""
    rows = [submission_of(alice) for _ in range(3)]
    reviews.claim(rows[2], by=dana)
    return rows


def holders() -> list:
    return [row.claimed_by for row in Submission.objects.order_by("created_at")]


def test_all_go_to_erik_with_both_names_and_the_reason_and_their_due_times_stay(three, erik, dana, adam):
    due = list(Submission.objects.order_by("pk").values_list("due_at", flat=True))
    outcome = reassigning.hand_on(three, to=erik, by=adam, reason="Dana is ill")
    assert holders() == [erik] * 3 and outcome.refused == []
    assert list(Submission.objects.order_by("pk").values_list("due_at", flat=True)) == due
    steps = [Event.objects.get(pk=pk) for pk in outcome.events]
    assert {step.actor for step in steps} == {adam}
    assert [step.detail for step in steps] == [
        {"to": str(erik.pk), "from": before, "reason": "Dana is ill"} for before in ("", "", str(dana.pk))
    ]


def test_undo_gives_each_back_to_whom_it_was_taken_from(three, erik, dana, adam):
    outcome = reassigning.hand_on(three, to=erik, by=adam)
    assert reassigning.undo_reassign(outcome.events, by=adam) == 3
    assert holders() == [None, None, dana]
    assert {row.status for row in Submission.objects.all()} == {Status.SUBMITTED, Status.IN_REVIEW}
    assert three[0].events.last().kind == EventKind.RELEASED


def test_cases_go_back_to_the_worklist_and_undo_gives_them_to_dana_again(three, dana, adam):
    outcome = reassigning.hand_on(three, to=None, by=adam, reason="Off duty")
    assert holders() == [None] * 3 and len(outcome.events) == 1  # two were free already
    assert reassigning.undo_reassign(outcome.events, by=adam) == 1
    assert holders() == [None, None, dana]


def test_undo_leaves_what_was_answered_or_taken_since(three, erik, dana, adam):
    outcome = reassigning.hand_on(three, to=erik, by=adam)
    first, second, third = (Submission.objects.get(pk=row.pk) for row in three)
    reviews.sign(first, by=erik, **ANSWER)
    reviews.release(second, by=erik)
    assert reassigning.undo_reassign(outcome.events, by=adam) == 1
    assert holders() == [None, None, dana]
    first.refresh_from_db()
    assert first.status == Status.ANSWERED


def test_undo_is_for_the_admin_who_did_it_once_and_soon(three, erik, adam, sue):
    outcome = reassigning.hand_on(three[:2], to=erik, by=adam)
    assert reassigning.undo_reassign(outcome.events, by=sue) == 0
    old = timezone.now() - timedelta(minutes=reassigning.UNDO_MINUTES, seconds=1)
    rewrite(Event.objects.filter(pk=outcome.events[0]), at=old)
    assert reassigning.undo_reassign(outcome.events, by=adam) == 1
    assert reassigning.undo_reassign(outcome.events, by=adam) == 0
    assert holders()[:2] == [erik, None]


def test_undo_does_not_give_a_case_to_who_may_no_longer_log_in(three, erik, dana, adam):
    outcome = reassigning.hand_on(three[2:], to=erik, by=adam)
    type(dana).objects.filter(pk=dana.pk).update(is_active=False)
    assert reassigning.undo_reassign(outcome.events, by=adam) == 0
    assert holders()[2] == erik


def test_one_that_has_moved_on_does_not_hold_the_others_back(three, erik, dana, adam):
    stale = [Submission.objects.get(pk=row.pk) for row in three]
    reviews.sign(three[2], by=dana, **ANSWER)
    outcome = reassigning.hand_on(stale, to=erik, by=adam)
    assert (len(outcome.events), outcome.refused) == (2, [stale[2]])


def test_a_case_of_another_clinic_is_left(three, nora, sue):
    outcome = reassigning.hand_on(three, to=nora, by=sue)
    assert (outcome.events, len(outcome.refused)) == ([], 3)
