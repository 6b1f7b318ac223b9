"""On the day for new photos their patient is reminded: once, in the morning where they are, and not without need."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import ValidationError

from teleder.accounts.models import Purpose, User
from teleder.accounts.people import end_consent
from teleder.cases import intake, reviews
from teleder.cases.models import EventKind
from teleder.cases.plan import Plan
from teleder.notifications import outbox, reminders
from teleder.notifications.models import Message
from teleder.privacy import erasure
from teleder.privacy.models import Why

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "Go on with the moisturiser."}
SIGNED = datetime(2026, 11, 30, 3, tzinfo=UTC)  # noon in Tokyo
DAY = date(2026, 12, 14)
MORNING = datetime(2026, 12, 13, 23, 30, tzinfo=UTC)  # 08:30 in Tokyo


@pytest.fixture
def answered(submission_of, alice, dana):
    with time_machine.travel(SIGNED, tick=False):
        submission = submission_of(alice)
        reviews.claim(submission, by=dana)
        reviews.sign(submission, by=dana, plan=Plan(next_photo_on=DAY), **ANSWER)
        outbox.queue_messages()
        outbox.deliver()
    mail.outbox.clear()
    return submission


def remind(moment: datetime) -> int:
    with time_machine.travel(moment, tick=False):
        found = reminders.remind()
        outbox.queue_messages()
        outbox.deliver()
    return found


def test_alice_is_reminded_once_in_the_morning_of_that_day(answered, alice):
    assert remind(MORNING - timedelta(hours=1)) == 0
    assert [remind(MORNING), remind(MORNING), remind(MORNING + timedelta(hours=20))] == [1, 0, 0]
    assert [message.subject for message in mail.outbox] == ["Today is the day for new photos"]
    assert "Today is the day for new photos" in [row.title for row in Message.objects.inbox_of(alice)]


def test_the_reminder_says_nothing_about_health(answered):
    remind(MORNING)
    text = (mail.outbox[0].subject + mail.outbox[0].body).lower()
    assert not any(word in text for word in ("eczema", "skin", "rash", "elbow", "moisturiser", "dermatolog"))


def test_in_new_york_the_morning_comes_later(answered, alice):
    alice.time_zone = "America/New_York"
    alice.save()
    assert remind(MORNING) == 0
    assert remind(datetime(2026, 12, 14, 12, 59, tzinfo=UTC)) == 0
    assert remind(datetime(2026, 12, 14, 13, 1, tzinfo=UTC)) == 1


def test_who_sent_newer_photos_is_not_reminded(answered, alice, photo_file):
    with time_machine.travel(SIGNED + timedelta(days=3), tick=False):
        follow_up = intake.start(patient=alice, answers=answered.answers, case=answered.case)
        intake.describe(follow_up, history={"itch": 3})
        intake.add_photo(follow_up, view="close_up", upload=photo_file())
        assert remind(MORNING - timedelta(days=10)) == 0
        intake.submit(follow_up, by=alice, missing_photo="other")
    assert remind(MORNING) == 0


def test_an_unsent_draft_does_not_stop_the_reminder(answered, alice):
    with time_machine.travel(SIGNED + timedelta(days=3), tick=False):
        intake.start(patient=alice, answers=answered.answers, case=answered.case)
    assert remind(MORNING) == 1


def test_who_withdrew_the_consent_or_asked_for_erasure_or_may_not_log_in_is_not_reminded(answered, alice):
    end_consent(alice, Purpose.CARE)
    assert remind(MORNING) == 0
    alice.consents.update(withdrawn_at=None)
    erasure.ask(alice, why=Why.REQUEST)
    assert remind(MORNING) == 0
    erasure.take_back(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert remind(MORNING) == 0
    User.objects.filter(pk=alice.pk).update(is_active=True)
    assert remind(MORNING) == 1


def test_a_correction_moves_the_day_and_a_reopened_case_has_none(answered, dana):
    with time_machine.travel(SIGNED + timedelta(days=1), tick=False):
        later = Plan(next_photo_on=DAY + timedelta(days=7))
        reviews.amend(answered, by=dana, plan=later, **ANSWER | {"reason": "One more week."})
    assert remind(MORNING) == 0
    assert remind(MORNING + timedelta(days=7)) == 1
    with time_machine.travel(MORNING + timedelta(days=7, hours=1), tick=False):
        again = Plan(next_photo_on=DAY + timedelta(days=9))
        reviews.amend(answered, by=dana, plan=again, **ANSWER | {"reason": "Two more days."})
        reviews.reopen(answered, by=dana)
    assert remind(MORNING + timedelta(days=9)) == 0


def test_a_correction_that_keeps_the_day_does_not_remind_twice(answered, dana):
    assert remind(MORNING) == 1
    with time_machine.travel(DAY - timedelta(days=1), tick=False):
        same = Plan(next_photo_on=DAY)
        reviews.amend(answered, by=dana, plan=same, **ANSWER | {"reason": "A word was wrong."})
    assert remind(MORNING + timedelta(hours=1)) == 0


def test_a_day_that_passed_while_the_sweeper_stood_still_is_not_reminded_of(answered):
    assert remind(MORNING + timedelta(days=4)) == 0
    assert not answered.events.filter(kind=EventKind.PHOTOS_DUE).exists()


@pytest.mark.parametrize("days", [-1, 0, 367])
def test_the_day_is_after_today_and_within_a_year(alices_submission, dana, days):
    reviews.claim(alices_submission, by=dana)
    with time_machine.travel(SIGNED, tick=False), pytest.raises(ValidationError) as refused:
        plan = Plan(next_photo_on=date(2026, 11, 30) + timedelta(days=days))
        reviews.sign(alices_submission, by=dana, plan=plan, **ANSWER)
    assert "next_photo_on" in refused.value.message_dict
    alices_submission.refresh_from_db()
    assert alices_submission.status == "in_review"
