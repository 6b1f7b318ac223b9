"""Answers are stored one at a time, may be corrected until the draft is sent, and what they were before stays."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from teleder.accounts.models import Purpose
from teleder.accounts.people import end_consent
from teleder.cases import answers, intake, withdrawal
from teleder.cases.models import Case, Status, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import IllegalMoveError
from teleder.cases.triage import Urgency
from tests.conftest import CALM

pytestmark = pytest.mark.django_db


def opened(patient, question="very_ill", value="no", **more):
    return answers.open_with_answer(patient=patient, question=question, value=value, **more)


def codes(submission) -> list[str]:
    return [flag["code"] for flag in submission.flags]


def test_the_first_answer_opens_a_draft_with_its_urgency(alice):
    draft = opened(alice, value="yes")
    draft.refresh_from_db()
    assert (draft.status, draft.answers, draft.urgency) == (
        Status.DRAFT,
        {"very_ill": "yes"},
        Urgency.EMERGENCY,
    )
    assert [event.kind for event in draft.events.all()] == ["opened"]


def test_each_further_answer_is_stored_and_counts_at_once(alice):
    draft = opened(alice)
    for question, value, level in (("fever", "yes", 3), ("weak_immunity", "yes", 4)):
        draft = answers.record_answer(draft, question=question, value=value)
        draft.refresh_from_db()
        assert draft.rule_urgency == draft.urgency == level
    assert draft.answers == {"very_ill": "no", "fever": "yes", "weak_immunity": "yes"}
    assert draft.unanswered()[:3] == [2, 3, 4]


@pytest.mark.parametrize(
    ("question", "value"), [("moon", "yes"), ("fever", "perhaps"), ("fever", None), ("fever", ["yes"])]
)
def test_an_unknown_question_or_answer_is_refused_and_opens_nothing(alice, question, value):
    with pytest.raises(ValidationError):
        opened(alice, question, value)
    assert not Submission.objects.exists() and not Case.objects.exists()


def test_without_consent_nothing_is_opened(alice):
    end_consent(alice, Purpose.CARE)
    with pytest.raises(RefusedError, match="agree"):
        opened(alice)


def test_starting_again_continues_the_unsent_draft(alice, bob):
    draft = opened(alice, key="one")
    assert opened(alice, value="unsure", key="two") == draft
    draft.refresh_from_db()
    assert draft.answers == {"very_ill": "unsure"}
    assert opened(bob) != draft


def test_another_draft_is_opened_once_and_only_on_request(alice):
    first = opened(alice)
    second = opened(alice, another=True, key="k")
    assert opened(alice, value="yes", another=True, key="k") == second != first
    first.refresh_from_db()
    assert first.answers == {"very_ill": "no"} and Submission.objects.count() == 2


def test_a_follow_up_has_one_draft_of_its_own(alice, alices_submission):
    case = alices_submission.case
    draft = opened(alice, case=case)
    assert draft.kind == "follow_up" and draft.case == case
    assert opened(alice, case=case) == draft
    assert opened(alice) not in (draft, alices_submission)


@pytest.mark.django_db(transaction=True)
def test_two_first_answers_at_once_open_one_draft(alice, monkeypatch):
    both_have_looked, look = threading.Barrier(2), answers.drafts_of

    def look_and_wait(*args):
        found = look(*args)
        with suppress(threading.BrokenBarrierError):  # the second one is held back until the first is done
            both_have_looked.wait(1)
        return found

    monkeypatch.setattr(answers, "drafts_of", look_and_wait)

    def answer(value: str) -> None:
        try:
            opened(alice, value=value)
        finally:
            connection.close()

    both = [threading.Thread(target=answer, args=[value]) for value in ("no", "yes")]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert Submission.objects.count() == 1


def test_a_draft_with_a_missing_answer_cannot_be_sent(alice, alices_draft):
    Submission.objects.filter(pk=alices_draft.pk).update(
        answers={key: value for key, value in CALM.items() if key != "fever"}
    )
    with pytest.raises(RefusedError, match="all the questions") as refusal:
        intake.submit(alices_draft, by=alice)
    assert refusal.value.code == "answers_missing"
    answers.record_answer(alices_draft, question="fever", value="no")
    assert intake.submit(alices_draft, by=alice).status == Status.SUBMITTED


def test_a_sent_answer_cannot_be_changed(alices_submission):
    with pytest.raises(IllegalMoveError, match="already sent"):
        answers.record_answer(alices_submission, question="fever", value="yes")


# --- Corrections ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("steps", "level", "is_flagged"),
    [
        ([("very_ill", "yes"), ("very_ill", "no")], Urgency.DAYS_2, True),
        ([("fever", "yes"), ("fever", "no")], Urgency.DAYS_2, True),
        ([("fever", "yes"), ("fever", "unsure")], Urgency.DAYS_2, True),
        ([("spreading", "severe"), ("spreading", "yes")], Urgency.SAME_DAY, False),
        ([("very_ill", "yes"), ("fever", "yes"), ("very_ill", "no")], Urgency.SAME_DAY, False),
        ([("fever", "yes"), ("very_ill", "yes"), ("very_ill", "no"), ("fever", "no")], Urgency.DAYS_2, True),
        ([("fever", "unsure"), ("fever", "no")], Urgency.ROUTINE, False),
        ([("cold_sore", "yes"), ("cold_sore", "no")], Urgency.ROUTINE, False),
        ([("crusts", "yes"), ("weak_immunity", "yes"), ("weak_immunity", "no")], Urgency.DAYS_2, True),
        ([("fever", "yes"), ("fever", "no"), ("fever", "yes")], Urgency.SAME_DAY, False),
        ([("fever", "yes"), ("fever", "no"), ("fever", "unsure"), ("fever", "no")], Urgency.DAYS_2, True),
    ],
)
def test_leaving_emergency_or_same_day_by_a_correction_keeps_two_days(alice, steps, level, is_flagged):
    draft = intake.start(patient=alice, answers=CALM)
    for question, value in steps:
        draft = answers.record_answer(draft, question=question, value=value)
    draft.refresh_from_db()
    assert draft.rule_urgency == draft.urgency == level
    assert ("corrected" in codes(draft)) == is_flagged


def test_a_corrected_answer_stays_recorded_with_its_time(alice):
    began = timezone.now()
    draft = opened(alice, value="yes")
    for value in ("no", "yes", "no", "unsure", "no"):
        draft = answers.record_answer(draft, question="very_ill", value=value)
    draft.refresh_from_db()
    changes = draft.answer_changes
    assert [(row["question"], row["was"], row["level"]) for row in changes] == [
        ("very_ill", "yes", 4),
        ("very_ill", "unsure", 2),
    ]
    assert all(began.isoformat() <= row["until"] <= timezone.now().isoformat() for row in changes)


def test_the_same_answer_again_and_a_no_that_became_yes_record_nothing(alice):
    draft = opened(alice)
    for value in ("no", "yes", "yes"):
        draft = answers.record_answer(draft, question="very_ill", value=value)
    assert draft.answer_changes == []


def test_a_corrected_case_stays_within_two_days_after_the_ai_has_read_it(alice, alices_draft, analyse):
    for value in ("yes", "no"):
        answers.record_answer(alices_draft, question="fever", value=value)
    submission = intake.submit(alices_draft, by=alice)
    analyse(submission.photos.get())
    submission.refresh_from_db()
    assert submission.urgency == Urgency.DAYS_2 and codes(submission) == ["corrected"]


def test_a_correction_does_not_lower_what_the_ai_raised(alice, alices_submission, analyse):
    analyse(alices_submission.photos.get(), probabilities={"AD": 0.05, "HI": 0.9, "OTHER": 0.05})
    withdrawal.withdraw(alices_submission, by=alice)
    withdrawal.restore(alices_submission, by=alice)
    alices_submission.refresh_from_db()
    assert alices_submission.urgency == Urgency.SAME_DAY
    for value in ("unsure", "no"):
        draft = answers.record_answer(alices_submission, question="fever", value=value)
    draft.refresh_from_db()
    assert (draft.rule_urgency, draft.urgency) == (Urgency.ROUTINE, Urgency.SAME_DAY)
    assert "HI" in codes(draft)
