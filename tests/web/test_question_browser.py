"""Alice answers one question a screen, and nothing that she answered is lost."""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases import intake
from teleder.cases.answers import record_answer
from teleder.cases.models import Submission
from tests.conftest import CALM, PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
EACH_WAY = pytest.mark.parametrize(
    ("language", "size"), [("ja", "phone"), ("en", "phone"), ("ja", "desk"), ("en", "desk")]
)


def at(name: str, *args) -> str:
    return reverse(f"web:{name}", args=args)


def choose(page, value: str) -> None:
    """Tap a choice, and wait until the next page is there."""
    before = page.url
    page.click(f"button.pick[value={value}]")
    page.wait_for_url(lambda url: url != before)


def stored() -> dict[str, str]:
    return Submission.objects.get().answers


def chosen(page) -> str | None:
    found = page.locator("button.pick[aria-current=true]")
    return found.get_attribute("value") if found.count() else None


@EACH_WAY
def test_the_questions_and_their_advice_are_accessible(visit, is_accessible, alice, draft_of, language, size):
    draft = draft_of(alice)
    page = visit(alice, language=language, size=size)
    for address in (at("new"), at("new") + "?another=1", at("answers", draft.pk)):
        page.goto(address)
        is_accessible(page, language)
    for part in ("duration", "symptoms", "itch", "different", "allergies"):
        page.goto(at("history", draft.pk, part))
        is_accessible(page, language)
    record_answer(draft, question="fever", value="yes")
    for name in ("send", "advice"):
        page.goto(at(name, draft.pk))
        is_accessible(page, language)
    record_answer(draft, question="very_ill", value="yes")
    for address in (at("advice", draft.pk), at("question", draft.pk, 4), at("question", draft.pk, 9)):
        page.goto(address)
        is_accessible(page, language)


def test_reload_back_and_language_keep_every_answer_and_send_nothing_again(visit, alice):
    page, posts = visit(alice, size="phone"), []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    page.goto(at("new"))
    for value in ("no", "unsure", "no"):
        choose(page, value)
    sent, answers = len(posts), stored()
    assert sent == 3
    assert answers == {"very_ill": "no", "eye_symptoms": "unsure", "near_eye": "no"}
    page.reload()
    expect(page.locator(".where")).to_contain_text("4 / 12")
    page.go_back()
    expect(page.locator(".where")).to_contain_text("3 / 12")
    assert chosen(page) == "no"
    page.go_back()
    assert chosen(page) == "unsure"
    page.reload()
    assert chosen(page) == "unsure"
    page.click(".flowtop a:first-child")  # Back, of the page
    expect(page.locator(".where")).to_contain_text("1 / 12")
    page.click(".flowtop a:nth-of-type(2)")  # Later
    page.click(f"form[action='{at('language')}'] button[name=language]")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    page.goto(at("new"))
    page.click("main .btn-primary")
    expect(page.locator(".where")).to_contain_text("4 / 12")
    assert stored() == answers and len(posts) == sent + 1  # the switch of the language


def test_back_to_the_first_question_and_another_choice_open_no_second_draft(visit, alice):
    page = visit(alice, size="phone")
    page.goto(at("new"))
    choose(page, "no")
    page.go_back()
    page.goto(at("new") + "?another=1")  # as two tabs would have it
    page.go_back()
    expect(page.locator("main")).to_contain_text("not sent this yet")
    page.click("main .btn-primary")
    choose(page, "no")
    assert stored() == {"very_ill": "no", "eye_symptoms": "no"}


def test_the_end_of_a_session_loses_no_answer(visit, alice):
    page = visit(alice, size="phone")
    page.goto(at("new"))
    choose(page, "no")
    choose(page, "no")
    here = page.url
    Session.objects.all().delete()
    page.click("button.pick[value=yes]")
    page.wait_for_url("**" + reverse("account_login") + "**")
    page.fill("[name=login]", alice.email)
    page.fill("[name=password]", PASSWORD)
    page.click("main [type=submit]")
    page.wait_for_url(here + "?unsaved=1")
    expect(page.locator(".where")).to_contain_text("3 / 12")
    expect(page.get_by_role("alert")).to_contain_text("was not saved")
    choose(page, "yes")
    assert stored() == {"very_ill": "no", "eye_symptoms": "no", "near_eye": "yes"}


@pytest.mark.parametrize("scripts", [True, False])
def test_all_questions_can_be_answered_by_keyboard_and_without_scripts(visit, alice, scripts):
    page = visit(alice, java_script_enabled=scripts)
    page.goto(at("new"))
    for _ in CALM:
        before = page.url
        page.locator("button.pick[value=no]").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url, before=before: url != before)
    assert page.url.endswith(at("about", Submission.objects.get().pk)) and stored() == CALM


