"""Open pages of dana and alice after their session has ended, in a real browser."""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases import reviews
from tests.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LOGIN = re.compile(r"/accounts/login/\?(ended=1&)?next=")


def log_in(page, person) -> None:
    page.fill("[name=login]", person.email)
    page.fill("[name=password]", PASSWORD)
    page.click("main [type=submit]")


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_poll_redirects_dana_to_the_log_in_and_back_to_her_text(
    visit, settings, dana, alices_submission, language
):
    settings.STAFF_SECOND_FACTOR = False
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="desk", language=language)
    address = reverse("web:review", args=[alices_submission.pk])
    page.goto(address)
    page.fill("#id_text", "Half of an ans")
    Session.objects.all().delete()
    page.wait_for_url(LOGIN, timeout=20_000)
    log_in(page, dana)
    page.wait_for_url("**" + address)
    expect(page.locator("#id_text")).to_have_value("Half of an ans")


def test_a_begun_correction_is_kept_after_the_log_in(visit, settings, dana, alices_submission):
    settings.STAFF_SECOND_FACTOR = False
    reviews.claim(alices_submission, by=dana)
    first = {"impression": "AD", "disposition": "self_care", "text": "Continue your usual care."}
    reviews.sign(alices_submission, by=dana, **first)
    page = visit(dana, size="desk")
    address = reverse("web:review", args=[alices_submission.pk])
    page.goto(address)
    page.click("#answer summary")
    expect(page.locator("#id_text")).to_have_value(first["text"])
    page.fill("#id_text", "Half of a corr")
    Session.objects.all().delete()
    page.wait_for_url(LOGIN, timeout=20_000)
    log_in(page, dana)
    page.wait_for_url("**" + address)
    expect(page.locator("#id_text")).to_have_value("Half of a corr")
    expect(page.locator("#id_text")).to_be_visible()
    # It is not a correction of another answer.
    reviews.amend(alices_submission, by=dana, **first | {"text": "It is impetigo.", "disposition": "today"})
    page.goto(address)
    page.click("#answer summary")
    expect(page.locator("#id_text")).to_have_value("It is impetigo.")


def test_alice_returns_to_her_submission_after_the_log_in(visit, alice, alices_submission):
    page = visit(alice)
    page.goto(alices_submission.get_absolute_url())
    Session.objects.all().delete()
    page.wait_for_url(LOGIN, timeout=20_000)
    log_in(page, alice)
    page.wait_for_url("**" + alices_submission.get_absolute_url())


def test_the_board_redirects_adam_to_the_log_in_and_back(visit, settings, adam):
    settings.STAFF_SECOND_FACTOR = False
    page = visit(adam, size="desk")
    page.goto(reverse("web:operations"))
    Session.objects.all().delete()
    page.wait_for_url(LOGIN, timeout=20_000)
    log_in(page, adam)
    page.wait_for_url("**" + reverse("web:operations"))
