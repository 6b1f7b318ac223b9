"""Exactly one message per event, person and channel, and nothing about health in it."""

from __future__ import annotations

import smtplib
import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from teleder.cases import reviews
from teleder.notifications import outbox, texts
from teleder.notifications.models import Channel, Message, MessageState, Preference

ANSWER = {
    "impression": "HI",
    "disposition": "today",
    "text": "Please see a doctor today: herpes is possible.",
}


@pytest.fixture
def answered(alices_submission, dana):
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    return alices_submission


def sweep() -> None:
    outbox.queue_messages()
    outbox.deliver()


def titles() -> list[str]:
    return [message.subject for message in mail.outbox]


@pytest.mark.django_db
def test_alice_is_notified_of_arrival_and_answer(answered, alice):
    sweep()
    sweep()
    assert titles() == ["We have received your consultation", "An answer has arrived"]
    assert Message.objects.inbox_of(alice).unread().count() == 2
    assert not Message.objects.exclude(state=MessageState.SENT).exists()


@pytest.mark.django_db
def test_a_mail_says_nothing_about_health(answered):
    sweep()
    for message in mail.outbox:
        text = (message.subject + message.body).lower()
        assert not any(word in text for word in ("herpes", "elbow", "today:", "eczema", "rash", "skin"))
        assert str(answered.pk) in text


@pytest.mark.django_db
def test_each_person_is_notified_in_their_language(alices_submission, alice):
    alice.language = "ja"
    alice.save()
    sweep()
    assert mail.outbox[0].subject == "相談を受けつけました"


@pytest.mark.django_db
def test_a_person_without_mail_notifications_has_the_inbox(alices_submission, alice):
    Preference.objects.create(person=alice, email=False)
    sweep()
    assert titles() == []
    assert Message.objects.get().channel == Channel.INBOX


@pytest.mark.django_db
def test_alice_is_notified_of_a_request_for_photos(alices_submission, dana):
    reviews.claim(alices_submission, by=dana)
    reviews.request_photos(alices_submission, by=dana, reason="blurred")
    sweep()
    assert titles()[-1] == "A dermatologist asks you for another photo"


@pytest.mark.django_db
def test_an_unavailable_mail_server_loses_no_message(alices_submission, monkeypatch):
    def down(message):
        if message.channel == Channel.EMAIL:
            raise smtplib.SMTPServerDisconnected("down")

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "send_message", down)
        sweep()
    message = Message.objects.get(channel=Channel.EMAIL)
    assert (message.state, message.attempt) == (MessageState.QUEUED, 1)
    outbox.deliver()
    assert titles() == []  # not yet: it backs off
    Message.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    outbox.deliver()
    assert len(titles()) == 1


@pytest.mark.django_db
def test_a_hanging_mail_server_delays_the_sweeper_once_a_round(alice, bob, submission_of, monkeypatch):
    """Ten seconds for each mail would delay the detection of lost jobs (drill R15)."""
    tries = []

    def hangs(message):
        if message.channel == Channel.EMAIL:
            tries.append(message.person)
            raise TimeoutError

    submission_of(alice), submission_of(bob)
    outbox.queue_messages()
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "send_message", hangs)
        patch.setattr(outbox, "monotonic", lambda: 10.0 * len(tries))
        outbox.deliver()
        assert len(tries) == 1
        outbox.deliver()  # the first is postponed, the other is sent
    assert set(tries) == {alice, bob}


@pytest.mark.django_db
def test_a_message_fails_after_its_last_attempt(alices_submission, monkeypatch):
    monkeypatch.setattr(outbox, "send_message", lambda message: (_ for _ in ()).throw(OSError("gone")))
    outbox.queue_messages()
    for _ in range(len(outbox.BACK_OFF_MINUTES) + 1):
        Message.objects.update(due_at=timezone.now() - timedelta(seconds=1))
        outbox.deliver()
    assert Message.objects.get(channel=Channel.EMAIL).state == MessageState.FAILED
    assert outbox.deliver() == 0


@pytest.mark.django_db
def test_a_repeated_mail_has_the_same_message_id(alices_submission):
    sweep()
    first = mail.outbox[0].extra_headers["Message-ID"]
    past = timezone.now() - timedelta(seconds=1)
    Message.objects.filter(channel=Channel.EMAIL).update(state=MessageState.SENDING, due_at=past)
    outbox.deliver()
    assert mail.outbox[1].extra_headers["Message-ID"] == first


@pytest.mark.django_db
def test_one_message_that_cannot_be_sent_does_not_stop_the_others(alice, bob, submission_of):
    alice.email = "alice@example.com\nBcc: mallory@example.com"
    alice.save()
    submission_of(alice)
    submission_of(bob)
    sweep()
    assert [message.to for message in mail.outbox] == [["bob@example.com"]]
    assert Message.objects.get(person=alice, channel=Channel.EMAIL).state == MessageState.QUEUED


@pytest.mark.django_db(transaction=True)
def test_six_sweepers_at_once_send_one_mail_per_event(alices_submission):
    def run() -> None:
        try:
            sweep()
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sweep()
    assert Message.objects.count() == 2
    assert len(mail.outbox) == 1


@pytest.mark.django_db
def test_every_notified_event_has_a_japanese_title():
    from django.utils import translation

    with translation.override("ja"):
        assert all(not texts._(title).isascii() for title in texts.TITLES.values())
