"""Alerts: admins are told of what the board shows until one of them sees to it, and never by a mail for each flicker."""

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
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from teleder import watching
from teleder.cases.models import Submission
from teleder.notifications import alerts, runbook, webhook
from teleder.notifications.models import Alert
from teleder.notifications.runbook import AlertKind
from teleder.settings.environment import outgoing
from teleder.web.operations import alerting, health

pytestmark = pytest.mark.django_db
BROKER = ("broker", None)
KEY = b"k" * 32


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Coordinates]:
    """The processes' clock stands still until a test moves it."""
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


@pytest.fixture
def after(clock):
    """Move the clock, let the board find this, and tell."""

    def do(found: set, **later: int) -> list:
        clock.shift(timedelta(**later))
        alerts.update(found)
        before = len(mail.outbox)
        alerts.tell_alerts()
        return mail.outbox[before:]

    return do


@pytest.fixture
def receiver(settings) -> Iterator[list]:
    """A server on loopback that keeps what it is sent; `settings.RECEIVER_ANSWERS` is its status."""
    taken: list = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(settings.RECEIVER_ANSWERS)
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.RECEIVER_ANSWERS = 204
    settings.RECEIVER = f"http://127.0.0.1:{server.server_port}/"
    yield taken
    server.shutdown()
    server.server_close()


@pytest.fixture
def hook(settings, receiver) -> list:
    settings.ON_CALL_WEBHOOK = settings.RECEIVER
    settings.ON_CALL_WEBHOOK_SECRET = "whsec_" + base64.b64encode(KEY).decode()
    return receiver


# --- From the board to rows -------------------------------------------------------------------------------
def test_what_the_board_shows_opens_an_alert_and_its_end_closes_it(adam, monkeypatch):
    monkeypatch.setattr(health, "results_waiting", lambda: None)
    alerting.look()
    alert = Alert.objects.get(kind="broker")
    assert (alert.clinic, alert.opened_at, alert.closed_at) == (None, timezone.now(), None)
    monkeypatch.setattr(health, "results_waiting", lambda: 0)
    assert alerting.look() == 1
    alert.refresh_from_db()
    assert alert.closed_at == timezone.now()
    assert alerting.look() == 0


def test_a_fault_of_one_clinic_is_told_to_its_admins_alone(
    adam, noel, alices_submission, monkeypatch, settings
):
    settings.WATCH_MAIL = ["on-call@example.com"]
    monkeypatch.setattr(health, "results_waiting", lambda: 0)
    Submission.objects.update(due_at=timezone.now() - timedelta(hours=1))
    alerting.look()
    assert Alert.objects.get(kind="overdue").clinic == adam.clinic
    Alert.objects.exclude(kind="overdue").delete()
    Alert.objects.update(tell_at=timezone.now())
    alerts.tell_alerts()
    assert [letter.to for letter in mail.outbox] == [[adam.email]]
    assert not alerts.newest(noel, 20) and alerts.newest(adam, 20)
    assert alerts.acknowledge_alerts("overdue", by=noel) == 0


