"""One routine case in 20 is due within a working day, and what such cases hid is counted."""

from __future__ import annotations

import uuid

import pytest

from teleder.cases import intake, reviews, spot_checks, triage
from teleder.cases.models import Submission
from tests.conftest import CALM

pytestmark = pytest.mark.django_db
POLICY = triage.policy()
DRAW = triage.is_drawn_for_spot_check  # before the fixture of all tests holds it


def test_about_one_in_twenty_is_drawn_and_always_the_same_ones():
    ids = [uuid.UUID(int=number) for number in range(4000)]
    drawn = [DRAW(id, POLICY.spot_check_one_in) for id in ids]
    assert 150 < sum(drawn) < 250  # 200 to be expected, 4 standard deviations are 55
    assert drawn == [DRAW(id, POLICY.spot_check_one_in) for id in ids]
    assert not any(DRAW(id, 0) for id in ids)


def test_who_does_not_know_the_secret_cannot_foresee_the_draw(settings):
    ids = [uuid.UUID(int=number) for number in range(400)]
    before = [DRAW(id, 2) for id in ids]
    settings.SECRET_KEY = "another"
    assert [DRAW(id, 2) for id in ids] != before


def test_a_drawn_routine_case_is_due_within_a_working_day(alice, submission_of, spot_check_draw):
    spot_check_draw["is_drawn"] = True
    submission = submission_of(alice)
    assert submission.spot_check
    assert submission.due_at == POLICY.spot_check_due(submission.submitted_at)
    assert submission.due_at < POLICY.due(submission.level, submission.submitted_at)


def test_a_case_that_is_not_routine_is_never_drawn(alice, submission_of, spot_check_draw):
    spot_check_draw["is_drawn"] = True
    submission = submission_of(alice, fever="yes")
    assert not submission.spot_check
    assert submission.due_at == POLICY.due(submission.level, submission.submitted_at)


def test_a_case_that_is_not_drawn_keeps_its_due_time(alices_submission):
    assert not alices_submission.spot_check
    due = POLICY.due(alices_submission.level, alices_submission.submitted_at)
    assert alices_submission.due_at == due


def test_a_submission_of_the_former_policy_is_never_drawn(alice, draft_of, monkeypatch):
    monkeypatch.setattr(triage, "is_drawn_for_spot_check", DRAW)
    draft = draft_of(alice)
    Submission.objects.update(policy="2026-11-23")
    assert not intake.submit(draft, by=alice).spot_check


def answer(submission, by, disposition: str) -> None:
    reviews.claim(submission, by=by)
    reviews.sign(submission, by=by, impression="AD", disposition=disposition, text="Seen.")


def test_the_miss_rate_counts_what_a_dermatologist_found_more_urgent(
    alice, dana, nora, submission_of, spot_check_draw
):
    assert spot_checks.results(dana) == spot_checks.SpotChecks(waiting=0, missed=spot_checks.Share(of=0, n=0))
    spot_check_draw["is_drawn"] = True
    hidden, usual, waiting = (submission_of(alice) for _ in range(3))
    spot_check_draw["is_drawn"] = False
    answer(hidden, dana, "today")
    answer(usual, dana, "self_care")
    answer(submission_of(alice), dana, "emergency")  # not drawn: it does not count
    found = spot_checks.results(dana)
    assert (found.waiting, found.missed.of, found.missed.n) == (1, 1, 2)
    assert waiting.spot_check
    assert spot_checks.results(nora).missed.n == 0  # another clinic's


def test_a_drawn_case_that_the_ai_raised_is_no_routine_case(
    alice, dana, submission_of, analyse, spot_check_draw
):
    spot_check_draw["is_drawn"] = True
    raised = submission_of(alice)
    analyse(raised.photos.get(), probabilities={"AD": 0.6, "HI": 0.3, "IM": 0.05, "MF": 0.01, "OTHER": 0.04})
    answer(raised, dana, "emergency")
    assert spot_checks.results(dana).missed.n == 0


def test_no_case_is_drawn_before_it_is_sent(alice):
    assert not intake.start(patient=alice, answers=CALM).spot_check
