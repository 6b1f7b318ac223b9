"""Dana looks first, in a real browser: her impression or the key `a` opens the AI's opinion."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases import ai_opinion, reviews
from teleder.cases.models import EventKind, FirstImpression
from tests.web.test_clinician_browser import EACH_WAY, HERPES, read  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
COVERED = {"en": "The AI asks you to look sooner.", "ja": "AIは早めに見ることを求めています。"}
OPENED = {
    "en": "The AI cannot rule out herpesvirus infection.",
    "ja": "AIはヘルペスウイルス感染症を除外できません。",
}
FIRST = {"en": "Show the AI's opinion first", "ja": "AIの意見を先に見る"}
KEEP = {"en": "Keep my impression and show the AI's opinion", "ja": "印象を保存してAIの意見を見る"}


@pytest.fixture
def mine(dana, alices_submission, read):  # noqa: F811
    read(alices_submission, probabilities=HERPES)
    reviews.claim(alices_submission, by=dana)
    return reverse("web:review", args=[alices_submission.pk])


@EACH_WAY
def test_choosing_an_impression_opens_it_in_place_and_a_reload_keeps_it(
    visit, is_accessible, dana, mine, language, size
):
    page = visit(dana, language=language, size=size)
    page.goto(mine)
    expect(page.locator("#verdict")).to_contain_text(COVERED[language])
    expect(page.locator("[data-layer]")).to_have_count(0)
    is_accessible(page, language)
    page.locator("#id_text").fill("So far")
    page.locator("[name=impression][value=AD]").check()
    expect(page.locator("#verdict")).to_contain_text(OPENED[language])
    expect(page.locator("[data-layer=mask]")).to_be_visible()
    expect(page.locator("#id_text")).to_have_value("So far")
    is_accessible(page, language)
    with page.expect_response(re.compile("/impression/")):
        page.locator("[name=impression][value=HI]").check()
    page.evaluate("localStorage.clear()")
    page.reload()
    expect(page.locator("[name=impression][value=HI]")).to_be_checked()
    row = FirstImpression.objects.get()
    assert (row.independent, row.latest, row.saw_ai_first) == ("AD", "HI", False)


def test_after_a_later_photo_it_is_covered_and_the_kept_draft_chooses_no_impression(
    visit, dana, alices_submission, mine
):
    page = visit(dana, language="en", size="desk")
    page.goto(mine)
    page.locator("#id_text").fill("So far")
    page.locator("[name=impression][value=AD]").check()
    expect(page.locator("#verdict")).to_contain_text(OPENED["en"])
    ai_opinion.close_for_new_photo(alices_submission)
    page.reload()
    expect(page.locator("#verdict")).to_contain_text(COVERED["en"])
    expect(page.locator("#id_text")).to_have_value("So far")
    expect(page.locator("[name=impression]:checked")).to_have_count(0)
    page.locator("[name=impression][value=AD]").check()
    expect(page.locator("#verdict")).to_contain_text(OPENED["en"])


@EACH_WAY
def test_the_button_and_its_key_open_it_first_and_this_is_recorded(
    visit, dana, alices_submission, mine, language, size
):
    page = visit(dana, language=language, size=size)
    page.goto(mine)
    expect(page.get_by_role("button", name=FIRST[language])).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator("#verdict")).to_contain_text(OPENED[language])
    expect(page.locator("[data-layer=map]")).to_be_visible()
    page.keyboard.press("m")
    expect(page.locator("[data-layer=mask]")).to_have_attribute("aria-pressed", "true")
    assert alices_submission.events.filter(kind=EventKind.AI_SEEN_FIRST, actor=dana).count() == 1
    expect(page.locator("#events li")).to_have_count(alices_submission.events.count())


@pytest.mark.parametrize("language", ["en", "ja"])
def test_without_scripts_a_button_keeps_the_impression_and_the_text(visit, dana, mine, language):
    page = visit(dana, language=language, size="desk", java_script_enabled=False)
    page.goto(mine)
    page.locator("#id_text").fill("So far")
    page.locator("[name=impression][value=AD]").check()
    page.get_by_role("button", name=KEEP[language]).click()
    expect(page.locator("#verdict")).to_contain_text(OPENED[language])
    expect(page.locator("#id_text")).to_have_value("So far")
    expect(page.locator("[name=impression][value=AD]")).to_be_checked()


def test_who_has_not_claimed_it_may_see_it_first(visit, dana, alices_submission, read):  # noqa: F811
    read(alices_submission, probabilities=HERPES)
    page = visit(dana, language="en", size="desk")
    page.goto(reverse("web:review", args=[alices_submission.pk]))
    expect(page.locator("#verdict")).to_contain_text("First claim the case")
    page.get_by_role("button", name=FIRST["en"]).click()
    expect(page.locator("#verdict")).to_contain_text(OPENED["en"])
