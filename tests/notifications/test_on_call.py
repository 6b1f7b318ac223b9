"""Urgent cases reach people: within a minute, again and again until somebody sees to them, and before promises break."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from teleder.accounts import people
from teleder.cases import reviews
from teleder.cases.models import EventKind, Submission
from teleder.notifications import on_call, outbox
from teleder.notifications.models import Message, UrgentCall
from teleder.settings.environment import webhook
from tests.conftest import alarm

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "emergency", "text": "Please go to hospital now."}
URGENT, DUE = "A case needs somebody now", "The promised time of a case is running out"
HERPES = {"AD": 0.3, "HI": 0.6, "IM": 0.05, "MF": 0.01, "OTHER": 0.04}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Coordinates]:
    """The processes' clock stands still until a test moves it."""
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


@pytest.fixture
def erik(person, adam):
    erik = person("erik", "dermatologist")
    people.set_duty(erik, on_call=True, by=adam)
    return erik


@pytest.fixture
def lena(person, adam):
    lena = person("lena", "dermatologist")
    people.set_duty(lena, is_lead=True, by=adam)
    return lena


def sweep() -> None:
    outbox.queue_messages()
    on_call.tell_on_call()
    on_call.warn_of_due_times()
    outbox.deliver()


def told(subject: str = URGENT) -> list[str]:
    return [message.to[0] for message in mail.outbox if message.subject == subject]


