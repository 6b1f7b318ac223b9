"""Alice takes a photo from too far away: what her phone shows her, in both languages."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from contract import messages
from contract.messages import Stage
from contract.photos import PhotoAdvice
from teleder.pipeline import results
from tests.conftest import MODEL, send_for_test

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(
    ("language", "chip"), [("en", "Better taken again"), ("ja", "とり直しがおすすめです")]
)
def test_the_advice_appears_while_alice_looks_and_she_may_go_on(
    visit, is_accessible, alice, draft_of, analyse, stored, language, chip
):
    draft = draft_of(alice)
    photo = draft.photos.get()
    analyse(photo)
    stored(photo)
    page = visit(alice, language=language, size="phone")
    page.goto(reverse("web:photos", args=[draft.pk]))
    expect(page.locator(".tile .chip")).to_contain_text("…")
    job, attempt = send_for_test(photo, Stage.CHECK)
    outcome = messages.Checked(advice=PhotoAdvice.TOO_FAR, skin=0.05, largest=0.04, lesion=0.01, model=MODEL)
    assert results.record(job=job, attempt=attempt, worker="w", outcome=outcome)
    expect(page.locator(".tile .chip")).to_contain_text(chip, timeout=15_000)
    is_accessible(page, language)
    page.click("#tiles .button-primary")
    page.wait_for_url("**" + reverse("web:send", args=[draft.pk]))
