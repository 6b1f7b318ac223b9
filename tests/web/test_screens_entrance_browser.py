"""Screens 1 to 3 of the twelve that the product promises, in both languages, on a phone and at a desk.

Which test holds which screen (`test_the_table_names_tests_that_exist` reads this table):

1 sign-in, passkey: test_alice_logs_in_with_a_passkey_by_six_keys, test_staff_without_a_second_factor_set_one_up_first
2 consent, red flags: test_red_flags_are_told_and_every_answer_stays, test_an_emergency_says_whom_to_call_and_goes_on_afterwards
3 home: test_home_says_within_one_poll_that_the_answer_is_there
4 photos: test_four_photos_get_their_verdicts_and_arrive_once, test_nothing_is_lost_when_the_network_is_cut_at_every_request
5 place, history: test_place_and_history_by_keys_alone, test_place_and_history_by_keyboard_and_without_scripts
6 waiting: test_the_steps_pass_one_by_one_and_the_page_ends_at_the_answer
7 answer: test_the_answer_is_the_doctors_alone, test_the_answer_prints_without_the_frame
12 settings: test_language_mails_export_and_erasure
extra: test_every_page_keeps_the_rules_at_each_size (200 % text), test_nothing_moves_for_who_wants_less_motion,
  test_the_scripts_of_a_patients_pages_are_small (60 kB), `./run bench loading` (LCP)

Screens 8 to 11 are the diary's and the staff's. Of screen 2 "no upload step follows" does not hold: whoever has read the advice
may go on with photos. Of screen 12 messages by LINE, and of screen 7 an AI result that a doctor releases, are not in the product,
so that nothing here tests them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import translation
from playwright.sync_api import expect

from teleder.cases import reviews, triage
from teleder.cases.models import Submission
from teleder.cases.triage import Urgency
from teleder.notifications import outbox
from tests.conftest import PASSWORD
from tests.web.harness import EACH_WAY
from tests.web.test_passkey_browser import add_virtual_authenticator

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MOST_TABS, MOST_KEYS = 60, 6
POLL_MS = 15_000
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "Go on."}


def at(name: str, *args) -> str:
    return reverse(f"web:{name}", args=args)


def tab_to(page, selector: str) -> int:
    """Press Tab until an element of the selector has the focus; return how often."""
    for presses in range(1, MOST_TABS + 1):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return presses
    raise AssertionError(f"{selector} is not within {MOST_TABS} tabs of {page.url}")


def press(page, selector: str) -> None:
    """Reach a link or a button by Tab, and follow it by Enter."""
    tab_to(page, selector)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def type_into(page, selector: str, words: str) -> None:
    tab_to(page, selector)
    page.keyboard.type(words)


@pytest.mark.django_db(transaction=False)
def test_the_table_names_tests_that_exist():
    written = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*_browser.py"))
    written += Path(__file__).with_name("test_smaller_photos_browser.py").read_text()
    named = set(re.findall(r"\btest_\w+", __doc__))
    assert len(named) > 10
    assert {name for name in named if f"def {name}(" not in written} == set()


# --- Screen 1 -------------------------------------------------------------------------------------------
@EACH_WAY
def test_alice_logs_in_with_a_passkey_by_six_keys(visit, alice, language, size):
    alice.language = language
    alice.save()
    page = visit(language=language, size=size)
    add_virtual_authenticator(page)
    page.goto(reverse("account_login"))
    type_into(page, "[name=login]", alice.email)
    type_into(page, "[name=password]", PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    # She sets the key up,
    page.goto(at("settings"))
    press(page, f"a[href='{reverse('mfa_index')}']")
    press(page, f"main a[href='{reverse('mfa_add_webauthn')}']")
    type_into(page, "[name=password]", PASSWORD)  # asked for again before a key is added
    with page.expect_navigation():
        page.keyboard.press("Enter")
    type_into(page, "[name=name]", "phone")
    tab_to(page, "#mfa_webauthn_add")
    page.keyboard.press("Enter")
    page.wait_for_url("**" + reverse("mfa_view_recovery_codes"))
    # logs out,
    page.goto(at("settings"))
    press(page, f"form[action='{reverse('account_logout')}'] button")
    # and in again.
    page.goto(reverse("account_login"))
    page.wait_for_load_state("load")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # "skip to the content"
    keys = 2 + tab_to(page, "#passkey_login") + 1
    with page.expect_navigation(url=lambda url: url.endswith("/")):
        page.keyboard.press("Enter")
    assert keys <= MOST_KEYS
    expect(page.locator("body[data-person]")).to_have_count(1)


@EACH_WAY
def test_staff_without_a_second_factor_set_one_up_first(visit, dana, language, size):
    dana.language = language
    dana.save()
    page = visit(language=language, size=size)
    page.goto(reverse("account_login"))
    type_into(page, "[name=login]", dana.email)
    type_into(page, "[name=password]", PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    for _try in range(2):
        assert page.url.endswith(reverse("mfa_index"))
        page.goto(at("worklist"))


# --- Screen 2 -------------------------------------------------------------------------------------------
@EACH_WAY
def test_red_flags_are_told_and_every_answer_stays(visit, alice, language, size):
    alice.consents.all().delete()
    page = visit(alice, language=language, size=size)
    page.goto(at("new"))
    expect(page).to_have_url(re.compile(at("welcome") + "$"))  # nothing is asked before she agrees
    page.check("[name=care]")
    with page.expect_navigation():
        page.click("main .btn-primary")
    page.goto(at("new"))
    reported = {"fever": "yes", "grouped_blisters": "yes"}
    for question in triage.policy().questions:
        with page.expect_navigation():
            page.click(f"button.pick[value={reported.get(question['id'], 'no')}]")
    draft = Submission.objects.get()
    assert page.url.endswith(at("advice", draft.pk))
    alert = page.locator("[role=alert]")
    expect(alert).to_be_visible()
    with translation.override(language):
        told = triage.policy().advice_for(Urgency(draft.rule_urgency))
    expect(alert.locator("h1")).to_have_text(told["title"])
    expect(page.locator("main a[href^='tel:']").first).to_be_visible()
    page.click("main a.btn-quiet")  # change my answer
    kept = {id: answer for id, answer in Submission.objects.get().answers.items() if answer == "yes"}
    assert kept == reported
    numbers = [n for n, one in enumerate(triage.policy().questions, 1) if one["id"] in reported]
    for number in numbers:
        page.goto(at("question", draft.pk, number))
        expect(page.locator("button.pick[aria-current=true]")).to_have_attribute("value", "yes")
    page.goto(at("advice", draft.pk))
    page.click(".thumbzone a.btn-full")  # who has read it may go on
    expect(page).to_have_url(re.compile(at("about", draft.pk) + "$"))


# --- Screen 3 -------------------------------------------------------------------------------------------
@EACH_WAY
def test_home_says_within_one_poll_that_the_answer_is_there(
    visit, alice, alices_submission, dana, language, size
):
    page = visit(alice, language=language, size=size)
    page.clock.install()
    page.goto(at("home"))
    page.keyboard.press("Tab")
    skip = {"ja": "本文へ", "en": "Skip to the content"}[language]
    assert page.evaluate("document.activeElement.textContent") == skip
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    said = page.locator("#said[role=status]")
    expect(said).to_be_empty()
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    outbox.queue_messages()  # as the sweeper does each second
    page.clock.fast_forward(POLL_MS)
    arrived = {"ja": "お返事が届きました", "en": "Your answer has arrived."}[language]
    expect(page.locator(".card-warm")).to_contain_text(arrived)
    page.clock.fast_forward(1_000)
    expect(said).to_contain_text(arrived)