def test_an_emergency_says_whom_to_call_and_goes_on_afterwards(visit, alice):
    page = visit(alice, size="phone")
    page.goto(at("new"))
    choose(page, "no")
    choose(page, "yes")
    assert page.url.endswith(at("advice", Submission.objects.get().pk))
    expect(page.locator("a.call").first).to_have_attribute("href", "tel:119")
    page.reload()
    expect(page.locator("[role=alert]")).to_be_visible()
    page.click("a.btn-full:has-text('a few more questions, then photos')")
    expect(page.locator(".where")).to_contain_text("4 / 12")  # "without those eye problems" is not asked
    page.go_back()
    page.click("a:has-text('Change my answer')")
    expect(page.locator(".where")).to_contain_text("2 / 12")
    assert chosen(page) == "yes"
    choose(page, "no")
    assert Submission.objects.get().urgency == 2


@pytest.mark.parametrize("scripts", [True, False])
def test_what_to_say_on_the_phone_is_shown_large_and_closed_again(visit, alice, draft_of, scripts):
    draft = record_answer(draft_of(alice), question="very_ill", value="yes")
    page = visit(alice, size="phone", java_script_enabled=scripts)
    page.goto(at("advice", draft.pk))
    large, call = page.locator("#large"), page.locator("a.call").first
    expect(page.locator("#say")).to_contain_text("very drowsy, confused")
    expect(large).to_be_hidden()
    page.click("a[href='#large']")
    expect(large).to_contain_text("very drowsy, confused")
    expect(call).to_be_hidden()
    page.click("a[href='#say']")
    expect(large).to_be_hidden()
    expect(call).to_be_visible()


def test_dana_reads_that_alice_corrected_an_emergency(visit, alice, dana, draft_of, ai_is_open):
    draft = draft_of(alice)
    page = visit(alice, size="phone")
    page.goto(at("question", draft.pk, 1))
    choose(page, "yes")
    page.click("a:has-text('Change my answer')")
    choose(page, "no")
    draft.refresh_from_db()
    submission = intake.submit(draft, by=alice)
    assert submission.urgency == submission.rule_urgency == 2
    reader = visit(dana)
    reader.goto(at("review", submission.pk))
    expect(reader.locator("[aria-labelledby=answers-title] .is-yes")).to_contain_text(
        re.compile(r"very unwell.*No\s*was “Yes” until", re.S)
    )
    expect(reader.locator("#reasons")).to_contain_text("corrected")


# --- Place and history ----------------------------------------------------------------------------------
def test_alice_points_at_the_body_and_the_list_follows(visit, is_accessible, alice, draft_of):
    draft = draft_of(alice, photos=0)
    page = visit(alice, size="phone")
    page.goto(at("about", draft.pk))
    for place in (
        "[data-view=front] [data-site=hand][data-side=left] >> nth=1",
        "[data-view=front] [data-site=chest]",
    ):
        with page.expect_response(lambda reply: reply.request.method == "POST") as stored_by:
            page.locator(place).click()
        assert stored_by.value.status == 204
    page.reload()
    chosen = page.locator("[name=places]:checked")
    assert [box.get_attribute("value") for box in chosen.all()] == ["hand.left", "chest"]
    expect(page.locator("[data-chosen]")).to_have_text("Hand (left), chest")
    # The left hand is drawn in both views, and no other hand is marked.
    assert page.locator("[data-site=hand].on:not([data-side=left])").count() == 0
    assert page.locator("[data-view=back] [data-site=hand].on").count() == 2
    is_accessible(page, "en")
    with page.expect_response(lambda reply: reply.request.method == "POST"):
        page.locator("[data-view=front] [data-site=chest]").click()
    draft.case.refresh_from_db()
    assert [str(place) for place in draft.case.body_places] == ["hand.left"]


def test_what_scripts_write_has_readings_too(visit, is_accessible, alice, draft_of):
    draft = draft_of(alice, photos=0)
    page = visit(alice, size="phone", language="ja")
    page.goto(at("settings"))
    page.locator("[name=furigana]").check()
    with page.expect_navigation():
        page.locator(f"form[action='{at('display')}'] button").click()
    page.goto(at("about", draft.pk))
    with page.expect_response(lambda reply: reply.request.method == "POST"):
        page.locator("[value='hand.left']").click()
    chosen = page.locator("[data-chosen]")
    expect(chosen.locator("ruby rt")).to_have_text(["て", "ひだり"])
    expect(chosen).to_have_text("手て（左ひだり）")
    page.goto(at("history", draft.pk, "itch"))
    with page.expect_response(lambda reply: reply.request.method == "POST"):
        page.locator("[name=itch][value='9']").check(force=True)
    assert page.locator("[data-readout] ruby").count()
    assert "《" not in page.locator("main").inner_text()
    is_accessible(page, "ja")


