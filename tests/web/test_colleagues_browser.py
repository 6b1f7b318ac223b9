"""Hand-over, second opinion, recent answers, templates and own texts in a real browser, in both languages and sizes."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases import colleagues, reading, replies, reviews
from teleder.cases.models import Status
from tests.web.harness import EACH_WAY

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "いつもの手当てを続けます。"}


@pytest.fixture
def mori(person):
    return person("mori", "dermatologist")


@pytest.fixture
def claimed(dana, mori, alices_submission):
    reviews.claim(alices_submission, by=dana)
    return alices_submission


def case(submission) -> str:
    return reverse("web:review", args=[submission.pk])


@EACH_WAY
def test_dana_asks_in_a_dialog_and_mori_answers(visit, is_accessible, claimed, dana, mori, language, size):
    page = visit(dana, size=size, language=language)
    page.goto(case(claimed))
    link = page.locator("a[data-dialog]").first
    link.click()
    dialog = page.locator("#colleague-dialog")
    expect(dialog.locator("input[name=to]")).to_be_focused()
    is_accessible(page, language)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(link).to_be_focused()
    link.click()
    dialog.locator("input[name=to]").check()
    dialog.locator("textarea").fill("疱疹を除外してよいですか")
    dialog.locator("textarea").press("Control+Enter")
    expect(page.locator("#colleagues")).to_contain_text("疱疹を除外してよいですか")
    moris = visit(mori, size=size, language=language)
    moris.goto(reverse("web:worklist") + "?show=opinion")
    expect(moris.locator("#strip .strip-row a")).to_be_visible()
    moris.goto(case(claimed))
    moris.locator("#colleagues textarea").fill("水疱はありません")
    moris.locator("#colleagues button").click()
    expect(moris.locator("#colleagues")).to_contain_text("水疱はありません")


@EACH_WAY
def test_dana_hands_the_case_over_in_a_dialog(visit, is_accessible, claimed, dana, mori, language, size):
    page = visit(dana, size=size, language=language)
    page.goto(case(claimed))
    page.locator("#id_text").fill("途中まで書きました。")
    page.locator("a[data-dialog]").nth(1).click()
    dialog = page.locator("#colleague-dialog")
    dialog.locator("input[name=to]").check()
    is_accessible(page, language)
    dialog.locator("textarea").fill("前回の写真と比べてください")
    dialog.locator("button.btn-primary").click()
    page.wait_for_url("**/worklist/**")
    claimed.refresh_from_db()
    assert (claimed.status, claimed.claimed_by) == (Status.IN_REVIEW, mori)


def test_without_a_script_both_are_pages_of_their_own(visit, is_accessible, claimed, dana, mori):
    page = visit(dana, size="desk", java_script_enabled=False)
    page.goto(case(claimed))
    page.locator("a[data-dialog]").nth(1).click()
    page.locator("input[name=to]").check()
    page.locator("form button.btn-primary").click()
    claimed.refresh_from_db()
    assert claimed.claimed_by == mori


@EACH_WAY
def test_recent_answers_are_accessible_and_one_is_taken_back(
    visit, is_accessible, claimed, dana, bob, submission_of, language, size
):
    reviews.sign(claimed, by=dana, **ANSWER)
    was_read = submission_of(bob)
    reviews.claim(was_read, by=dana)
    reviews.sign(was_read, by=dana, **ANSWER)
    reading.answer_for_patient(was_read)
    page = visit(dana, size=size, language=language)
    page.goto(reverse("web:recent_answers"))
    page.locator(".said summary").click()
    is_accessible(page, language)
    page.locator(".said textarea").fill("左右を書きまちがえたため")
    page.locator(".said form button").click()
    page.wait_for_url(f"**{case(claimed)}")
    claimed.refresh_from_db()
    assert claimed.status == Status.IN_REVIEW


@EACH_WAY
def test_templates_and_own_texts_are_accessible(visit, is_accessible, dana, adam, language, size):
    row = replies.save_version(
        adam.clinic, disposition="self_care", impression="AD", ja="下書きです。", en="A draft.", by=adam
    )
    page = visit(dana, size=size, language=language)
    page.goto(reverse("web:reply_templates"))
    is_accessible(page, language)
    page.locator(".said-line:has(.chip-care) a").click()
    is_accessible(page, language)
    page.locator("button[value=approve]").click()
    expect(page.locator("button[value=approve]")).to_have_count(0)
    row.refresh_from_db()
    assert row.approved_by == dana
    admins = visit(adam, size=size, language=language)
    admins.goto(reverse("web:reply_template") + "?disposition=self_care&impression=AD")
    is_accessible(admins, language)
    page.goto(reverse("web:own_texts"))
    page.locator("#id_title").fill("日焼け")
    page.locator("#id_text").fill("日焼けをさけます。")
    page.locator("main form .btn-primary").click()
    expect(page.locator(".said")).to_contain_text("日焼けをさけます。")
    is_accessible(page, language)


@EACH_WAY
def test_a_case_on_hold_says_so_and_its_request_is_withdrawn(visit, claimed, dana, language, size):
    reviews.request_photos(claimed, by=dana, reason="blurred")
    page = visit(dana, size=size, language=language)
    page.goto(case(claimed))
    expect(page.locator("#state")).to_contain_text({"ja": "保留中", "en": "on hold"}[language])
    page.locator("form[action$='/photos/withdraw/'] button").click()
    expect(page.locator("#state [data-mine]")).to_be_visible()


def test_dana_finds_a_diagnosis_and_signs_it(visit, claimed, dana):
    page = visit(dana, size="desk", language="ja")
    page.goto(case(claimed))
    page.locator("input[name=impression][value=other]").check()
    page.locator("#id_diagnosis").fill("疥癬")
    page.locator("input[name=confidence][value=high]").check()
    page.locator("input[name=disposition][value=appointment]").check()
    page.locator("#id_text").fill("2週間以内に皮膚科に行ってください。")
    page.locator("[data-sign]").click()
    page.wait_for_url("**/worklist/**")
    review = claimed.reviews.get()
    assert (review.diagnosis, review.confidence) == ("scabies", "high")


def test_an_opinion_that_was_given_stays_readable_after_the_answer(visit, claimed, dana, mori):
    asked = colleagues.ask_opinion(claimed, to=mori, by=dana, question="疱疹ですか")
    colleagues.give_opinion(asked, by=mori, opinion="いいえ")
    reviews.sign(claimed, by=dana, **ANSWER)
    page = visit(dana, size="desk", language="ja")
    page.goto(case(claimed))
    expect(page.locator("#colleagues")).to_contain_text("いいえ")