def test_a_board_with_a_fault_that_cannot_be_read_stops_the_sign_of_life_and_closes_nothing(
    adam, monkeypatch, settings
):
    alerts.update({BROKER})
    monkeypatch.setattr(health, "board", lambda _user: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        alerting.look()
    assert Alert.objects.open().count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_sweeper_needs_no_other_rights_than_the_webs(adam, acting_as_web, monkeypatch, clock):
    monkeypatch.setattr(health, "results_waiting", lambda: None)
    with acting_as_web():
        alerting.look()
        clock.shift(timedelta(minutes=1))
        assert alerts.tell_alerts() == 1
        assert alerts.acknowledge_alerts("broker", by=adam) == 1
    assert [letter.to for letter in mail.outbox] == [[adam.email]]


# --- Told until somebody sees to it -----------------------------------------------------------------------
def test_a_fault_that_lasts_is_mailed_once_and_again_until_adam_sees_to_it(adam, after, settings):
    assert after({BROKER}) == []
    assert after({BROKER}, seconds=19) == []
    (letter,) = after({BROKER}, seconds=1)
    assert letter.to == [adam.email] and letter.subject == "teleder: The message broker does not answer"
    assert f"{settings.PUBLIC_URL}/operations/runbook/#broker" in letter.body
    assert after({BROKER}, minutes=29) == []
    assert len(after({BROKER}, minutes=1)) == 1
    assert alerts.acknowledge_alerts("broker", by=adam) == 1
    assert after({BROKER}, hours=5) == []
    alert = Alert.objects.get()
    assert alert.acknowledged_by == adam and alert.told_at < alert.last_told_at == alert.acknowledged_at


def test_the_second_of_two_who_acknowledge_changes_nothing(adam, person, after):
    after({BROKER})
    assert alerts.acknowledge_alerts("broker", by=adam) == 1
    assert alerts.acknowledge_alerts("broker", by=person("ada", "admin")) == 0
    assert Alert.objects.get().acknowledged_by == adam


def test_the_end_is_mailed_once_it_has_lasted(adam, after):
    after({BROKER})
    after({BROKER}, minutes=1)
    assert after(set(), minutes=1) == []
    (letter,) = after(set(), minutes=10)
    assert letter.subject == "teleder: a fault has ended"
    assert letter.body.startswith("Ended: The message broker does not answer (")
    assert after(set(), hours=5) == []


def test_a_fault_that_ends_before_it_was_told_is_a_row_and_no_mail(adam, after):
    after({BROKER})
    assert after(set(), seconds=10) == []
    assert after(set(), hours=1) == []
    assert Alert.objects.get().told_at is None


def test_two_sweepers_tell_once(adam, after, monkeypatch):
    after({BROKER})
    take = alerts._take

    def take_after_another(alert):
        Alert.objects.filter(pk=alert.pk).update(tell_at=timezone.now() + timedelta(minutes=2))
        return take(alert)

    monkeypatch.setattr(alerts, "_take", take_after_another)
    assert after({BROKER}, minutes=1) == []


# --- Flapping ---------------------------------------------------------------------------------------------
def test_a_fault_that_comes_and_goes_for_an_hour_is_one_alert_and_three_mails(adam, after):
    letters = []
    for _minute in range(60):
        letters += after({BROKER}, seconds=30)
        letters += after(set(), seconds=30)
    alert = Alert.objects.get()
    assert alert.times == 60
    assert len(letters) == 2, [letter.subject for letter in letters]
    assert "It came" not in letters[0].body.splitlines()[0] or "It came 3 times" in letters[0].body
    (summary,) = after(set(), minutes=30)
    assert "It came 60 times in that time." in summary.body
    assert after(set(), hours=5) == []


def test_what_adam_sees_to_may_flap_without_a_mail(adam, after):
    after({BROKER})
    after({BROKER}, minutes=1)
    alerts.acknowledge_alerts("broker", by=adam)
    for _minute in range(20):
        assert after(set(), seconds=30) == after({BROKER}, seconds=30) == []
    assert Alert.objects.get().acknowledged_by == adam


def test_a_fault_that_returns_after_its_end_was_told_needs_somebody_again(adam, after):
    after({BROKER})
    after({BROKER}, minutes=1)
    alerts.acknowledge_alerts("broker", by=adam)
    after(set(), minutes=1)
    assert len(after(set(), minutes=10)) == 1
    after({BROKER}, minutes=10)
    assert len(after({BROKER}, minutes=1)) == 1
    assert Alert.objects.count() == 2


# --- Mail servers and people ------------------------------------------------------------------------------
def test_a_mail_server_that_is_away_is_tried_again_each_minute(adam, after, monkeypatch):
    after({BROKER})
    monkeypatch.setattr(EmailBackend, "open", lambda _self: _refuse())
    assert after({BROKER}, minutes=1) == []
    assert Alert.objects.get().told_at is None
    monkeypatch.undo()
    assert after({BROKER}, seconds=59) == []
    assert len(after({BROKER}, seconds=1)) == 1


def _refuse() -> None:
    raise ConnectionRefusedError


def test_an_address_that_is_refused_keeps_no_other_admin_from_the_mail(adam, person, after, monkeypatch):
    ada = person("ada", "admin")
    send = EmailBackend.send_messages

    def refuse_adam(self, letters):
        if letters[0].to == [adam.email]:
            raise ConnectionResetError
        return send(self, letters)

    monkeypatch.setattr(EmailBackend, "send_messages", refuse_adam)
    after({BROKER})
    assert [letter.to for letter in after({BROKER}, minutes=1)] == [[ada.email]]
    assert Alert.objects.get().told_at is not None


def test_each_admin_reads_one_mail_of_several_faults_in_their_language(adam, person, after, settings):
    settings.WATCH_MAIL = ["on-call@example.com", adam.email]
    jun = person("jun", "admin", language="ja")
    found = {BROKER, ("beat", None)}
    after(found)
    letters = {letter.to[0]: letter for letter in after(found, minutes=1)}
    assert letters.keys() == {adam.email, jun.email, "on-call@example.com"}
    assert letters[adam.email].subject == "teleder: 2 faults"
    assert "メッセージブローカーが応答しません" in letters[jun.email].body
    both = letters["on-call@example.com"].body
    assert "メッセージブローカーが応答しません" in both and "Beat does not respond" in both


def test_no_mail_and_no_call_says_anything_of_a_patient(adam, after, hook, alices_submission):
    found = {(kind.value, adam.clinic_id) for kind in runbook.OF_CLINIC}
    found |= {(kind.value, None) for kind in AlertKind if kind not in runbook.OF_CLINIC}
    after(found)
    letters = after(found, minutes=1)
    said = "".join(f"{letter.subject}{letter.body}" for letter in letters)
    said += b"".join(body for _headers, body in hook).decode()
    assert len(hook) == len(found)
    for word in ("alice", alices_submission.case.number, str(alices_submission.pk)):
        assert word not in said.lower()


# --- The webhook ------------------------------------------------------------------------------------------
def test_the_webhook_is_called_signed_with_what_has_happened(adam, after, hook, settings):
    after({BROKER})
    after({BROKER}, minutes=1)
    [(headers, body)] = hook
    signed = ".".join((headers["webhook-id"], headers["webhook-timestamp"], body.decode())).encode()
    digest = hmac.new(KEY, signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    told = json.loads(body)
    assert told["type"] == "alert.opened"
    link = f"{settings.PUBLIC_URL}/operations/runbook/#broker"
    assert told["data"] == {"kind": "broker", "times": 1, "link": link}
    after({BROKER}, minutes=30)
    after(set(), minutes=1)
    after(set(), minutes=10)
    assert [json.loads(body)["type"] for _headers, body in hook[1:]] == ["alert.repeated", "alert.ended"]


def test_a_call_that_was_not_taken_is_repeated_under_its_id_and_without_a_second_mail(
    adam, after, hook, settings
):
    after({BROKER})
    settings.RECEIVER_ANSWERS = 500
    assert len(after({BROKER}, minutes=1)) == 1
    settings.RECEIVER_ANSWERS = 204
    assert after({BROKER}, minutes=1) == []
    assert len(hook) == 2 and len({headers["webhook-id"] for headers, _body in hook}) == 1
    assert len(after({BROKER}, minutes=30)) == 1 and len(hook) == 3


# --- Each week, and outside -------------------------------------------------------------------------------
def monday(hour: int):
    today = timezone.localtime()
    day = today + timedelta(days=7 - today.weekday())
    return day.replace(hour=hour, minute=0, second=0, microsecond=0)


def test_each_monday_at_nine_a_line_says_that_all_is_well(adam, after, clock):
    assert alerts.say_all_is_well() == 0, "a new installation is not older than the last Monday"
    clock.move_to(monday(9) - timedelta(seconds=1))
    assert alerts.say_all_is_well() == 0
    clock.move_to(monday(9) + timedelta(seconds=2))
    assert alerts.say_all_is_well() == 1
    (letter,) = after(set())
    assert letter.subject == "teleder: all is well" and "no fault is open" in letter.body
    assert alerts.say_all_is_well() == 0 and after(set(), days=6) == []
    clock.shift(timedelta(days=1))
    assert alerts.say_all_is_well() == 1
    assert alerts.newest(adam, 20) == [], "the line is no alert"


def test_the_weekly_line_says_what_is_open_also_if_adam_sees_to_it(adam, noel, after, clock):
    clock.move_to(monday(9) + timedelta(seconds=2))
    overdue = {("overdue", adam.clinic_id)}
    alerts.update(overdue)
    alerts.acknowledge_alerts("overdue", by=adam)
    alerts.say_all_is_well()
    letters = {letter.to[0]: letter for letter in after(overdue)}
    assert letters[adam.email].subject == "teleder: 1 fault is open"
    assert letters[noel.email].subject == "teleder: all is well"


@pytest.fixture
def pinged(settings, receiver, monkeypatch) -> list:
    settings.DEAD_MAN_URL = f"{settings.RECEIVER}ping/secret"
    monkeypatch.setattr(webhook, "_pinged_at", float("-inf"))
    return receiver


def test_the_service_outside_hears_of_good_rounds_once_a_minute(pinged, settings, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(webhook, "monotonic", lambda: now[0])
    settings.SWEEP_DUTIES = []
    for seconds, heard in ((0, 1), (59, 1), (1, 2)):
        now[0] += seconds
        call_command("sweep", once=True)
        assert len(pinged) == heard


def test_a_round_with_a_failed_duty_is_no_sign_of_life(pinged, settings, monkeypatch):
    monkeypatch.setattr(alerts, "tell_alerts", lambda: 1 / 0)
    settings.SWEEP_DUTIES = ["teleder.notifications.alerts.tell_alerts"]
    call_command("sweep", once=True)
    assert pinged == []


def test_a_service_outside_that_is_away_stops_nothing_and_its_address_is_not_logged(pinged, settings, caplog):
    settings.RECEIVER_ANSWERS = 500
    assert webhook.ping() is False
    assert len(pinged) == 1 and "secret" not in caplog.text and "was not reached" in caplog.text


@pytest.mark.parametrize(
    "url", ["http://hc.example.org/x", "ftp://127.0.0.1/", "https:///x", "//hc.example.org"]
)
def test_an_unsafe_address_is_refused_at_the_start(monkeypatch, url):
    monkeypatch.setenv("TELEDER_DEAD_MAN_URL", url)
    with pytest.raises(ImproperlyConfigured):
        outgoing("TELEDER_DEAD_MAN_URL")


@pytest.mark.parametrize(
    "url", ["", "https://hc.example.org/x", "http://127.0.0.1:8000/x", "http://[::1]:1/"]
)
def test_a_safe_address_is_taken(monkeypatch, url):
    monkeypatch.setenv("TELEDER_DEAD_MAN_URL", url)
    assert outgoing("TELEDER_DEAD_MAN_URL") == url


# --- The pages --------------------------------------------------------------------------------------------
def test_adam_sees_to_a_fault_by_a_button_of_the_board(client, adam, after, monkeypatch):
    monkeypatch.setattr(health, "results_waiting", lambda: None)
    client.force_login(adam)
    page = client.get(reverse("web:operations")).content.decode()
    assert "There has been no alert yet." in page and 'name="kind" value="broker"' not in page
    alerting.look()
    page = client.get(reverse("web:operations")).content.decode()
    assert 'form="acknowledge-form" name="kind" value="broker"' in page
    assert 'href="/operations/runbook/#broker"' in page
    reply = client.post(reverse("web:acknowledge_alert"), {"kind": "broker"}, follow=True)
    page = reply.content.decode()
    assert "You see to it." in page and "Adam sees to it since" in page
    assert 'name="kind" value="broker"' not in page
    again = client.post(reverse("web:acknowledge_alert"), {"kind": "broker"}, follow=True)
    assert "somebody sees to it already" in again.content.decode()


def test_past_alerts_are_listed_with_their_times(client, adam, after):
    after({BROKER})
    after({BROKER}, minutes=1)
    after(set(), minutes=1)
    client.force_login(adam)
    page = client.get(reverse("web:operations")).content.decode()
    table = page.partition('id="alerts-title"')[2].partition("</section>")[0]
    assert table.count("<tr>") == 2 and "The message broker does not answer" in table and "–" in table


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_runbook_has_a_section_for_each_kind_of_alert(client, person, language):
    client.force_login(person("ada", "admin", language=language))
    page = client.get(reverse("web:runbook"), headers={"Accept-Language": language}).content.decode()
    for kind in AlertKind:
        section = runbook.section(kind, language)
        assert f'id="{kind}"' in page and section.steps and section.meaning and section.check
    assert '<code lang="en">manage.py doctor</code>' in page
    assert set(runbook.sections_by_language()) == set(AlertKind)
    assert set(watching.WORDS) <= set(AlertKind)


def test_a_mail_of_the_watch_leads_to_the_runbook(mailoutbox, settings):
    settings.WATCH_MAIL = ["on-call@example.com"]
    assert watching.mail({"database"})
    assert f"{settings.PUBLIC_URL}/operations/runbook/#database" in mailoutbox[0].body