def test_every_part_of_the_drawings_is_in_the_list(visit, alice, draft_of):
    page = visit(alice)
    page.goto(at("about", draft_of(alice, photos=0).pk))
    drawn = page.eval_on_selector_all(
        "[data-map] [data-site]",
        "all => all.map(({dataset: {site, side}}) => side ? `${site}.${side}` : site)",
    )
    listed = page.eval_on_selector_all("[name=places]", "all => all.map((one) => one.value)")
    one_sided = {value for value in listed if not value.endswith(".both")}
    assert one_sided - set(drawn) == {"widespread"} and set(drawn) <= one_sided


def test_alice_chooses_both_hands_and_may_take_one_away(visit, is_accessible, alice, draft_of):
    draft = draft_of(alice, photos=0)
    page = visit(alice, size="phone")
    page.goto(at("about", draft.pk))
    hand = "[data-view=front] [data-site=hand]"
    steps = [
        ("[value='hand.left']", ["hand.left"], "Hand (left)"),
        ("[value='hand.both']", ["hand.both"], "Hand (both)"),
        (f"{hand}[data-side=left] >> nth=1", ["hand.right"], "Hand (right)"),
    ]
    for target, places, words in steps:
        with page.expect_response(lambda reply: reply.request.method == "POST") as stored_by:
            page.locator(target).click()
        assert stored_by.value.status == 204
        expect(page.locator("[data-chosen]")).to_have_text(words)
        draft.case.refresh_from_db()
        assert [str(place) for place in draft.case.body_places] == places
        if places == ["hand.both"]:
            marked = page.locator("[data-site=hand].on")
            assert {one.get_attribute("data-side") for one in marked.all()} == {"left", "right"}
            is_accessible(page, "en")


def test_typed_text_is_kept_without_sending_the_page(visit, alice, draft_of):
    draft = draft_of(alice)
    page = visit(alice, size="phone")
    page.goto(at("history", draft.pk, "treatment"))
    expect(page.locator("[data-saved]")).to_be_hidden()
    with page.expect_response(lambda reply: reply.request.method == "POST") as stored_by:
        page.fill("#treatment", "cream since May")
        page.locator("#medicines").focus()
    assert stored_by.value.status == 204
    expect(page.locator("[data-saved]")).to_be_visible()
    page.reload()
    expect(page.locator("#treatment")).to_have_value("cream since May")
    page.click(".flowtop a:first-child")
    expect(page.locator(".where")).to_contain_text("6 / 8")
    page.go_back()
    expect(page.locator("#treatment")).to_have_value("cream since May")


@pytest.mark.parametrize("scripts", [True, False])
def test_place_and_history_by_keyboard_and_without_scripts(visit, alice, draft_of, scripts):
    draft = draft_of(alice)
    page = visit(alice, java_script_enabled=scripts)
    page.goto(at("about", draft.pk))
    for place in ("elbow_crease", "knee_crease.left"):
        page.locator(f"[name=places][value='{place}'], [name=places][value='{place}.right']").focus()
        page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**" + at("history", draft.pk, "duration"))
    page.locator("button[value=years]").focus()
    page.keyboard.press("Enter")
    for part in ("symptoms", "itch", "sleep", "different", "treatment", "allergies"):
        page.wait_for_url("**" + at("history", draft.pk, part))
        if part == "sleep":
            page.locator("[value='3']").focus()
            page.keyboard.press("Space")
        page.locator("main .btn-primary").focus()
        page.keyboard.press("Enter")
    page.wait_for_url("**" + at("photos", draft.pk))
    draft.refresh_from_db()
    assert ([str(place) for place in draft.case.body_places], draft.history) == (
        ["elbow_crease.right", "knee_crease.left"],
        {"duration": "years", "itch": 5, "sleep": 3},
    )


@pytest.mark.parametrize("scripts", [True, False])
def test_alice_updates_two_lines_of_the_review_and_sends(visit, alice, draft_of, scripts):
    draft = draft_of(alice)
    page = visit(alice, size="phone", java_script_enabled=scripts)
    page.goto(at("send", draft.pk))
    page.click(f"a[href*='{at('history', draft.pk, 'duration')}']")
    choose(page, "weeks_1_4")
    expect(page.locator("main")).to_contain_text("one to four weeks")
    page.locator("summary").click()
    page.click(f"a[href*='{at('question', draft.pk, 7)}']")
    choose(page, "unsure")
    expect(page.locator("h1")).to_contain_text("Ready to send?")
    page.click(".sticky button")
    page.wait_for_url("**" + draft.get_absolute_url())
    draft.refresh_from_db()
    assert (draft.status, draft.history["duration"]) == ("submitted", "weeks_1_4")
    assert draft.answers == CALM | {"cold_sore": "unsure"}
