"""By keyboard alone: focus never falls to the body, dialogs begin at their first choice, and keys say why they do nothing."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases import reviews
from teleder.cases.models import Submission

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ai_is_open"),
]
IN_FOCUS = "document.activeElement.id || document.activeElement.className"


def case(submission) -> str:
    return reverse("web:review", args=[submission.pk])


def test_a_snooze_is_chosen_by_its_key_and_focus_goes_to_the_next_row(visit, dana, alice, bob, submission_of):
    first, second = submission_of(alice), submission_of(bob)
    page = visit(dana, size="desk")
    page.goto(reverse("web:worklist"))
    expect(page.locator("#list-title")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator(f"#open-{first.pk}")).to_be_focused()
    page.keyboard.press("h")
    dialog = page.locator("#ask")
    expect(dialog.locator("[data-key='1']")).to_be_focused()
    assert dialog.evaluate("one => one.scrollWidth <= one.clientWidth")
    page.keyboard.press("1")
    expect(dialog).to_be_hidden()
    expect(page.locator(f"#open-{second.pk}")).to_be_focused()
    expect(page.locator("#preview")).to_contain_text(second.case.number)
    first.refresh_from_db()
    assert first.snoozed_until


def test_the_panel_that_asks_for_photos_takes_focus_and_escape_closes_it(visit, dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="desk")
    page.goto(case(alices_submission))
    page.keyboard.press("Shift+P")
    expect(page.locator("#id_reason_photos")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#id_reason_photos")).to_be_hidden()
    expect(page.locator(".case-pop > summary")).to_be_focused()


def test_the_next_photo_keeps_focus_and_a_layer_that_is_not_there_says_so(
    visit, dana, alice, submission_of, analyse, stored
):
    submission = submission_of(alice, photos=2)
    for photo in submission.photos.all():
        analyse(photo)
    reviews.claim(submission, by=dana)
    page = visit(dana, size="desk")
    page.goto(case(submission))
    page.locator("[data-wide]").focus()
    shown = page.locator("#photo-shown").get_attribute("value")
    page.keyboard.press("]")
    expect(page.locator("#photo-shown")).not_to_have_value(shown)
    expect(page.locator("#viewer")).to_be_focused()
    page.locator("[data-layer]").evaluate_all("all => all.forEach(one => one.remove())")
    page.keyboard.press("h")
    expect(page.locator("#news")).to_contain_text("This layer is not there yet")


def test_given_back_the_list_begins_at_its_heading(visit, dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="desk")
    page.goto(case(alices_submission))
    page.keyboard.press("u")
    page.wait_for_url("**/worklist/")
    expect(page.locator("#list-title")).to_be_focused()
    assert Submission.objects.get().claimed_by is None
