"""A question that alice sent is gone from the field, whatever her browser stored meanwhile."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases import reviews
from tests.web.test_words_browser import expect_nothing_kept

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_sent_question_leaves_an_empty_field_though_storing_it_was_slower(
    visit, is_accessible, alice, dana, submission_of
):
    answered = submission_of(alice)
    reviews.claim(answered, by=dana)
    reviews.sign(answered, by=dana, impression="AD", disposition="self_care", text="Moisturise.")
    page, late = visit(alice, expected=re.compile(r"^htmx:|ERR_")), []

    def store_after_sending(route) -> None:
        if route.request.headers.get("hx-request") == "true":
            late.append(route)
        elif route.request.method == "POST":
            sent = route.fetch(max_redirects=0)
            late[-1].fetch()
            route.fulfill(response=sent)
        else:
            route.continue_()

    address = reverse("web:ask_back", args=[answered.pk])
    page.route(f"**{address}", store_after_sending)
    for n, words in enumerate(["May I swim?", "And run?", "And sleep?"], 1):
        page.goto(address)
        page.fill("#text", words)
        page.locator("h1").click()
        page.get_by_role("button", name="Send the question").click()
        expect(page.locator(".say-me")).to_have_count(n)
        if n < 3:
            expect(page.locator("#text")).to_have_value("")
            expect_nothing_kept(page)
        if n > 1:
            is_accessible(page, "en")
    assert late and answered.questions.count() == answered.questions.asked().count() == 3
