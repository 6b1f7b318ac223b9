"""Alice takes a photo from too far away: what her phone shows her, in both languages."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from contract import messages
from contract.messages import Stage
from contract.photos import PhotoAdvice
from teleder.cases import intake
from teleder.pipeline import results
from tests.conftest import MODEL, send_for_test

RETAKE = re.compile("Retake|とり直す")
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("language", "badge"), [("en", "Too far away"), ("ja", "遠すぎます")])
def test_the_advice_appears_while_alice_looks_and_she_may_go_on(
    visit, is_accessible, alice, draft_of, photo_file, analyse, stored, language, badge
):
    draft = draft_of(alice, photos=0)
    photo = intake.add_photo(draft, view="close_up", upload=photo_file())
    analyse(photo)
    stored(photo)
    page = visit(alice, language=language, size="phone")
    page.goto(reverse("web:photos", args=[draft.pk]))
    expect(page.locator("[data-photo] .chip")).to_be_visible()
    job, attempt = send_for_test(photo, Stage.CHECK)
    outcome = messages.Checked(advice=PhotoAdvice.TOO_FAR, skin=0.05, largest=0.04, lesion=0.01, model=MODEL)
    assert results.record(job=job, attempt=attempt, worker="w", outcome=outcome)
    expect(page.locator("[data-photo] .badge")).to_contain_text(badge, timeout=15_000)
    is_accessible(page, language)
    expect(page.locator("[data-photo] .btn-primary")).to_have_text(RETAKE)
    page.click("#continue")
    page.wait_for_url("**" + reverse("web:missing_photo", args=[draft.pk]))
