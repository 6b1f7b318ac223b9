"""What moved or stopped under the hands of staff who walked the pages for the first time, and no longer does."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases import held, reviews
from teleder.cases.models import Photo, Submission
from teleder.notifications import outbox
from tests.web.test_clinician_browser import HERPES, read, review  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "It looks like a flare of your eczema."}


@pytest.mark.parametrize("where", ["worklist", "case", "operations"])
def test_an_alarm_moves_nothing(visit, dana, adam, alice, bob, submission_of, read, where):  # noqa: F811
    mine = read(submission_of(bob))
    reviews.claim(mine, by=dana)
    page = visit(adam if where == "operations" else dana, size="desk")
    page.goto({"case": review(mine)}.get(where) or reverse(f"web:{where}"))
    if where == "case":
        expect(page.locator(".pic.is-placed")).to_be_visible()
    parts = [page.locator(part).first for part in ("main", "main h1", "header.bar")]
    parts += [page.locator(part) for part in (["[data-sign]"] if where == "case" else [])]
    before = [part.bounding_box() for part in parts]
    submission_of(alice, fever="yes", grouped_blisters="yes")
    outbox.queue_messages()
    alarm = page.locator(".strip-urgent")
    expect(alarm).to_be_visible(timeout=15_000)
    expect(alarm).to_be_in_viewport(ratio=1)
    after = [part.bounding_box() for part in parts]
    if where == "operations":  # its board has news of its own below its heading
        before, after = before[1:], after[1:]
    assert after == before
    for button in page.locator("main :is(button, a.btn)").all():
        if not button.is_visible():
            continue
        box, row = button.bounding_box(), alarm.bounding_box()
        if box["y"] + box["height"] <= 900:
            assert where == "operations" or box["y"] + box["height"] <= row["y"] + 1, "it covers no control"


def test_the_legend_says_what_is_on(visit, dana, alice, submission_of, read):  # noqa: F811
    mine = read(submission_of(alice), probabilities=HERPES)
    reviews.claim(mine, by=dana)
    page = visit(dana, size="desk")
    page.goto(review(mine))
    page.keyboard.press("q")
    expect(page.locator("[data-layer=map]")).to_be_visible()
    expect(page.locator(".legend")).to_be_hidden()
    for key, words in (("m", "Outline: the lesion"), ("b", "Boxes: areas"), ("h", "Heat: what spoke for")):
        page.keyboard.press(key)
        expect(page.locator(".legend")).to_contain_text(words)
        expect(page.locator(".legend li:visible")).to_have_count("mbh".index(key) + 1)
    page.keyboard.press("b")
    expect(page.locator(".legend li:visible")).to_have_count(2)


def test_a_blurred_photo_is_sharp_only_in_the_chosen_row(visit, dana, alice, bob, submission_of, read):  # noqa: F811
    for submission in (read(submission_of(alice)), read(submission_of(bob))):
        submission.case.body_site, submission.case.places = "groin", [{"site": "groin", "side": ""}]
        submission.case.save()
    for photo in Photo.objects.all():
        Photo.objects.filter(pk=photo.pk).update(veiled_key=photo.thumbnail_key)
    page = visit(dana, size="desk")
    page.goto(reverse("web:worklist"))
    expect(page.locator(".row-veil img")).to_have_count(2)
    expect(page.locator(".row-veil .sharp")).to_have_count(0)
    for _ in range(2):
        page.keyboard.press("j")
        expect(page.locator(".is-now .row-veil .sharp")).to_be_visible()
        expect(page.locator(".row-veil .sharp")).to_have_count(1)


@pytest.mark.parametrize("end", ["sent", "undone"])
def test_the_form_goes_on_once_a_colleagues_correction_is_sent_or_undone(
    visit, dana, person, alices_submission, settings, end
):
    erik = person("erik", "dermatologist")
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    page = visit(dana, size="desk")
    page.goto(review(alices_submission))
    page.locator("#answer summary").first.click()
    page.locator("#id_text").fill("Dana's new words.")
    page.locator("#id_reason").fill("A word was missing.")
    settings.HOLD_SECONDS = 60
    submission = Submission.objects.get()
    reviews.amend(submission, by=erik, **ANSWER | {"text": "Erik's words.", "reason": "A slip"})
    page.locator("[data-sign]").click()
    expect(page.locator("#lost")).to_contain_text("Erik has signed a correction")
    expect(page.locator("[data-sign]")).to_be_disabled()
    if end == "sent":
        held.send_now(submission, by=erik)
    else:
        held.undo(submission, by=erik)
    expect(page.locator("[data-sign]")).to_be_enabled(timeout=15_000)
    expect(page.locator("#lost")).to_have_count(0)
    expect(page.locator("#news")).to_contain_text("You can go on")
    assert page.locator("#id_text").input_value() == "Dana's new words."
    page.locator("[data-sign]").click()
    if end == "sent":
        expect(page.locator(".conflict-texts")).to_contain_text("Erik's words.")
        expect(page.locator(".conflict-texts")).to_contain_text("Dana's new words.")
        assert page.locator(".conflict-texts").bounding_box()["width"] > 600
    else:
        expect(page.locator(".strip-held")).to_be_visible()
