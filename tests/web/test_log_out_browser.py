"""Logging out deletes photos that were not sent from this device; alice is told how many, and decides."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests.web.test_outbox_browser import FAILED, KEPT, Phone, wait_with_a_photo

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOME = re.compile(r"//[^/]+/$")
BUTTON = "form[action='/accounts/logout/'] button"


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "not sent yet are deleted. Photos: 1"), ("ja", "まだ送っていない写真1枚が消えます")],
)
def test_a_log_out_with_unsent_photos_asks_first(
    visit, is_accessible, alice, draft_of, photo_file, language, words
):
    phone = Phone(visit(alice, language=language, expected=FAILED), draft_of(alice, photos=0), photo_file)
    page = phone.open().page
    page.context.set_offline(True)
    phone.choose()
    expect(page.locator("[data-unsent]")).to_have_attribute("data-state", "offline", timeout=15_000)
    page.route("**/add/", lambda route: route.abort())
    page.context.set_offline(False)
    page.goto(reverse("web:settings"))
    page.click(BUTTON)
    page.wait_for_url("**" + reverse("account_logout"))
    expect(page.locator("#unsent-photos")).to_contain_text(words)
    assert page.locator("#unsent-photos a").get_attribute("href") == phone.address
    assert page.evaluate(KEPT) == [str(phone.draft.pk)]
    is_accessible(page, language)
    page.click("main [type=submit]")
    page.wait_for_url(HOME)
    assert page.evaluate(KEPT) == []


def test_photos_that_arrive_meanwhile_are_no_longer_named(visit, alice, draft_of, photo_file):
    phone = Phone(visit(alice, expected=FAILED), draft_of(alice, photos=0), photo_file).open()
    wait_with_a_photo(phone)
    phone.page.goto(reverse("web:settings"))
    phone.page.unroute("**/add/")
    phone.page.click(BUTTON)
    phone.page.wait_for_url("**" + reverse("account_logout"))
    phone.page.wait_for_function(f"({KEPT})().then(found => found.length === 0)", timeout=15_000)
    expect(phone.page.locator("#unsent-photos")).to_be_hidden()
    assert phone.draft.current_photos().count() == 1


def test_a_log_out_with_nothing_unsent_does_not_ask(visit, alice):
    page = visit(alice)
    page.goto(reverse("web:settings"))
    page.click(BUTTON)
    page.wait_for_url(HOME)
    assert "sessionid" not in {cookie["name"] for cookie in page.context.cookies()}
