"""By keys: the letter follows an action that was changed after an undo, and an edited one of a calmer action is not signed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from teleder.cases import reviews
from teleder.cases.models import HeldAnswer
from tests.web.test_case_screen_browser import EACH_LANGUAGE, is_saved
from tests.web.test_clinician_browser import review

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ai_is_open"),
]


@pytest.fixture
def urgent(dana, alice, submission_of, settings):
    settings.HOLD_SECONDS = 60
    submission = submission_of(alice, very_ill="yes")
    reviews.claim(submission, by=dana)
    return submission


def test_after_an_undo_the_letter_follows_the_action(visit, dana, urgent):
    page = visit(dana, size="desk")
    page.goto(review(urgent))
    page.keyboard.press("t")
    page.keyboard.press("1")
    expect(page.locator("#id_text")).not_to_have_value("")
    expect(page.locator("[data-from-to]")).to_have_text(
        "emergency department now → go on with the usual care at home"
    )
    page.locator("#id_reason").fill("A mild eczema.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#strip [data-held]")).to_be_visible()
    calm = HeldAnswer.objects.get().answer
    page.locator("body").press("z")
    expect(page.locator("#id_text")).to_have_value(calm["text"])
    page.keyboard.press("y")
    page.keyboard.press("5")
    expect(page.locator("#id_text")).not_to_have_value(calm["text"])
    expect(page.locator("#id_reason")).to_be_hidden()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#strip [data-held]")).to_be_visible()
    signed = HeldAnswer.objects.get().answer
    assert (signed["disposition"], signed["template"].split("/")[:2]) == (
        "emergency",
        ["emergency", "unclear"],
    )
    assert signed["reason"] == "" and signed["today"] != calm["today"] and not signed["template_edited"]


@EACH_LANGUAGE
def test_an_edited_letter_of_a_calmer_action_is_kept_only_by_a_tick(
    visit, is_accessible, dana, urgent, language
):
    page = visit(dana, language=language, size="desk")
    page.goto(review(urgent))
    page.keyboard.press("t")
    page.keyboard.press("1")
    text, tick = page.locator("#id_text"), page.locator("[name=keep_text]")
    expect(text).not_to_have_value("")
    text.press("Control+End")
    text.press_sequentially(" Mine.")
    mine = text.input_value()
    text.press("Escape")
    page.locator("[name=disposition][value=emergency]").check()
    expect(tick).to_be_visible()
    expect(page.locator("#ready [data-ready=begun]")).to_be_visible()
    expect(text).to_have_value(mine)
    is_accessible(page, language)
    page.locator("[data-sign]").click()
    expect(page.locator("#not-signed")).to_be_focused()
    is_saved(page)
    page.reload()
    expect(tick).to_be_visible()
    expect(text).to_have_value(mine)
    page.locator("#insert-template").click()
    expect(page.locator("#replaced")).to_have_value(mine)
    expect(tick).to_have_count(0)
    is_saved(page)
