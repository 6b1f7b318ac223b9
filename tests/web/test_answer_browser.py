"""The answer form in a real browser: a refusal that cannot be missed, a lost claim, and a minute to undo."""

from __future__ import annotations

import re

import pytest
from django.db.models import F
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases import held, intake, reviews
from teleder.cases.models import AnswerDraft, HeldAnswer, Status, Submission
from teleder.notifications import on_call, outbox
from tests.web.test_clinician_browser import EACH_WAY, in_focus, read, review  # noqa: F401

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ai_is_open"),
]
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "いつもの手当てを続けます。"}


@pytest.fixture
def erik(person):
    return person("erik", "dermatologist")


@pytest.fixture
def urgent(dana, alice, submission_of):
    submission = submission_of(alice, fever="yes")
    reviews.claim(submission, by=dana)
    return submission


def fill(page, *, disposition: str = "self_care", text: str = ANSWER["text"]) -> None:
    page.locator("input[name=impression][value=AD]").check()
    page.locator("#id_text").fill(text)
    page.locator(f"input[name=disposition][value={disposition}]").check()


# --- A refusal --------------------------------------------------------------------------------------------
def test_the_reason_appears_beside_the_action_the_moment_it_is_lower(visit, dana, urgent):
    page = visit(dana, size="desk")
    page.goto(review(urgent))
    reason = page.locator("#id_reason")
    expect(reason).to_be_hidden()
    page.locator("input[name=disposition][value=today]").check()
    expect(reason).to_be_hidden()
    page.locator("input[name=disposition][value=self_care]").click()
    expect(reason).to_be_visible()
    expect(page.locator("[data-key='7']")).to_be_focused()  # the first of the ready reasons
    row = page.locator("#field-reason")
    below = page.locator("#field-disposition").bounding_box()
    gap = row.bounding_box()["y"] - below["y"] - below["height"]
    assert 0 <= gap < 20, "it stands directly under the action"
    page.locator("input[name=disposition][value=emergency]").check()
    expect(reason).to_be_hidden()


def test_by_arrow_keys_the_reason_appears_and_focus_stays_on_the_choice(visit, dana, urgent):
    page = visit(dana, size="desk")
    page.goto(review(urgent))
    page.locator("input[name=disposition][value=today]").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#id_reason")).to_be_visible()
    assert page.evaluate("document.activeElement.value") == "days_2"


def test_an_urgency_that_rises_while_dana_writes_asks_for_the_reason(visit, dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="desk")
    page.goto(review(alices_submission))
    fill(page)
    expect(page.locator("#id_reason")).to_be_hidden()
    Submission.objects.update(urgency=3)
    expect(page.locator("#id_reason")).to_be_visible(timeout=8_000)


@EACH_WAY
def test_a_refused_signature_cannot_be_missed(visit, is_accessible, dana, urgent, language, size):
    page = visit(dana, language=language, size=size)
    if size == "desk":
        page.set_viewport_size({"width": 1440, "height": 760})
    page.goto(review(urgent))
    address = page.url
    fill(page)
    page.locator("[data-sign]").click()
    summary = page.locator("#not-signed")
    expect(summary).to_be_focused()
    expect(summary).to_be_in_viewport()
    expect(summary).to_have_attribute("role", "alert")
    assert page.url == address, "the page was not left"
    assert re.match({"en": "Not signed", "ja": "署名できません"}[language], page.title())
    expect(page.locator("#id_text")).to_have_value(ANSWER["text"])
    expect(page.locator("#id_reason")).to_have_attribute("aria-invalid", "true")
    if size == "desk":  # the bar of Sign lies over the end of the column
        seen = "({left, bottom}) => document.elementFromPoint(left + 5, bottom - 3).id"
        corner = page.evaluate("document.querySelector('#error-reason').getBoundingClientRect().toJSON()")
        assert page.evaluate(seen, corner) == "error-reason"
    before_form = "document.querySelector('#not-signed').compareDocumentPosition(document.querySelector('#field-impression'))"
    assert page.evaluate(before_form) & 4, "the summary stands before the fields"
    is_accessible(page, language)
    summary.get_by_role("link").click()
    expect(page.locator("#id_reason")).to_be_in_viewport()
    page.locator("#id_reason").fill("A cold with fever.")
    page.locator("[data-sign]").click()
    expect(page.locator("#worklist")).to_be_visible()
    urgent.refresh_from_db()
    assert urgent.status == Status.ANSWERED


