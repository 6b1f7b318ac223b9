"""A patient reads times in the zone they chose, else in that of their device, else in the clinic's; promises count the clinic's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from django.utils.translation import override

from teleder.accounts import time_zones
from teleder.accounts.time_zone_names import CITIES
from teleder.cases import triage
from teleder.cases.models import Submission
from teleder.cases.triage import Urgency
from teleder.privacy import erasure
from teleder.privacy.models import Erasure, Why
from teleder.web.templatetags import dates

BERLIN, NEW_YORK, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")


def page_of(client: Client, submission: Submission, device: str = "") -> str:
    if device:
        client.cookies[time_zones.COOKIE] = device
    return client.get(submission.get_absolute_url()).content.decode()


def due(submission: Submission, moment: datetime) -> None:
    Submission.objects.filter(pk=submission.pk).update(due_at=moment)


@pytest.fixture
def alices_page(client, alice):
    client.force_login(alice)
    return client


@pytest.mark.django_db
def test_alice_reads_her_promise_in_the_zone_of_her_device_then_in_the_one_she_chooses(
    alices_page, alice, alices_submission
):
    moment = (timezone.now() + timedelta(days=5)).replace(hour=9, minute=0)
    due(alices_submission, moment)
    words = {zone: dates.weekday_and_date(moment.astimezone(zone)) for zone in (TOKYO, BERLIN, NEW_YORK)}
    assert f"{words[TOKYO]}, 18:00 (Japan time)" in page_of(alices_page, alices_submission)
    shown = page_of(alices_page, alices_submission, "Europe/Berlin")
    berlin = moment.astimezone(BERLIN)
    assert f"{words[BERLIN]}, {berlin:%H:%M} ({berlin:%Z})" in shown
    alice.refresh_from_db()
    alice.time_zone = "America/New_York"
    alice.save()
    there = moment.astimezone(NEW_YORK)
    assert f"{words[NEW_YORK]}, {there:%H:%M} ({there:%Z})" in page_of(alices_page, alices_submission)
    assert f"{there:%H:%M} ({there:%Z})" in alices_page.get("/in-progress/").content.decode()


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (datetime(2026, 10, 24, 8, 30, tzinfo=UTC), "Sat 24 Oct, 10:30 (CEST)"),
        (datetime(2026, 10, 25, 8, 30, tzinfo=UTC), "Sun 25 Oct, 09:30 (CET)"),
        (datetime(2027, 3, 27, 8, 30, tzinfo=UTC), "Sat 27 Mar, 09:30 (CET)"),
        (datetime(2027, 3, 28, 8, 30, tzinfo=UTC), "Sun 28 Mar, 10:30 (CEST)"),
    ],
)
def test_daylight_saving_moves_the_hour_and_the_name_of_the_zone(monkeypatch, moment, shown):
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 10, 1, tzinfo=UTC))
    with timezone.override(BERLIN):
        assert dates.promise(moment) == shown
        assert (
            dates.days_left(moment)
            == f"in {(moment.astimezone(BERLIN).date() - timezone.localdate()).days} days"
        )


def test_in_two_days_is_counted_on_the_patients_calendar(monkeypatch):
    """At 20:00 in Tokyo it is still the morning in New York; 23:00 UTC is another day for each."""
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 12, 1, 11, tzinfo=UTC))
    moment = datetime(2026, 12, 2, 23, tzinfo=UTC)
    with timezone.override(TOKYO):
        assert (dates.days_left(moment), dates.promise(moment)) == (
            "in 2 days",
            "Thu 3 Dec, 08:00 (Japan time)",
        )
    with timezone.override(NEW_YORK):
        assert (dates.days_left(moment), dates.promise(moment)) == ("", "tomorrow, Wed 2 Dec, 18:00 (EST)")


def test_a_zone_without_letters_is_named_by_its_distance_to_utc(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 12, 1, tzinfo=UTC))
    with timezone.override(ZoneInfo("America/Sao_Paulo")):
        assert dates.promise(datetime(2026, 12, 9, 15, tzinfo=UTC)) == "Wed 9 Dec, 12:00 (UTC-03)"


def test_a_promise_is_the_same_moment_wherever_it_is_asked_for():
    """Staffed hours are the clinic's: a patient who reads in another zone must not get another promise."""
    friday_evening = datetime(2026, 12, 4, 7, 30, tzinfo=UTC)  # 16:30 in Tokyo
    found = set()
    for zone in (TOKYO, BERLIN, NEW_YORK):
        with timezone.override(zone):
            found.add(tuple(triage.policy().due(level, friday_evening) for level in Urgency))
    assert len(found) == 1


