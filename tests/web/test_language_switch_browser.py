"""Nothing typed is lost by switching the language, and text sizes leave the pages usable."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# Each page of patients on which something can be typed or chosen beside the language switch, with what is typed.
# In the steps of a consultation there is no switch; what is typed there is stored at once (test_question_browser.py).
VISITORS = {
    "account_login": {"[name=login]": "alice@example.com"},
    "account_signup": {"[name=email]": "carol@example.com"},
    "account_reset_password": {"[name=email]": "carol@example.com"},
}
PATIENTS = {
    "web:settings": {"[name=name]": "花子", "[name=birth_year]": "1999"},
    "web:welcome": {"[name=birth_year]": "1998"},
    "account_email": {"input[name=email]:not([type=radio])": "new@example.com"},
}
SWITCH = "button.lang"


def switch_and_compare(page, typed: dict[str, str]) -> None:
    for field, words in typed.items():
        page.fill(f"main {field}", words)
    before = page.locator("html").get_attribute("lang")
    with page.expect_navigation():
        page.click(SWITCH)
    assert page.locator("html").get_attribute("lang") != before
    assert {field: page.input_value(f"main {field}") for field in typed} == typed


@pytest.mark.parametrize("name", VISITORS)
def test_a_visitor_switches_the_language_and_keeps_what_was_typed(visit, name):
    page = visit(language="ja")
    page.goto(reverse(name))
    switch_and_compare(page, VISITORS[name])


@pytest.mark.parametrize("name", PATIENTS)
def test_alice_switches_the_language_and_keeps_what_she_typed(visit, alice, name):
    page = visit(alice, language="ja")
    page.goto(reverse(name))
    switch_and_compare(page, PATIENTS[name])


def test_alice_switches_back_and_forth_at_once_and_each_page_is_there(visit, alice):
    """With one service worker for all languages: a page that is opened while another takes over stays blank in Chromium."""
    page = visit(alice, language="ja")
    page.goto(reverse("web:settings"))
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    for language in ("en", "ja", "en", "ja"):
        with page.expect_navigation():
            page.click(SWITCH)
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator("h1")).to_be_visible()
    assert (
        page.evaluate(
            "navigator.serviceWorker.getRegistration().then(({installing, waiting}) => installing || waiting)"
        )
        is None
    )


def test_choices_are_kept_and_passwords_are_not_stored(visit, alice):
    page = visit(alice, language="ja")
    page.goto(reverse("web:welcome"))
    page.check("[name=care]")
    with page.expect_navigation():
        page.click(SWITCH)
    assert page.is_checked("[name=care]")
    page.goto(reverse("account_change_password"))
    page.fill("[name=oldpassword]", "secret")
    page.evaluate(
        "document.querySelector('button.lang').form.addEventListener('submit', e => e.preventDefault())"
    )
    page.click(SWITCH)
    assert "secret" not in page.evaluate("JSON.stringify(sessionStorage)")


@pytest.mark.parametrize("furigana", [False, True])
def test_the_largest_text_works_on_a_narrow_phone(visit, is_accessible, alice, draft_of, furigana):
    draft = draft_of(alice)
    page = visit(alice, language="ja")
    page.goto(reverse("web:settings"))
    page.check("[name=text_size][value='4']")
    if furigana:
        page.check("[name=furigana]")
    page.click("form[action='/settings/display/'] button")
    page.wait_for_url("**" + reverse("web:settings"))
    assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "24px"
    assert page.locator("main ruby").count() > 0 if furigana else page.locator("ruby").count() == 0
    paths = [reverse(f"web:{name}") for name in ("home", "settings", "data", "emergency")]
    paths += [reverse("web:question", args=[draft.pk, 1]), reverse("web:photos", args=[draft.pk])]
    for path in [*paths, reverse("web:clinic_text", args=["terms"])]:
        page.goto(path)
        is_accessible(page, "ja")