def test_without_scripts_the_refusal_is_where_the_page_opens(visit, dana, urgent):
    page = visit(dana, size="desk", java_script_enabled=False)
    page.goto(review(urgent))
    fill(page)
    page.locator("[data-sign]").click()
    expect(page.locator("#not-signed")).to_be_in_viewport()
    page.goto(page.url)  # a GET of that address
    expect(page.locator("#case-number")).to_have_text(urgent.case.number)


@EACH_WAY
def test_the_second_correction_sees_the_first_and_decides(
    visit, is_accessible, dana, erik, alices_submission, language, size
):
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    page = visit(dana, language=language, size=size)
    page.goto(review(alices_submission))
    page.locator("#answer > details > summary").click()
    reviews.amend(alices_submission, by=erik, **ANSWER | {"text": "By Erik.", "reason": "Seen."})
    page.locator("#id_text").fill("By Dana.")
    page.locator("#id_reason").fill("Read again.")
    page.locator("[data-sign]").click()
    expect(page.locator("#not-signed")).to_be_focused()
    expect(page.locator("#answer")).to_contain_text("By Erik.")
    expect(page.locator("#id_text")).to_have_value("By Dana.")
    is_accessible(page, language)
    page.locator("[name=start_again]").click()
    expect(page.locator("#id_text")).to_have_value("By Erik.")
    expect(page.locator("#replaced")).to_have_value("By Dana.")
    assert alices_submission.reviews.count() == 2


# --- A lost claim -----------------------------------------------------------------------------------------
@EACH_WAY
def test_a_claim_lost_while_typing_stops_the_form_and_erik_gets_the_text(
    visit, is_accessible, dana, erik, adam, alices_submission, language, size
):
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, language=language, size=size)
    page.goto(review(alices_submission))
    page.locator("#id_text").fill("Half an answer")
    reviews.reassign(alices_submission, to=erik, by=adam)
    expect(page.locator("#lost")).to_be_focused(timeout=10_000)
    expect(page.locator("[data-sign]")).to_be_disabled()
    expect(page.locator("#id_text")).to_have_value("Half an answer")
    assert page.locator("#id_text").evaluate("one => one.readOnly")
    is_accessible(page, language)
    assert AnswerDraft.objects.get(author=dana).typed["text"] == "Half an answer"
    eriks = visit(erik, language=language, size=size)
    eriks.goto(review(alices_submission))
    expect(eriks.locator("#other-drafts")).to_contain_text("Half an answer")
    is_accessible(eriks, language)
    eriks.locator("[name=use_draft]").click()
    expect(eriks.locator("#id_text")).to_have_value("Half an answer")


def test_the_browser_killed_while_writing_loses_nothing_on_another_device(visit, dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="desk")
    page.goto(review(alices_submission))
    page.locator("#id_text").fill("Half an answer")
    expect(page.locator("#draft-state")).not_to_be_empty(timeout=8_000)
    assert page.evaluate("Object.keys(localStorage).filter(key => key.includes('draft'))") == []
    page.context.close()
    other = visit(dana, size="desk")
    other.goto(review(alices_submission))
    expect(other.locator("#id_text")).to_have_value("Half an answer")


# --- A minute to undo -------------------------------------------------------------------------------------
@pytest.fixture
def a_minute(settings) -> None:
    settings.HOLD_SECONDS = 60


@EACH_WAY
def test_dana_signs_sees_the_strip_and_takes_it_back_with_z(
    visit, is_accessible, dana, alice, bob, submission_of, a_minute, language, size
):
    first, following = submission_of(alice), submission_of(bob)
    reviews.claim(first, by=dana)
    page = visit(dana, language=language, size=size)
    page.goto(review(first))
    fill(page)
    page.locator("#id_text").press("Control+Enter")
    expect(page.locator("#case-number")).to_have_text(following.case.number)
    strip = page.locator("#strip [data-held]")
    expect(strip).to_contain_text(first.case.number)
    expect(strip.locator("[data-seconds]")).to_have_text(re.compile(r"^[0-9]+ s$"))
    is_accessible(page, language)
    page.goto(reverse("web:settings"))
    expect(page.locator("#strip")).to_contain_text(first.case.number)
    page.keyboard.press("z")
    expect(page.locator("#case-number")).to_have_text(first.case.number)
    expect(page.locator("#id_text")).to_have_value(ANSWER["text"])
    expect(page.locator("#strip [data-held]")).to_have_count(0)
    assert not HeldAnswer.objects.exists() and not first.reviews.exists()


