"""While alice is asked for photos the clock stands still; it goes on with the time that was left. Never for a same-day case."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from teleder.cases import intake, pausing, reviews, triage
from teleder.cases.models import EventKind, Status, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import IllegalMoveError
from teleder.notifications import on_call, outbox
from teleder.notifications.models import DueWarning
from teleder.pipeline import ai_status
from teleder.web.clinician.due_times import time_left

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)  # a Tuesday, 10:00 in Tokyo


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def pass_hours(self, hours: float) -> None:
        self.now += timedelta(hours=hours)


@pytest.fixture
def clock(monkeypatch, alices_submission) -> Clock:
    """The clock of the product; of the case 48 hours of a promise of two days are left at its start."""
    held = Clock()
    monkeypatch.setattr(timezone, "now", lambda: held.now)
    Submission.objects.update(submitted_at=NOW, due_at=NOW + timedelta(hours=48), rule_urgency=2, urgency=2)
    alices_submission.refresh_from_db()
    return held


@pytest.fixture
def asked(clock, dana, alices_submission):
    """After 25 hours dana asks for a photo: 23 hours are left."""
    reviews.claim(alices_submission, by=dana)
    clock.pass_hours(25)
    ask(alices_submission, dana, clock)
    return alices_submission


def ask(submission, by, clock) -> None:
    reviews.request_photos(submission, by=by, reason="blurred")
    Submission.objects.filter(pk=submission.pk).update(
        paused_at=clock.now
    )  # the database has a clock of its own
    submission.refresh_from_db()


def client_of(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def test_the_clock_stands_still_while_alice_is_asked(asked, clock):
    clock.pass_hours(100)
    asked.refresh_from_db()
    assert asked.is_paused and not asked.is_overdue
    assert pausing.minutes_left(asked) == 23 * 60
    assert asked not in Submission.objects.overdue()


def test_with_her_photo_it_goes_on_with_what_was_left(asked, clock, alice):
    clock.pass_hours(100)
    intake.submit(asked, by=alice, send_anyway=True)
    asked.refresh_from_db()
    assert (asked.status, asked.paused_at) == (Status.SUBMITTED, None)
    assert asked.due_at == clock.now + timedelta(hours=23)


def test_dana_withdraws_the_request_and_has_the_case(asked, clock, dana):
    clock.pass_hours(10)
    pausing.withdraw_request(asked, by=dana)
    assert (asked.status, asked.claimed_by, asked.photos_wanted) == (Status.IN_REVIEW, dana, "")
    assert asked.due_at == clock.now + timedelta(hours=23)
    kinds = [event.kind for event in asked.events.order_by("id")]
    assert kinds[-2:] == [EventKind.PHOTOS_NOT_NEEDED, EventKind.CLAIMED]
    with pytest.raises(IllegalMoveError):
        pausing.withdraw_request(asked, by=dana)


def test_asked_twice_the_time_left_only_shrinks(asked, clock, dana):
    pausing.withdraw_request(asked, by=dana)
    clock.pass_hours(3)
    ask(asked, dana, clock)
    clock.pass_hours(50)
    pausing.withdraw_request(asked, by=dana)
    assert asked.due_at == clock.now + timedelta(hours=20)


def test_what_was_late_before_stays_late(clock, dana, alice, alices_submission):
    reviews.claim(alices_submission, by=dana)
    clock.pass_hours(50)
    ask(alices_submission, dana, clock)
    clock.pass_hours(5)
    intake.submit(alices_submission, by=alice, send_anyway=True)
    alices_submission.refresh_from_db()
    assert alices_submission.due_at == clock.now
    clock.pass_hours(1)
    assert alices_submission.is_overdue


def test_only_staffed_hours_count_on_both_sides(asked, clock, settings, alice):
    settings.STAFFED_HOURS = (time(9), time(18))
    due = triage.staffed_after(NOW, 300, settings.STAFFED_HOURS)  # 15:00 in Tokyo
    Submission.objects.update(due_at=due, paused_at=NOW + timedelta(hours=2))
    asked.refresh_from_db()
    assert pausing.minutes_left(asked) == 180
    clock.now = NOW + timedelta(days=3, hours=7)  # Friday, 17:00
    intake.submit(asked, by=alice, send_anyway=True)
    asked.refresh_from_db()
    assert asked.due_at == datetime(2026, 12, 7, 2, 0, tzinfo=UTC)  # Monday, 11:00


@pytest.mark.parametrize("days", range(9))
@pytest.mark.parametrize("minutes", [0, 1, 61, 299, 1440, 1500, 4320])
def test_the_minutes_between_are_those_that_were_promised(days, minutes):
    hours = (time(9), time(18))
    start = NOW + timedelta(days=days)
    end = triage.staffed_after(start, minutes, hours)
    again = triage.staffed_after(start, triage.staffed_minutes_between(start, end, hours), hours)
    assert again == end


def test_the_warnings_wait_as_long_and_those_given_are_not_repeated(clock, dana, alice, alices_submission):
    outbox.queue_messages()
    DueWarning.objects.all().delete()
    due = alices_submission.due_at
    for share in on_call.SHARES:
        at = NOW + timedelta(hours=48) * share / 100
        DueWarning.objects.create(submission=alices_submission, share=share, due_at=due, at=at)
    reviews.claim(alices_submission, by=dana)
    clock.pass_hours(25)
    assert on_call.warn_of_due_times() == 1  # half of it is used up
    ask(alices_submission, dana, clock)
    clock.pass_hours(100)
    on_call.warn_of_due_times()  # of a case that is on hold nobody is told
    assert alices_submission.events.filter(kind=EventKind.TIME_RUNNING_OUT).count() == 1
    intake.submit(alices_submission, by=alice, send_anyway=True)
    outbox.queue_messages()
    rows = DueWarning.objects.filter(due_at=clock.now + timedelta(hours=23)).order_by("share")
    assert [(row.share, row.at, bool(row.told_at)) for row in rows] == [
        (50, NOW + timedelta(hours=124), True),
        (80, NOW + timedelta(hours=138.4), False),
        (100, NOW + timedelta(hours=148), False),
    ]


def test_a_case_that_becomes_urgent_meanwhile_waits_no_longer(asked, clock, monkeypatch):
    monkeypatch.setattr(
        ai_status.triage,
        "urgency_of",
        lambda *_a, **_k: triage.Triage(urgency=triage.Urgency.SAME_DAY, flags=(), policy=asked.policy),
    )
    clock.pass_hours(10)
    ai_status.settle(asked)
    asked.refresh_from_db()
    assert (asked.status, asked.urgency, asked.paused_at) == (Status.SUBMITTED, 3, None)
    policy = triage.policy(asked.policy)
    assert clock.now < asked.due_at <= policy.due(triage.Urgency.SAME_DAY, clock.now)


@pytest.mark.parametrize("level", [3, 4])
def test_a_same_day_case_is_never_on_hold(clock, dana, alices_submission, level):
    Submission.objects.update(rule_urgency=level, urgency=level)
    alices_submission.refresh_from_db()
    reviews.claim(alices_submission, by=dana)
    with pytest.raises(RefusedError):
        reviews.request_photos(alices_submission, by=dana, reason="blurred")


def test_withdrawn_and_restored_nothing_is_on_hold(asked, alice):
    from teleder.cases import withdrawal

    withdrawal.withdraw(asked, by=alice)
    assert asked.paused_at is None


def test_list_case_and_patient_say_that_it_is_on_hold(asked, dana, alice, adam):
    danas, words = client_of(dana), "on hold, 23 hours left: waits for photos"
    assert words in " ".join(danas.get(reverse("web:worklist"), {"show": "waiting"}).content.decode().split())
    page = danas.get(reverse("web:review", args=[asked.pk])).content.decode()
    assert words in page.replace("\xa0", " ") and "Withdraw the request for photos" in page
    hers = client_of(alice).get(reverse("web:submission", args=[asked.pk])).content.decode()
    assert "the time for our answer stands still" in hers
    assert "on hold" in client_of(adam).get(reverse("web:case_admin", args=[asked.pk])).content.decode()


def test_the_time_left_is_told_in_two_units_and_of_which_hours(asked, clock, settings):
    assert time_left(asked).replace("\xa0", " ") == "on hold, 23 hours left: waits for photos"
    settings.STAFFED_HOURS = (time(9), time(18))
    Submission.objects.update(due_at=triage.staffed_after(asked.paused_at, 529, settings.STAFFED_HOURS))
    asked.refresh_from_db()
    words = "on hold, 8 hours, 49 minutes of opening hours left: waits for photos"
    assert time_left(asked).replace("\xa0", " ") == words
    asked.paused_at, asked.status, asked.due_at = None, Status.SUBMITTED, clock.now + timedelta(minutes=119)
    assert time_left(asked).replace("\xa0", " ") == "due in 1 hour, 59 minutes"


def test_dana_withdraws_it_on_the_page(asked, dana):
    danas = client_of(dana)
    answer = danas.post(reverse("web:withdraw_photo_request", args=[asked.pk]))
    assert answer.status_code == 302
    asked.refresh_from_db()
    assert (asked.status, asked.claimed_by) == (Status.IN_REVIEW, dana)
    assert danas.post(reverse("web:withdraw_photo_request", args=[asked.pk])).status_code == 409


def test_the_api_says_so_and_withdraws_it(asked, dana, alice):
    client = APIClient()
    client.force_authenticate(alice)
    found = client.get(f"/api/v1/submissions/{asked.pk}/status").json()
    assert found["due_at"] is None and found["paused_at"]
    client.force_authenticate(dana)
    row = client.get(f"/api/v1/submissions/{asked.pk}").json()
    assert row["due_at"] is None and row["paused_at"] and not row["overdue"]
    row = client.delete(f"/api/v1/submissions/{asked.pk}/request-photos").json()
    assert row["status"] == "in_review" and row["due_at"] and row["paused_at"] is None
    assert client.delete(f"/api/v1/submissions/{asked.pk}/request-photos").status_code == 409
