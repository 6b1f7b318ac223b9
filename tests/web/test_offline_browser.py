"""Without a connection a patient's browser shows our own page, in the patient's language, and goes on when it is back."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases.models import Status, Submission
from tests.conftest import CALM
from tests.web.harness import EACH_WAY
from tests.web.test_question_browser import at, choose, stored

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CUT = re.compile("ERR_INTERNET_DISCONNECTED|ERR_FAILED|Failed to fetch")
PATIENCE_MS = 20_000  # the page asks after 3, 6 and 12 s; Playwright keeps the service worker offline longer than the page
KEPT = """async () => {
    const opened = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
    return (await Promise.all(opened.map((cache) => cache.keys()))).flat().map((key) => key.url);
}"""

WAIT_FOR_NOTE = """async (page) => {
    const noted = async () => (await caches.match("/offline/", { cacheName: "teleder-language" }))?.text();
    for (let n = 0; n < 100 && (await noted()) !== page; n++) await new Promise((next) => setTimeout(next, 50));
}"""


def wait_for_worker(page) -> None:
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    page.wait_for_function("navigator.serviceWorker.controller !== null")


@EACH_WAY
def test_without_a_connection_our_own_page_says_so_and_leads_back(
    visit, is_accessible, alice, draft_of, language, size
):
    draft = draft_of(alice)
    page = visit(alice, language=language, size=size, expected=CUT)
    page.goto(at("question", draft.pk, 3))
    wait_for_worker(page)
    kept = page.evaluate(KEPT)
    offline_pages = [f"?language={way}" for way in ("en", "ja", "ja&furigana=1")]
    assert sorted(url.rpartition("/")[2] for url in kept) == [
        "",  # the language
        *sorted(page + unsent for page in offline_pages for unsent in ("", "&unsent=1")),
        "mark.svg",
        "patient.css",
        "reconnect.js",
        "text-size",
    ]
    page.context.set_offline(True)
    page.click("button.pick[value=unsure]")
    expect(page.locator("h1")).to_contain_text({"ja": "電波がありません", "en": "No connection"}[language])
    unsent = {"ja": "最後に押したものは、送られていません", "en": "What you tapped last was not sent"}[
        language
    ]
    expect(page.locator("main .note")).to_contain_text(unsent)
    expect(page.locator("a[href='tel:119']")).to_be_visible()
    is_accessible(page, language)
    page.click(
        "main .btn-primary"
    )  # still no connection: nothing is sent now, and the page says nothing else
    expect(page.locator("h1")).to_be_visible()
    expect(page.get_by_text(unsent)).to_have_count(0)
    page.context.set_offline(False)
    expect(page.locator(".where")).to_contain_text("3 / 12", timeout=PATIENCE_MS)
    assert stored() == CALM
    choose(page, "unsure")
    assert stored()["near_eye"] == "unsure"


def test_when_the_connection_is_back_the_page_goes_on_from_the_form(visit, alice, draft_of):
    """Also where the form was sent to an address that is no page."""
    draft = draft_of(alice)
    page = visit(alice, language="en", size="phone", expected=CUT)
    page.goto(at("history", draft.pk, "different"))
    wait_for_worker(page)
    page.context.set_offline(True)
    page.locator("#different").press_sequentially("It looks different")
    page.goto(at("home"))
    expect(page.locator("h1")).to_contain_text("No connection")
    expect(page.locator("[data-forms]")).to_have_text("Pages with text that is not saved yet (1)")
    expect(page.locator("[data-photos]")).to_be_hidden()
    expect(page.get_by_text("When the connection is back, we go on by ourselves.")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("h1")).to_contain_text("Hello", timeout=PATIENCE_MS)
    page.context.set_offline(True)
    page.locator(f"form[action='{at('withdraw', draft.pk)}'] button").click()
    expect(page.locator("main .note")).to_contain_text("What you tapped last was not sent")
    page.context.set_offline(False)
    expect(page.locator("h1")).to_contain_text("Hello", timeout=PATIENCE_MS)
    assert Submission.objects.get(pk=draft.pk).status == Status.DRAFT


def test_the_page_goes_on_where_the_browser_says_online_too_early(visit, alice):
    page = visit(alice, expected=CUT)
    page.add_init_script(
        """Object.defineProperty(navigator, "onLine", { value: true });
        addEventListener("online", (event) => event.stopImmediatePropagation());"""
    )
    page.goto(at("home"))
    wait_for_worker(page)
    page.context.set_offline(True)
    page.goto(at("settings"))
    expect(page.get_by_text("When the connection is back, we go on by ourselves.")).to_be_visible()
    page.wait_for_timeout(4_000)  # it has asked once, for nothing
    expect(page.locator("h1")).to_contain_text("No connection")
    page.context.set_offline(False)
    expect(page.locator("h1")).to_contain_text("Settings", timeout=PATIENCE_MS)


def test_readings_language_and_text_size_of_the_last_page_are_those_of_the_offline_page(visit, alice):
    page = visit(alice, language="ja", expected=CUT)
    page.goto(at("settings"))
    wait_for_worker(page)
    page.check("[name=furigana]")
    page.check("[name=text_size][value='4']")
    with page.expect_navigation():
        page.click(f"form[action='{at('display')}'] button")
    page.evaluate(WAIT_FOR_NOTE, "?language=ja&furigana=1")
    page.context.set_offline(True)
    page.goto(at("home"))
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    expect(page.locator("html")).to_have_attribute("data-text", "4")
    expect(page.locator("main ruby").first).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator(".tabs")).to_be_visible(timeout=PATIENCE_MS)
    page.goto(at("settings"))
    with page.expect_navigation():
        page.click("button.lang")
    page.evaluate(WAIT_FOR_NOTE, "?language=en")
    page.context.set_offline(True)
    page.goto(at("home"))
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("h1")).to_contain_text("No connection")


def test_the_offline_page_says_nothing_about_a_person(client, alice):
    for language in ("ja", "en"):
        address = at("offline") + f"?language={language}"
        client.logout()
        before = client.get(address).content
        client.force_login(alice)
        assert client.get(address).content == before and f'lang="{language}"'.encode() in before


def test_the_service_worker_is_the_same_in_every_language():
    scripts = set()
    for language in ("ja", "en"):
        client = Client(headers={"Accept-Language": language})
        scripts.add(client.get(reverse("web:service_worker")).content)
    assert len(scripts) == 1