def test_the_sweeper_sends_although_the_browser_is_closed(visit, dana, alice, alices_submission, a_minute):
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="desk")
    page.goto(review(alices_submission))
    fill(page)
    page.locator("[data-sign]").click()
    expect(page.locator("#strip [data-held]")).to_be_visible()
    page.context.close()
    alices = visit(alice)
    alices.goto(reverse("web:submission", args=[alices_submission.pk]))
    expect(alices.locator("#status")).not_to_contain_text(ANSWER["text"])
    from datetime import timedelta

    HeldAnswer.objects.update(send_at=F("send_at") - timedelta(seconds=61))
    held.send_due()
    expect(alices.locator("#status")).to_contain_text(ANSWER["text"])


@EACH_WAY
def test_a_photo_of_alice_stops_it_and_calls_dana(
    visit, is_accessible, dana, alices_submission, photo_file, a_minute, language, size
):
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    page = visit(dana, language=language, size=size)
    page.goto(reverse("web:worklist"))
    expect(page.locator("#strip [data-held]")).to_be_visible()
    intake.add_photo(alices_submission, view="close_up", upload=photo_file())
    stopped = page.locator("#strip .strip-stopped")
    expect(stopped).to_contain_text(alices_submission.case.number, timeout=8_000)
    expect(stopped).to_have_attribute("role", "alert")
    is_accessible(page, language)
    stopped.get_by_role("link").click()
    expect(page.locator("#id_text")).to_have_value(ANSWER["text"])
    expect(page.locator("#answer [role=alert]")).to_be_visible()
    is_accessible(page, language)


@EACH_WAY
def test_dana_takes_an_unread_answer_back(visit, is_accessible, dana, alices_submission, language, size):
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    page = visit(dana, language=language, size=size)
    page.goto(review(alices_submission))
    page.locator(".take-back summary").click()
    is_accessible(page, language)
    page.locator("#id_take_back").fill("Left and right were mixed up.")
    page.locator(".take-back button").click()
    expect(page.locator("#id_text")).to_have_value(ANSWER["text"])
    alices_submission.refresh_from_db()
    assert alices_submission.status == Status.IN_REVIEW


def test_once_sent_no_notice_says_that_it_can_be_undone_and_focus_stays_on_the_page(
    visit, dana, bob, alices_submission, submission_of, settings
):
    settings.HOLD_SECONDS = 60
    following = submission_of(bob)
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="desk")
    page.goto(review(alices_submission))
    fill(page)
    page.locator("[data-sign]").click()
    page.wait_for_url(f"**{review(following)}*")
    notice = page.locator("[role=status] .notice-success")
    expect(notice).to_contain_text("you can undo it")
    page.locator("#strip [data-held] form").nth(1).get_by_role("button").click()
    expect(page.locator("#strip [data-held]")).to_have_count(0)
    expect(notice).to_have_text(f"The answer to {alices_submission.case.number} was sent.")
    assert in_focus(page) == "case"


# --- Urgent cases -----------------------------------------------------------------------------------------
@EACH_WAY
def test_an_urgent_case_is_announced_on_an_open_page_and_acknowledged(
    visit, is_accessible, dana, alice, submission_of, language, size
):
    page = visit(dana, language=language, size=size)
    page.goto(reverse("web:settings"))
    expect(page.locator("#strip")).to_be_empty()
    urgent = submission_of(alice, fever="yes")
    outbox.queue_messages()
    on_call.tell_on_call()
    row = page.locator("#strip [data-urgent]")
    expect(row).to_contain_text(urgent.case.number, timeout=8_000)
    expect(row).to_have_attribute("role", "alert")
    assert page.title().startswith("(!1) ")
    is_accessible(page, language)
    row.get_by_role("button").click()
    expect(page.locator("#strip [data-urgent]")).to_have_count(0)
    expect(page).not_to_have_title(re.compile(r"^\(!"))


def test_the_announcement_leaves_focus_and_text_alone(visit, dana, alice, bob, submission_of):
    mine = submission_of(alice)
    reviews.claim(mine, by=dana)
    page = visit(dana, size="desk")
    page.goto(review(mine))
    page.locator("#id_text").fill("Half an answer")
    submission_of(bob, eye_symptoms="yes")
    outbox.queue_messages()
    expect(page.locator("#strip [data-urgent]")).to_be_visible(timeout=8_000)
    assert in_focus(page) == "id_text"
    expect(page.locator("#id_text")).to_have_value("Half an answer")