def client_of(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def strip_of(person) -> str:
    return client_of(person).get(reverse("web:strip")).content.decode()


# --- Calls ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("answer", ["fever", "eye_symptoms"])
def test_who_is_on_call_is_told_at_once_of_what_a_patient_answers(
    answer, dana, erik, alice, submission_of, settings
):
    submission = submission_of(alice, **{answer: "yes"})
    sweep()
    assert told() == [erik.email]
    message = next(one for one in mail.outbox if one.to == [erik.email])
    words = f"{message.subject} {message.body}".lower()
    assert str(submission.pk) in words
    assert not any(
        word in words for word in ("fever", "eye", "skin", "elbow", "emergency", "alice", "same day")
    )


def test_a_routine_case_calls_nobody(dana, erik, alices_submission):
    sweep()
    assert told() == [] and not UrgentCall.objects.exists()


def test_a_case_that_only_the_ai_raises_heads_the_list_and_calls_nobody(
    dana, erik, alice, bob, submission_of, analyse
):
    others = [submission_of(bob) for _ in range(3)]
    raised = submission_of(alice)
    analyse(raised.photos.get(), probabilities=HERPES, alarms=(alarm("HI", 0.6),))
    sweep()
    raised.refresh_from_db()
    assert raised.urgency > raised.rule_urgency
    assert list(Submission.objects.worklist())[0] == raised and others
    assert told() == [] and raised.case.number not in strip_of(dana)


def test_it_is_told_again_every_ten_minutes_until_somebody_sees_to_it(
    dana, erik, alice, submission_of, clock
):
    submission = submission_of(alice, fever="yes")
    sweep()
    sweep()
    assert len(told()) == 1
    clock.shift(timedelta(minutes=9, seconds=59))
    sweep()
    assert len(told()) == 1
    clock.shift(timedelta(seconds=1))
    sweep()
    assert len(told()) == 2
    assert on_call.acknowledge(submission, by=dana)
    clock.shift(timedelta(minutes=9, seconds=59))
    sweep()
    assert len(told()) == 2
    event = submission.events.get(kind=EventKind.CALL_ACKNOWLEDGED)
    assert event.actor == dana
    assert not on_call.acknowledge(submission, by=erik)


def test_what_dana_sees_to_rings_again_when_nobody_has_claimed_it_after_ten_minutes(
    dana, erik, alice, submission_of, clock
):
    submission = submission_of(alice, fever="yes")
    sweep()
    on_call.acknowledge(submission, by=dana)
    at = timezone.localtime().strftime("%H:%M")
    clock.shift(timedelta(minutes=9, seconds=59))
    sweep()
    assert submission.case.number not in strip_of(erik) and len(told()) == 1
    assert f"Dana sees to it since {at}" in client_of(erik).get(reverse("web:worklist")).content.decode()
    clock.shift(timedelta(seconds=1))
    sweep()
    strip = strip_of(erik)
    assert submission.case.number in strip and f"Dana said at {at} that they see to it" in strip
    assert len(told()) == 2
    assert on_call.acknowledge(submission, by=erik)
    reviews.claim(submission, by=erik)
    clock.shift(timedelta(minutes=10))
    sweep()
    assert submission.case.number not in strip_of(dana) and len(told()) == 2
    reviews.release(submission, by=erik)
    sweep()
    assert [call.submission for call in on_call.announced(dana)] == [submission] and len(told()) == 3


def test_a_claim_ends_the_calls_and_giving_the_case_back_starts_them_again(
    dana, erik, alice, submission_of, clock
):
    submission = submission_of(alice, fever="yes")
    sweep()
    reviews.claim(submission, by=dana)
    clock.shift(timedelta(minutes=10))
    sweep()
    assert len(told()) == 1 and submission.case.number not in strip_of(erik)
    reviews.release(submission, by=dana)
    sweep()
    assert len(told()) == 2 and submission.case.number in strip_of(erik)
    assert UrgentCall.objects.count() == 1


def test_where_nobody_is_on_call_everybody_is_told(dana, adam, person, nora, alice, submission_of):
    erik = person("erik", "dermatologist")
    submission_of(alice, fever="yes")
    sweep()
    assert sorted(told()) == sorted([dana.email, erik.email, adam.email])


def test_a_reopened_urgent_case_is_called_again(dana, erik, adam, alice, submission_of):
    submission = submission_of(alice, fever="yes")
    reviews.claim(submission, by=dana)
    reviews.sign(submission, by=dana, **ANSWER)
    sweep()
    before = len(told())
    reviews.reopen(submission, by=adam)
    sweep()
    assert len(told()) == before + 1


def test_a_mail_server_with_many_mails_sends_the_call_first(erik, dana, alice, submission_of, monkeypatch):
    for _ in range(3):
        submission_of(alice)
    outbox.queue_messages()
    submission_of(alice, fever="yes")
    outbox.queue_messages()
    on_call.tell_on_call()
    sent = []
    monkeypatch.setattr(outbox, "send_message", lambda message: sent.append(message.event.kind))
    outbox.deliver()
    assert sent[0] == EventKind.ON_CALL_TOLD and len(sent) == 5


# --- On every open page -----------------------------------------------------------------------------------
def test_among_a_hundred_overdue_emergencies_the_new_one_is_announced(
    dana, adam, erik, alice, bob, submission_of
):
    old = [submission_of(alice, eye_symptoms="yes") for _ in range(7)]
    sweep()
    Submission.objects.update(due_at=timezone.now() - timedelta(hours=5))
    UrgentCall.objects.update(opened_at=timezone.now() - timedelta(hours=6))
    new = submission_of(bob, fever="yes")
    sweep()
    for person in (dana, adam):
        strip = strip_of(person)
        assert strip.index('role="alert"') < strip.index(new.case.number)
        assert all(
            new.case.number in strip.partition(one.case.number)[0] for one in old if one.case.number in strip
        )
        assert "4 more urgent cases" in strip
    assert len(told()) == 8


def test_the_severe_one_stands_before_the_late_one(dana, alice, bob, submission_of):
    late = submission_of(alice, fever="yes")
    severe, newest = submission_of(bob, eye_symptoms="yes"), submission_of(bob, fever="yes")
    sweep()
    Submission.objects.filter(pk=late.pk).update(due_at=timezone.now() - timedelta(hours=1))
    UrgentCall.objects.exclude(submission=newest).update(opened_at=timezone.now() - timedelta(hours=1))
    assert [call.submission for call in on_call.announced(dana)] == [newest, severe, late]


def test_a_page_announces_it_again_every_two_minutes(dana, alice, submission_of, clock):
    submission_of(alice, fever="yes")
    sweep()
    danas = client_of(dana)
    first = danas.get(reverse("web:strip"))
    same = danas.get(reverse("web:strip"), headers={"If-None-Match": first["ETag"]})
    assert same.status_code == 304
    clock.shift(timedelta(minutes=2))
    again = danas.get(reverse("web:strip"), headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 200 and 'data-round="1"' in again.content.decode()


def test_another_clinic_hears_of_nothing(nora, noel, dana, alice, submission_of):
    submission = submission_of(alice, fever="yes")
    sweep()
    assert nora.email not in told() and noel.email not in told()
    assert submission.case.number not in strip_of(nora) + strip_of(noel)
    reply = client_of(nora).post(reverse("web:acknowledge", args=[submission.pk]))
    assert reply.status_code == 404 and UrgentCall.objects.get().acknowledged_at is None


def test_adam_sees_to_it_by_the_page(adam, dana, alice, submission_of):
    submission = submission_of(alice, fever="yes")
    sweep()
    client_of(adam).post(reverse("web:acknowledge", args=[submission.pk]))
    assert UrgentCall.objects.get().acknowledged_by == adam
    assert submission.case.number not in strip_of(dana)


# --- Promised times ---------------------------------------------------------------------------------------
def test_half_four_fifths_and_all_of_the_promised_time_tell_reader_lead_and_admin(
    dana, lena, erik, adam, alices_submission, clock
):
    reviews.claim(alices_submission, by=dana)
    sweep()
    promised = alices_submission.due_at - alices_submission.submitted_at
    steps = [(50, dana), (80, lena), (100, adam)]
    for number, (share, person) in enumerate(steps):
        at = alices_submission.submitted_at + promised * share / 100
        clock.move_to(at - timedelta(seconds=1))
        sweep()
        assert len(told(DUE)) == number
        clock.move_to(at)
        sweep()
        sweep()
        assert told(DUE) == [one.email for _share, one in steps[: number + 1]]
    shares = [e.detail["share"] for e in alices_submission.events.filter(kind=EventKind.TIME_RUNNING_OUT)]
    assert shares == [50, 80, 100]


def test_an_answered_case_warns_nobody(dana, adam, alices_submission, clock):
    sweep()
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    clock.move_to(alices_submission.due_at + timedelta(days=1))
    sweep()
    assert told(DUE) == []


def test_an_unclaimed_case_at_half_time_tells_those_on_call(dana, erik, alices_submission, clock):
    sweep()
    clock.move_to(
        alices_submission.submitted_at + (alices_submission.due_at - alices_submission.submitted_at) / 2
    )
    sweep()
    assert told(DUE) == [erik.email]


def test_of_many_routine_cases_one_mail_tells(dana, erik, alice, submission_of, clock):
    found = [submission_of(alice) for _ in range(5)]
    sweep()
    clock.move_to(max(one.submitted_at + (one.due_at - one.submitted_at) / 2 for one in found))
    sweep()
    assert told(DUE) == [erik.email]
    assert on_call.DueWarning.objects.exclude(told_at=None).count() == 5


def test_a_case_that_was_moved_up_is_warned_of_by_its_new_due_time(
    dana, erik, alice, submission_of, analyse, clock
):
    submission = submission_of(alice)
    sweep()
    analyse(submission.photos.get(), probabilities=HERPES, alarms=(alarm("HI", 0.6),))
    sweep()
    submission.refresh_from_db()
    clock.move_to(submission.submitted_at + (submission.due_at - submission.submitted_at) / 2)
    sweep()
    assert told(DUE) == [erik.email]


# --- The webhook ------------------------------------------------------------------------------------------
@pytest.fixture
def hook(settings) -> Iterator[list]:
    """A server on loopback that keeps what is posted."""
    taken: list = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((dict(self.headers), body))
            self.send_response(settings.ANSWER_OF_HOOK)
            if settings.ANSWER_OF_HOOK == 302:
                self.send_header("Location", settings.ON_CALL_WEBHOOK)
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.ANSWER_OF_HOOK = 204
    settings.ON_CALL_WEBHOOK = f"http://127.0.0.1:{server.server_port}/"
    settings.ON_CALL_WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
    yield taken
    server.shutdown()
    server.server_close()


def test_the_webhook_is_called_signed_and_without_health_data(hook, erik, dana, alice, submission_of):
    submission = submission_of(alice, fever="yes")
    sweep()
    [(headers, body)] = hook
    headers = {name.lower(): value for name, value in headers.items()}
    signed = ".".join((headers["webhook-id"], headers["webhook-timestamp"], body.decode())).encode()
    digest = hmac.new(b"k" * 32, signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    told = json.loads(body)
    assert told["type"] == "case.needs_somebody"
    assert set(told["data"]) == {"person", "link"} and str(submission.pk) in told["data"]["link"]
    assert b"fever" not in body and b"alice" not in body.lower()


@pytest.mark.parametrize("answer", [500, 302])
def test_a_call_that_was_not_taken_is_tried_again_with_the_same_id(
    hook, erik, dana, alice, submission_of, settings, answer
):
    settings.ANSWER_OF_HOOK = answer
    submission_of(alice, fever="yes")
    sweep()
    assert len(hook) == 1, "a redirect is not followed"
    Message.objects.filter(channel="webhook").update(due_at=timezone.now() - timedelta(days=1))
    settings.ANSWER_OF_HOOK = 204
    sweep()
    ids = [{name.lower(): value for name, value in headers.items()}["webhook-id"] for headers, _ in hook]
    assert len(ids) == 2 and len(set(ids)) == 1
    assert Message.objects.get(channel="webhook").state == "sent"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://pager.example.org/", "a" * 44),
        ("https://pager.example.org/", ""),
        ("https://pager.example.org/", "c2hvcnQ="),
        ("file:///etc/passwd", "a" * 44),
    ],
)
def test_an_unsafe_webhook_is_refused_at_the_start(monkeypatch, url, key):
    monkeypatch.setenv("TELEDER_ON_CALL_WEBHOOK", url)
    monkeypatch.setenv("TELEDER_ON_CALL_WEBHOOK_SECRET", key)
    with pytest.raises(ImproperlyConfigured):
        webhook("TELEDER_ON_CALL_WEBHOOK")


def test_a_patient_cannot_be_on_call(alice, adam):
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError):
        people.set_duty(alice, on_call=True, by=adam)


def test_adam_puts_dana_on_call_by_the_page(adam, dana):
    adams = client_of(adam)
    for verb, is_on in (("on-call", True), ("off-call", False)):
        assert adams.post(reverse("web:change_person", args=[dana.pk, verb])).status_code == 302
        dana.dermatologist.refresh_from_db()
        assert dana.dermatologist.on_call is is_on
