"""What alice typed is never lost with her session, and is nobody else's."""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases import intake
from tests.web.conftest import _session_of
from tests.web.test_script_requests_browser import LOGIN, log_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FAILED = re.compile(r"ERR_|status of (4|5)\d\d|^htmx:")
TYPED = "It spread\nsince Monday"
PAGE = re.compile(r"^[^?]*/about/different/(\?unsaved=1)?$")
KEPT = "Object.keys(localStorage).filter((key) => key.startsWith('teleder.words.')).length"


@pytest.fixture
def typing(visit, alice, alices_draft):
    """Alice's browser with words that the server does not have: her session ended while she typed."""
    page = visit(alice, expected=FAILED)
    page.goto(reverse("web:history", args=[alices_draft.pk, "different"]))
    page.wait_for_load_state("load")
    page.route("**/about/different/", lambda route: route.abort() if in_script(route) else route.continue_())
    Session.objects.all().delete()
    page.fill("#different", TYPED)
    return page


def log_in_here(page, person) -> None:
    origin = "/".join(page.url.split("/")[:3])
    page.context.add_cookies([_session_of(person, origin)])


def expect_nothing_kept(page) -> None:
    for _try in range(50):
        if page.evaluate(KEPT) == 0:
            return
        page.wait_for_timeout(100)
    raise AssertionError("words are still kept")


def in_script(route) -> bool:
    return route.request.headers.get("hx-request") == "true"


def history_of(draft) -> dict:
    draft.refresh_from_db()
    return draft.history


@pytest.mark.parametrize(("language", "words"), [("en", "is here again"), ("ja", "もう一度")])
def test_what_is_sent_after_the_session_is_there_after_the_log_in(
    typing, is_accessible, alice, alices_draft, language, words
):
    page = typing
    page.click("text=Continue >> nth=0")
    page.wait_for_url(LOGIN)
    alice.language = language
    alice.save(update_fields=["language"])
    page.unroute("**/about/different/")
    log_in(page, alice)
    page.wait_for_url(PAGE)
    expect(page.locator("#different")).to_have_value(TYPED)
    expect(page.locator("[data-brought-back]")).to_contain_text(words)
    expect(page.locator("[data-saved]")).to_be_visible()  # by itself
    assert history_of(alices_draft)["different"] == TYPED
    assert page.evaluate(KEPT) == 0
    is_accessible(page, language)


def test_what_a_script_could_not_store_is_there_after_the_log_in(typing, alice, alices_draft):
    typing.unroute("**/about/different/")
    typing.wait_for_url(LOGIN)  # the form is stored two seconds after the last key
    log_in(typing, alice)
    typing.wait_for_url(PAGE)
    expect(typing.locator("#different")).to_have_value(TYPED)
    expect(typing.locator("[data-saved]")).to_be_visible()
    assert history_of(alices_draft)["different"] == TYPED


def test_words_that_were_stored_elsewhere_since_are_newer(typing, alice, alices_draft):
    intake.describe(alices_draft, history={"different": "From my other phone"}, in_part=True)
    log_in_here(typing, alice)
    typing.reload()
    expect(typing.locator("#different")).to_have_value("From my other phone")
    expect(typing.locator("[data-brought-back]")).to_be_hidden()
    assert typing.evaluate(KEPT) == 0


def test_after_a_refusal_the_words_are_still_kept(typing, alice, alices_draft):
    log_in_here(typing, alice)
    typing.reload()
    typing.fill("#different", "x" * 2001)
    typing.click("text=Continue >> nth=0")
    expect(typing.locator(".err")).to_be_visible()
    Session.objects.all().delete()
    typing.fill("#different", "Shorter")
    typing.click("text=Continue >> nth=0")
    typing.wait_for_url(LOGIN)
    log_in(typing, alice)
    typing.wait_for_url(PAGE)
    expect(typing.locator("#different")).to_have_value("Shorter")


@pytest.mark.parametrize("who", ["bob", "dana"])
def test_somebody_else_on_the_same_device_never_meets_them(typing, request, settings, who):
    settings.STAFF_SECOND_FACTOR = False
    assert typing.evaluate(KEPT) == 1
    log_in_here(typing, request.getfixturevalue(who))
    typing.goto(reverse("web:settings"))
    assert typing.evaluate(KEPT) == 0


def test_they_go_when_the_draft_is_sent(typing, alice, alices_draft):
    intake.submit(alices_draft, by=alice)
    log_in_here(typing, alice)
    typing.goto(alices_draft.get_absolute_url())
    expect_nothing_kept(typing)


def test_they_go_when_alice_logs_out(typing, alice):
    log_in_here(typing, alice)
    typing.goto(reverse("web:settings"))
    assert typing.evaluate(KEPT) == 1
    typing.route("**/logout/", lambda route: route.fulfill(body="", content_type="text/html"))  # says nothing
    with typing.expect_navigation():  # after the script has looked for photos that are not sent
        typing.click("form[action='/accounts/logout/'] button")
    expect_nothing_kept(typing)
