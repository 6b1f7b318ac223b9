"""Dana in a blind study, in a real browser: she signs her impression, then sees the AI's opinion, and decides."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases import ai_opinion, reviews
from teleder.cases.models import FirstImpression
from tests.web.test_clinician_browser import HERPES, read  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
COVERED = {"en": "The AI asks you to look sooner.", "ja": "AIは早めに見ることを求めています。"}
OPENED = {
    "en": "The AI cannot rule out herpesvirus infection.",
    "ja": "AIはヘルペスウイルス感染症を除外できません。",
}
SIGNED = {
    "en": "Your signed first impression: atopic dermatitis",
    "ja": "署名した最初の印象：アトピー性皮膚炎",
}
CHOOSE = {"en": "Please choose your impression first.", "ja": "先に印象を選んでください。"}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_signed_impression_opens_it_and_the_answer_is_kept_beside_it(
    visit,
    is_accessible,
    dana,
    adam,
    alices_submission,
    read,  # noqa: F811
    settings,
    language,
):
    settings.HOLD_SECONDS = 0
    admins = visit(adam, language=language, size="desk")
    admins.goto(reverse("web:reading_study"))
    is_accessible(admins, language)
    admins.locator("[name=opening][value=study]").check()
    admins.locator("main form button").click()
    expect(admins.locator("[name=opening][value=study]")).to_be_checked()
    read(alices_submission, probabilities=HERPES)
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, language=language, size="desk")
    page.goto(reverse("web:review", args=[alices_submission.pk]))
    expect(page.locator("#verdict")).to_contain_text(COVERED[language])
    is_accessible(page, language)
    page.keyboard.press("a")
    expect(page.locator("#verdict .error")).to_contain_text(CHOOSE[language])
    page.keyboard.press("q")
    expect(page.locator("[name=impression]:checked")).to_have_count(1)
    chosen = page.locator("[name=impression]:checked").get_attribute("value")
    assert chosen == "AD" and not ai_opinion.is_open(alices_submission, dana)
    expect(page.locator("#verdict")).to_contain_text(COVERED[language])
    page.keyboard.press("a")
    expect(page.locator("#verdict")).to_contain_text(OPENED[language])
    expect(page.locator("#verdict")).to_contain_text(SIGNED[language])
    expect(page.locator("[data-layer=mask]")).to_be_visible()
    is_accessible(page, language)
    page.keyboard.press("w")
    page.locator("[name=disposition][value=today]").check()
    page.locator("#id_text").fill("Please see a doctor today.")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**done=**")
    row = FirstImpression.objects.get()
    assert (row.independent, row.final, row.ai_said) == ("AD", "HI", ["HI"])
    page.goto(reverse("web:reading_study"))
    expect(page.locator("tbody tr").first).to_contain_text({"en": "1 of 1", "ja": "1件中1件"}[language])
    expect(page.locator("main form")).to_have_count(0)
    is_accessible(page, language)
