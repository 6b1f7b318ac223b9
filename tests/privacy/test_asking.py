"""Alice requests erasure: she can cancel it, no open work is interrupted, and a legal hold takes precedence."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from teleder.accounts.models import User
from teleder.cases import reviews, withdrawal
from teleder.cases.models import Case, Photo, Review, Status, Submission
from teleder.privacy import erasure, holds, policy
from teleder.privacy.models import Erasure, Hold, Tombstone, Why
from tests.conftest import rewrite
from tests.privacy.conftest import request_erasure_and_wait

pytestmark = pytest.mark.django_db


def is_gone(person: User) -> bool:
    erasure.carry_out()
    return not User.objects.filter(pk=person.pk).exists()


def test_nothing_is_erased_before_the_date(alice):
    asked = erasure.ask(alice, why=Why.REQUEST)
    assert asked.due_at - asked.asked_at == timedelta(days=policy.retention_policy().cooling_off_days)
    assert not is_gone(alice)


def test_a_second_request_does_not_move_the_date(alice):
    first = erasure.ask(alice, why=Why.REQUEST)
    assert erasure.ask(alice, why=Why.LETTER).due_at == first.due_at


def test_a_request_by_alice_replaces_one_by_the_clinic(alice, adam):
    noted = erasure.ask(alice, why=Why.LETTER, by=adam)
    own = erasure.ask(alice, why=Why.REQUEST)
    assert (own.why, own.by_admin, own.due_at) == (Why.REQUEST, None, noted.due_at)
    with pytest.raises(ValidationError):
        erasure.cancel_erasure(alice)


def test_a_cancelled_request_erases_nothing(alice):
    request_erasure_and_wait(alice)
    assert erasure.take_back(alice)
    assert not erasure.take_back(alice)
    assert not is_gone(alice)


def test_staff_are_not_erased(dana):
    with pytest.raises(ValidationError):
        erasure.ask(dana, why=Why.REQUEST)


def test_alice_gets_one_mail_without_health_data(alice, mailoutbox):
    alice.language = "ja"
    alice.save()
    erasure.ask(alice, why=Why.REQUEST)
    assert (erasure.notify_people(), erasure.notify_people()) == (1, 0)
    (mail,) = mailoutbox
    assert mail.to == [alice.email]
    assert mail.subject == "teleder のアカウントを消します"
    assert "より後に消します" in mail.body
    assert "/settings/data/" in mail.body


def test_an_unavailable_mail_server_is_tried_again(alice, monkeypatch, mailoutbox):
    erasure.ask(alice, why=Why.REQUEST)
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "send_mail", lambda *_: 1 / 0)
        assert erasure.notify_people() == 0
    assert erasure.notify_people() == len(mailoutbox) == 1


# --- A case that is open ----------------------------------------------------------------------------------
def test_a_case_in_review_is_not_erased(alice, dana, submission_of):
    submission = submission_of(alice, fever="yes", grouped_blisters="yes")
    reviews.claim(submission, by=dana)
    request_erasure_and_wait(alice)
    long_ago = Now() - timedelta(days=policy.retention_policy().open_case_days + 1)
    Erasure.objects.update(due_at=long_ago)
    assert not is_gone(alice)
    reviews.sign(submission, by=dana, impression="HI", disposition="today", text="Please come today.")
    assert not is_gone(alice), "the answer would be erased before alice could read it"
    assert "You can read it for 3 days" in erasure.waits_for(alice)[0]
    rewrite(
        Review.objects, signed_at=Now() - timedelta(days=policy.retention_policy().answer_days, seconds=1)
    )
    assert is_gone(alice)


def test_an_unanswered_case_delays_the_erasure_for_a_limited_time(alice, submission_of):
    submission_of(alice)
    request_erasure_and_wait(alice)
    assert not is_gone(alice)
    assert "answers it first" in erasure.waits_for(alice)[0]
    Erasure.objects.update(due_at=Now() - timedelta(days=policy.retention_policy().open_case_days, seconds=1))
    assert is_gone(alice)


def test_a_withdrawn_case_does_not_delay_the_erasure(alice, submission_of):
    submission = submission_of(alice)
    request_erasure_and_wait(alice)
    withdrawal.withdraw(submission, by=alice)
    assert erasure.waits_for(alice) == []
    assert is_gone(alice)


def test_a_clinic_can_let_the_duty_to_keep_records_take_precedence(alice, dana, submission_of, monkeypatch):
    submission = submission_of(alice)
    reviews.claim(submission, by=dana)
    reviews.sign(submission, by=dana, impression="AD", disposition="today", text="Please come.")
    request_erasure_and_wait(alice)
    from dataclasses import replace

    strict = replace(policy.retention_policy(), record_duty_first=True)
    monkeypatch.setattr(erasure, "retention_policy", lambda: strict)
    assert not is_gone(alice)
    assert "keep medical records" in erasure.waits_for(alice)[0]
    rewrite(Review.objects, signed_at=Now() - strict.purposes["medical_record"].age - timedelta(days=1))
    assert is_gone(alice)


# --- Legal hold -------------------------------------------------------------------------------------------
@pytest.fixture
def held(alice, adam, submission_of) -> User:
    submission_of(alice)
    Submission.objects.update(status=Status.ANSWERED)
    request_erasure_and_wait(alice)
    holds.set_hold(alice, reason="court, file 7", by=adam)
    return alice


def test_a_legal_hold_stops_an_erasure_until_it_is_lifted(held, adam):
    assert not is_gone(held)
    assert erasure.waits_for(held) == [
        "For now, the law requires the clinic to keep your data. It will be deleted when that time is over."
    ]
    assert holds.lift_hold(held, by=adam)
    assert not holds.lift_hold(held, by=adam)
    assert is_gone(held)
    assert not Hold.objects.exists()


def test_the_database_refuses_even_if_the_check_is_skipped(held, monkeypatch):
    monkeypatch.setattr(holds, "held", lambda: Hold.objects.none().values("person"))
    assert erasure.ready().exists()
    with pytest.raises(IntegrityError, match="under legal hold"), transaction.atomic():
        erasure.carry_out()
    assert not Tombstone.objects.exists()


@pytest.mark.parametrize("model", [User, Case, Submission, Photo, Hold], ids=lambda model: model.__name__)
def test_the_database_deletes_no_row_of_somebody_under_hold(held, bob, model):
    own = model.objects.exclude(pk=bob.pk) if model is not User else User.objects.filter(pk=held.pk)
    with pytest.raises(IntegrityError, match="under legal hold"), transaction.atomic():
        own._raw_delete("default")


def test_a_hold_needs_a_reason_and_is_set_once(alice, dana, adam):
    with pytest.raises(ValidationError):
        holds.set_hold(alice, reason=" ", by=adam)
    with pytest.raises(ValidationError):
        holds.set_hold(dana, reason="court", by=adam)
    assert holds.set_hold(alice, reason="court", by=adam) == holds.set_hold(alice, reason="other", by=adam)
