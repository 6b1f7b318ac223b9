"""Dana sets the day for new photos; Bob sees it on the answer, on home and in his calendar."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone, translation

from teleder.accounts.models import Clinic
from teleder.cases import intake, replies, reviews
from teleder.cases.models import Review
from teleder.cases.plan import Plan
from teleder.web.patient import calendar

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "It looks like a flare.", "reason": ""}


@pytest.fixture
def claimed(dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    return alices_submission


def answered(submission, dana, days: int | None):
    plan = Plan(next_photo_on=days and timezone.localdate() + timedelta(days=days))
    return reviews.sign(submission, by=dana, plan=plan, **ANSWER)


def sign(client, dana, submission, **more):
    client.force_login(dana)
    return client.post(f"/review/{submission.pk}/answer/", ANSWER | more)


@pytest.mark.parametrize(
    ("choice", "days"), [("1", 7), ("2", 14), ("4", 28), ("usual", 14), ("none", None), ("", None)]
)
def test_dana_chooses_the_day_by_one_tap(client, dana, claimed, choice, days):
    assert sign(client, dana, claimed, next_photo=choice).status_code == 302
    wanted = days and timezone.localdate() + timedelta(days=days)
    assert Review.objects.get().next_photo_on == wanted


def test_dana_chooses_a_date_and_sees_it_before_she_signs(client, dana, claimed):
    on = timezone.localdate() + timedelta(days=10)
    given = {"next_photo": "date", "next_photo_date": on.isoformat()}
    page = sign(client, dana, claimed, preview="1", **given).content.decode()
    assert (
        f"{on:%a} {on.day} {on:%b}" in page
        and "Send photos of the same place" in page
        and not Review.objects.exists()
    )
    sign(client, dana, claimed, **given)
    assert Review.objects.get().next_photo_on == on


@pytest.mark.parametrize(
    ("date", "said"),
    [("", "Please give the date."), ("2020-01-01", "after today"), ("soon", "Enter a valid date.")],
)
def test_a_date_that_cannot_be_is_refused_and_nothing_is_lost(client, dana, claimed, date, said):
    reply = sign(client, dana, claimed, next_photo="date", next_photo_date=date)
    page = reply.content.decode()
    assert reply.status_code == 422 and said in page and "It looks like a flare." in page
    assert not Review.objects.exists()


@pytest.mark.parametrize("disposition", ["today", "emergency"])
def test_who_must_go_today_is_not_asked_for_photos_as_usual(client, dana, claimed, disposition):
    sign(client, dana, claimed, next_photo="usual", disposition=disposition)
    assert Review.objects.get().next_photo_on is None


def test_a_correction_begins_with_the_day_that_was_signed(client, dana, claimed):
    answered(claimed, dana, 9)
    client.force_login(dana)
    page = client.get(f"/review/{claimed.pk}/").content.decode()
    day = (timezone.localdate() + timedelta(days=9)).isoformat()
    assert f'value="{day}"' in page and re.search(r'value="date" checked', page)


def test_every_action_has_a_usual_time():
    assert all(weeks >= 0 for weeks in replies.texts()["next_photo_weeks"].values())


def test_the_api_takes_and_shows_the_day(client, dana, alice, claimed):
    client.force_login(dana)
    on = (timezone.localdate() + timedelta(days=14)).isoformat()
    kind, path = {"content_type": "application/json"}, f"/api/v1/submissions/{claimed.pk}/reviews"
    past = client.post(path, ANSWER | {"plan": {"next_photo_on": "2020-01-01"}}, **kind)
    assert past.status_code == 400
    signed = client.post(path, ANSWER | {"plan": {"next_photo_on": on}}, **kind)
    assert signed.status_code == 201 and signed.json()["plan"]["next_photo_on"] == on
    client.force_login(alice)
    assert client.get(path).json()[0]["plan"]["next_photo_on"] == on


# --- The patient ------------------------------------------------------------------------------------------
def test_alice_sees_the_day_with_its_weekday_and_the_days_left(client, dana, alice, claimed):
    answered(claimed, dana, 14)
    client.force_login(alice)
    on = timezone.localdate() + timedelta(days=14)
    words = f"{on:%a} {on.day} {on:%b}"
    page, home = (client.get(path).content.decode() for path in (claimed.get_absolute_url(), "/"))
    assert words in page and "in 14 days" in page and "Add to my calendar" in page
    assert f'<p class="when">{words}</p>' in page  # a step of the plan, too
    assert f"Next photos: {words}" in home and "in 14 days" in home


def test_on_the_day_home_says_that_it_is_time(client, dana, alice, claimed):
    answered(claimed, dana, 1)
    client.force_login(alice)
    alice.time_zone = "Pacific/Kiritimati"  # tomorrow begins here first, 5 hours before Tokyo
    alice.save()
    from tests.conftest import rewrite

    rewrite(Review.objects.all(), next_photo_on=timezone.localdate() - timedelta(days=1))
    assert "It is time for new photos" in client.get("/").content.decode()
    page = client.get(claimed.get_absolute_url()).content.decode()
    assert "It is time: take photos" in page and "Add to my calendar" not in page


def test_after_newer_photos_the_day_is_gone(client, dana, alice, claimed, photo_file):
    answered(claimed, dana, 14)
    follow_up = intake.start(patient=alice, answers=claimed.answers, case=claimed.case)
    intake.describe(follow_up, history={"itch": 3})
    intake.add_photo(follow_up, view="close_up", upload=photo_file())
    intake.submit(follow_up, by=alice, missing_photo="other")
    client.force_login(alice)
    page = client.get(claimed.get_absolute_url()).content.decode()
    assert "Next photos" not in page and "Send photos of the same place" not in page
    assert "Next photos" not in client.get("/").content.decode()
    assert client.get(f"/consultations/{claimed.pk}/next-photo.ics").status_code == 404


# --- The calendar file ------------------------------------------------------------------------------------
def lines_of(content: bytes) -> list[str]:
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    return content.decode().replace("\r\n ", "").split("\r\n")


def test_the_calendar_file_names_the_clinic_and_nothing_about_health(client, dana, alice, claimed):
    Clinic.objects.update(name="Mori; Sato, and\\Partners: 皮膚の科学と診療のための長い名前のクリニック")
    answered(claimed, dana, 14)
    client.force_login(alice)
    reply = client.get(f"/consultations/{claimed.pk}/next-photo.ics")
    assert reply["Content-Type"] == "text/calendar; charset=utf-8" and "no-store" in reply["Cache-Control"]
    lines = lines_of(reply.content)
    name = "Mori\\; Sato\\, and\\\\Partners: 皮膚の科学と診療のための長い名前のクリニック"
    assert f"SUMMARY:Take new photos for {name}" in lines
    on = timezone.localdate() + timedelta(days=14)
    assert f"DTSTART;VALUE=DATE:{on:%Y%m%d}" in lines
    assert lines[0] == "BEGIN:VCALENDAR" and lines[-2:] == ["END:VCALENDAR", ""]
    assert not any(
        word in reply.content.decode()
        for word in ("flare", "AD", "elbow", "Dana", "Alice", str(claimed.case))
    )


def test_another_patient_and_an_answer_without_a_day_have_no_calendar_file(client, dana, alice, bob, claimed):
    answered(claimed, dana, None)
    for person in (alice, bob):
        client.force_login(person)
        assert client.get(f"/consultations/{claimed.pk}/next-photo.ics").status_code == 404


@pytest.mark.parametrize("text", ["line\nbreak", "line\r\nbreak"])
def test_a_line_break_cannot_begin_a_property(text):
    assert calendar.escaped(text) == "line\\nbreak"


def test_the_title_is_in_the_language_of_the_reader(dana, claimed):
    review = answered(claimed, dana, 14)
    with translation.override("ja"):
        assert any("次の写真をとる日" in line for line in lines_of(calendar.calendar_of(review)))
