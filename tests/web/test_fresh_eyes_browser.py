"""The same in a browser: focus, the copied link, choices that exclude each other, and notes that go."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases import reviews

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def at(name: str, *args) -> str:
    return reverse(f"web:{name}", args=args)


def test_none_excludes_the_other_choices(visit, alice, draft_of):
    draft = draft_of(alice)
    page = visit(alice)
    page.goto(at("history", draft.pk, "symptoms"))
    itch, none = page.locator("[value=itch]"), page.locator("[value=none]")
    for first, second in ((itch, none), (none, itch)):
        first.check()
        second.check()
        expect(first).not_to_be_checked()
    page.goto(at("history", draft.pk, "allergies"))
    none, entry = page.locator("[data-none]"), page.locator("[type=text][name=allergies]").first
    none.check()
    entry.fill("Nickel")
    expect(none).not_to_be_checked()
    expect(none).to_be_disabled()


def test_the_focus_is_on_what_is_wrong(visit, alice, draft_of):
    page = visit()
    page.goto(reverse("account_signup"))
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#id_name")).to_be_focused()
    draft, page = draft_of(alice), visit(alice)
    page.goto(at("about", draft.pk))
    for choice in page.locator("[name=places]:checked").all():
        choice.uncheck()
    page.get_by_role("button", name="Continue").click()
    said = page.locator("main .err")
    expect(said).to_be_focused()
    page.locator("[name=places][value=neck]").check()
    expect(said).to_be_hidden()


def test_a_link_is_copied_by_one_tap_and_its_end_is_seen(visit, alice, dana, submission_of):
    submission = submission_of(alice)
    reviews.claim(submission, by=dana)
    reviews.sign(submission, by=dana, impression="AD", disposition="self_care", text="Moisturise.")
    page = visit(alice, permissions=["clipboard-read", "clipboard-write"])
    page.goto(at("share", submission.pk))
    page.get_by_role("button", name="Make a link").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    address = page.locator("#address")
    assert page.evaluate("navigator.clipboard.readText()") == address.input_value()
    assert address.evaluate("field => field.scrollLeft + field.clientWidth >= field.scrollWidth - 2")