@pytest.mark.django_db
def test_what_no_zone_is_called_is_not_kept(alices_page, alice, alices_submission):
    for device in ("Mars/Olympus", "../../etc/passwd", "UTC", "x" * 200, ""):
        assert "(Japan time)" in page_of(alices_page, alices_submission, device or "x")
    alice.refresh_from_db()
    assert alice.device_time_zone == ""


@pytest.mark.django_db
def test_staff_read_the_clinics_time_whatever_their_device_says(client, dana, alices_submission):
    client.force_login(dana)
    client.cookies[time_zones.COOKIE] = "Europe/Berlin"
    page = client.get(f"/review/{alices_submission.pk}/").content.decode()
    sent = alices_submission.submitted_at.astimezone(TOKYO)
    assert f"{sent:%H:%M}" in page
    dana.refresh_from_db()
    assert dana.device_time_zone == ""


@pytest.mark.django_db
def test_alice_chooses_her_zone_on_the_settings_page_and_by_the_api(alices_page, alice):
    alices_page.cookies[time_zones.COOKIE] = "Asia/Seoul"
    assert "as this device: Seoul (UTC+9)" in alices_page.get("/settings/").content.decode()
    data = {"section": "language", "language": "en"}
    alices_page.post("/settings/", data | {"time_zone": "Europe/Lisbon"})
    alice.refresh_from_db()
    assert (alice.time_zone, alice.name, alice.language) == ("Europe/Lisbon", "Alice", "en")
    assert alices_page.post("/settings/", data | {"time_zone": "Mars/Olympus"}).status_code == 422
    kind = {"content_type": "application/json"}
    assert alices_page.patch("/api/v1/me", {"time_zone": "Mars/Olympus"}, **kind).status_code == 400
    assert (
        alices_page.patch("/api/v1/me", {"time_zone": "Asia/Tokyo"}, **kind).json()["time_zone"]
        == "Asia/Tokyo"
    )


@pytest.mark.django_db
def test_a_mail_names_the_day_in_the_zone_of_its_reader(alice, bob):
    """No browser asks for a mail: what the device said last is kept."""
    alice.device_time_zone = "America/New_York"
    alice.save()
    for person in (alice, bob):
        erasure.ask(person, why=Why.REQUEST)
    Erasure.objects.update(due_at=datetime(2027, 1, 10, 2, tzinfo=UTC))
    erasure.notify_people()
    days = {message.to[0]: message.body for message in mail.outbox}
    assert "2027-01-09" in days["alice@example.com"]
    assert "2027-01-10" in days["bob@example.com"]


@pytest.mark.django_db
def test_without_a_script_times_are_the_clinics(alices_page, alices_submission):
    assert "(Japan time)" in page_of(alices_page, alices_submission)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Tokyo (UTC+9)", "Delhi, Mumbai (UTC+5:30)", "New York, Washington (UTC-"]),
        ("ja", ["東京（UTC+9）", "デリー、ムンバイ（UTC+5:30）", "ニューヨーク、ワシントン（UTC-"]),
    ],
)
@pytest.mark.django_db
def test_zones_are_named_by_cities_in_both_languages(alices_page, alice, language, words):
    alice.language, alice.time_zone = language, "America/Los_Angeles"
    alice.save()
    page = alices_page.get("/settings/").content.decode()
    assert all(each in page for each in words) and "Asia/Tokyo<" not in page and "_" not in str(words)
    assert '<option value="America/Los_Angeles" selected>' in page  # the stored value is the zone's name


@pytest.mark.django_db
def test_a_zone_that_is_in_no_list_is_kept(alices_page, alice):
    alice.time_zone = "America/Argentina/Ushuaia"
    alice.save()
    page = alices_page.get("/settings/").content.decode()
    assert '<option value="America/Argentina/Ushuaia" selected>Ushuaia (UTC-3)' in page
    data = {"section": "language", "language": "en", "time_zone": alice.time_zone}
    assert alices_page.post("/settings/", data).status_code == 302


def test_each_city_is_a_zone_with_a_japanese_name():
    assert set(CITIES) <= set(time_zones.names())
    with override("ja"):
        assert not [name for name in CITIES if str(CITIES[name]).isascii()]
