"""At a desk no word of a staff page is cut in the middle where the rest would mean something else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from teleder.accounts.models import Relation
from teleder.cases import reviews, snoozing
from teleder.cases.models import Submission
from teleder.notifications import outbox

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# Of each element the parts of its text that stick out of it, or out of the window.
CUT = """all => all.filter(one => one.checkVisibility()).filter(one => one.scrollWidth > one.clientWidth + 1
    || one.getBoundingClientRect().right > innerWidth).map(one => one.outerHTML.slice(0, 150))"""
OVERLAP = """row => { const [a, b] = ['.urg', '.row-link'].map(name => row.querySelector(name).getBoundingClientRect());
    return a.right > b.left; }"""


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_head_of_a_case_cuts_nothing(visit, dana, alice, alices_submission, language):
    alice.patient.skin_type = 3
    alice.patient.save()
    Submission.objects.update(written_by=Relation.values[0])
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="desk", language=language)
    page.goto(reverse("web:review", args=[alices_submission.pk]))
    about = page.locator(".case-about")
    assert about.evaluate_all(CUT) == [] and about.locator("> *").evaluate_all(CUT) == []
    head = page.locator(".case-head").bounding_box()
    inside = about.bounding_box()
    assert head["y"] <= inside["y"] and inside["y"] + inside["height"] <= head["y"] + head["height"]
    assert head["height"] <= 70


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_dialog_of_a_hand_over_is_as_wide_as_its_content(
    visit, dana, person, alices_submission, language
):
    person("mori", "dermatologist")
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="desk", language=language)
    page.goto(reverse("web:review", args=[alices_submission.pk]))
    page.locator("a[data-dialog]").nth(1).click()
    dialog = page.locator("#colleague-dialog")
    expect(dialog.locator("input[name=to]")).to_be_focused()
    assert dialog.evaluate_all(CUT) == []


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_row_on_hold_is_readable(visit, dana, alices_submission, language):
    reviews.claim(alices_submission, by=dana)
    reviews.request_photos(alices_submission, by=dana, reason="blurred")
    page = visit(dana, size="desk", language=language)
    page.goto(reverse("web:worklist") + "?show=waiting")
    row = page.locator("[data-row]")
    assert not row.evaluate(OVERLAP)
    assert row.locator(".band, .urg").evaluate_all(CUT) == []
    box, band = row.locator(".row-a").bounding_box(), row.locator(".band").bounding_box()
    assert band["x"] + band["width"] <= box["x"] + box["width"] + 1, "the age band is seen"


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_row_shows_its_time_and_why_it_is_snoozed_in_full(visit, dana, alice, bob, submission_of, language):
    late, snoozed = submission_of(alice, crusts="yes"), submission_of(bob)
    Submission.objects.filter(pk=late.pk).update(due_at=timezone.now() - timedelta(minutes=75))
    snoozing.snooze(snoozed, by=dana, length="photos", reason="records")
    page = visit(dana, size="desk", language=language)
    page.goto(reverse("web:worklist"))
    list_end = page.locator(".rows-scroll").bounding_box()
    due = page.locator("[data-row] .due").bounding_box()
    assert due["x"] + due["width"] <= list_end["x"] + list_end["width"]
    page.goto(reverse("web:worklist") + "?show=snoozed")
    quality, why = page.locator(".row-b .q").bounding_box(), page.locator(".row-w > span").bounding_box()
    assert quality["x"] + quality["width"] <= why["x"]
    left, back = page.locator(".row-d").bounding_box(), page.locator(".row-w").bounding_box()
    assert left["x"] + left["width"] == pytest.approx(back["x"] + back["width"], abs=1), (
        "both end at the right"
    )


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_head_of_a_reply_stands_in_one_line(visit, dana, alices_submission, language):
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="desk", language=language)
    page.goto(reverse("web:review", args=[alices_submission.pk]))
    head = page.locator(".reply-head")
    assert head.locator("> label").bounding_box()["height"] < 30
    assert head.evaluate_all(CUT) == [] and head.locator("button").evaluate_all(CUT) == []


@pytest.mark.parametrize("where", ["worklist", "recent_answers"])
def test_on_a_phone_several_alarms_leave_room_for_the_page(visit, dana, alice, bob, submission_of, where):
    for patient in (alice, bob, alice):
        submission_of(patient, fever="yes", grouped_blisters="yes")
    outbox.queue_messages()
    page = visit(dana, size="phone")
    page.goto(reverse(f"web:{where}"))
    alarms = page.locator(".strip-urgent")
    expect(alarms).to_have_count(3, timeout=15_000)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    bar, strip = page.locator("header.bar").bounding_box(), page.locator("#strip").bounding_box()
    assert strip["y"] >= bar["y"] + bar["height"] - 1, "no alarm lies under the bar"
    assert strip["height"] <= 170, "the page below stays readable"
    first = alarms.first.bounding_box()
    assert first["y"] + first["height"] <= strip["y"] + strip["height"], "the first one is seen whole"
    last = alarms.last.get_by_role("link")
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_on_a_phone_a_time_that_is_over_lies_over_nothing(
    visit, is_accessible, dana, alice, submission_of, language
):
    submission_of(alice, crusts="yes")
    Submission.objects.update(due_at=timezone.now() - timedelta(minutes=75))
    page = visit(dana, size="phone", language=language)
    page.goto(reverse("web:worklist"))
    row = page.locator("[data-row]")
    due, link = row.locator(".due").bounding_box(), row.locator(".row-link").bounding_box()
    assert link["x"] + link["width"] <= due["x"] or link["y"] + link["height"] <= due["y"]
    is_accessible(page, language)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_label_of_the_filters_stands_before_its_field(visit, adam, alice, alices_submission, language):
    alice.name = "Charlotte Featherstonehaugh-Vanderbilt"
    alice.save(update_fields=["name"])
    page = visit(adam, size="desk", language=language)
    page.goto(reverse("web:cases_admin"))
    table = page.locator(".scroll.cases")
    assert table.evaluate("one => one.scrollWidth - one.clientWidth") <= 1, "who has a case is in view"
    assert page.locator("th a").bounding_box()["height"] < 30, "a case number stands in one line"
    for name in ("find", "status", "urgency", "holder", "age"):
        label, field = (
            page.locator(f"label[for={name}]").bounding_box(),
            page.locator(f"#{name}").bounding_box(),
        )
        assert label["x"] < field["x"] and label["y"] + label["height"] > field["y"], name
        assert label["height"] < 30, f"{name} stands in one line"


@pytest.mark.parametrize("language", ["ja", "en"])
def test_with_an_overdue_case_no_page_of_admins_scrolls_sideways(
    visit, is_accessible, adam, alices_submission, language
):
    Submission.objects.update(due_at=timezone.now() - timedelta(minutes=75))
    page = visit(adam, size="phone", language=language)
    for name in ("operations", "cases_admin", "people", "failed_logins"):
        page.goto(reverse(f"web:{name}"))
        expect(page.locator("nav.side")).to_be_visible()
        is_accessible(page, language)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_on_a_phone_the_panel_that_asks_for_photos_is_whole(visit, dana, alices_submission, language):
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="phone", language=language)
    page.goto(reverse("web:review", args=[alices_submission.pk]))
    page.locator("details.case-pop > summary").click()
    panel = page.locator("details.case-pop > form")
    expect(panel).to_be_visible()
    assert panel.evaluate_all(CUT) == [] and panel.locator("*").evaluate_all(CUT) == []


def test_the_end_of_a_previewed_letter_lies_under_no_alarm(visit, dana, alice, bob, submission_of):
    mine = submission_of(alice)
    reviews.claim(mine, by=dana)
    for _ in range(3):
        submission_of(bob, fever="yes", grouped_blisters="yes")
    outbox.queue_messages()
    page = visit(dana, size="desk")
    page.goto(reverse("web:review", args=[mine.pk]))
    expect(page.locator(".strip-urgent")).to_have_count(3, timeout=15_000)
    page.locator("input[name=impression]").first.check()
    page.locator("input[name=disposition]").first.check()
    page.locator("#id_text").fill("It looks like a flare of your eczema.")
    page.locator("#do-preview").click()
    phone = page.locator(".preview .phone")
    expect(phone).to_be_visible()
    letter, strip = phone.bounding_box(), page.locator("#strip").bounding_box()
    assert letter["y"] + letter["height"] <= strip["y"], "it ends above the alarms, and scrolls"
    head = page.locator(".case-head").bounding_box()
    assert page.locator(".preview").bounding_box()["y"] >= head["y"] + head["height"] - 1
