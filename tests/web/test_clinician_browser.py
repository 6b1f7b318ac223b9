"""Dana in a real browser: shortcuts, layers, drafts, and the same flow without JavaScript."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases import reviews
from teleder.cases.models import Status, Submission
from tests.conftest import NO_WORTH, alarm

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ai_is_open"),
]
EACH_WAY = pytest.mark.parametrize(
    ("language", "size"), [("ja", "phone"), ("en", "phone"), ("ja", "desk"), ("en", "desk")]
)
WIDE, HIGH = 800, 600  # the size of the copies in the `analyse` fixture
LESION = (300, 200)  # a point inside the painted lesion
SKIN = (700, 500)
HERPES = {"AD": 0.3, "HI": 0.6, "IM": 0.05, "MF": 0.01, "OTHER": 0.04}
# Told, with a heat map, but raising nothing.
UNPROVEN = {"probabilities": HERPES, "alarms": (alarm("HI", 0.6, worth=NO_WORTH),)}


def png(rows: list[bytes], *, colour: bool) -> bytes:
    """Return a PNG, grey or RGB with 8 bits; Chromium reads the type from the bytes, not from the name."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", WIDE, HIGH, 8, 2 if colour else 0, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def is_lesion(x: int, y: int) -> bool:
    return (x - LESION[0]) ** 2 + (y - LESION[1]) ** 2 < 100**2


@pytest.fixture
def read(analyse, settings):
    """Give a submission AI results, and write the files that the worker would have written."""
    photo = png([bytes((224, 172, 140)) * WIDE] * HIGH, colour=True)
    spoke = png(
        [b"".join(bytes((255 if x > WIDE // 2 else 0, 0, 0)) for x in range(WIDE))] * HIGH, colour=True
    )
    mask = png([bytes(2 if is_lesion(x, y) else 1 for x in range(WIDE)) for y in range(HIGH)], colour=False)

    def play(submission, **found) -> Submission:
        for one in submission.photos.all():
            analyse(one, **found)
            one.refresh_from_db()
            for key in (one.display_key, one.thumbnail_key):
                _write(settings, key, photo)
            _write(settings, one.analysis.mask_key, mask)
            _write(settings, one.analysis.attribution_key, spoke)
        return submission

    return play


def _write(settings, key: str, content: bytes) -> None:
    path = Path(settings.MEDIA_ROOT) / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def erik(person):
    return person("erik", "dermatologist")


def review(submission) -> str:
    return reverse("web:review", args=[submission.pk])


def in_focus(page) -> str:
    return page.evaluate("document.activeElement.id || document.activeElement.tagName")


# --- Accessibility ----------------------------------------------------------------------------------------
@EACH_WAY
def test_danas_pages_are_accessible(
    visit, is_accessible, dana, erik, alice, bob, submission_of, read, language, size
):
    urgent = read(submission_of(alice, photos=2, fever="yes"), probabilities=HERPES)
    mine, theirs = read(submission_of(bob)), submission_of(alice)
    reviews.claim(mine, by=dana)
    reviews.claim(theirs, by=erik)
    page = visit(dana, language=language, size=size)
    page.goto(reverse("web:worklist"))
    expect(page.locator("[data-row]")).to_have_count(3)
    is_accessible(page, language)
    for submission in (urgent, mine, theirs):
        page.goto(review(submission))
        is_accessible(page, language)


@EACH_WAY
def test_two_red_flag_answers_can_be_read_below_one_another(
    visit, dana, alice, submission_of, language, size
):
    submission = submission_of(alice, fever="yes", grouped_blisters="yes")
    page = visit(dana, language=language, size=size)
    page.goto(review(submission))
    boxes = [row.bounding_box() for row in page.locator(".case-facts .is-yes").all()]
    assert len(boxes) == 2
    assert boxes[0]["x"] == boxes[1]["x"] and boxes[1]["y"] >= boxes[0]["y"] + boxes[0]["height"]
    assert max(box["height"] for box in boxes) < 160 < min(box["width"] for box in boxes)


@EACH_WAY
def test_layers_preview_and_refusals_are_accessible(
    visit, is_accessible, dana, erik, adam, alice, submission_of, read, language, size
):
    submission = read(submission_of(alice), **UNPROVEN)
    type(alice).objects.filter(pk=alice.pk).update(language=language)  # the preview is in hers
    reviews.claim(submission, by=dana)
    page = visit(dana, language=language, size=size)
    page.goto(review(submission))
    for layer in ("mask", "boxes", "map", "area-map"):
        page.locator(f"[data-layer={layer}]").click()
    page.locator("[data-sign]").click()  # the form is empty
    expect(page.locator(".error:visible").first).to_be_visible()
    expect(page.locator("#not-signed")).to_be_in_viewport()  # it is visible without scrolling
    is_accessible(page, language)
    page.locator("input[name=impression]").first.check()
    page.locator("input[name=disposition]").first.check()
    page.locator("#insert-ja").click()
    expect(page.locator("#id_text")).not_to_have_value("")
    page.locator("#do-preview").click()
    expect(page.locator("#preview-title")).to_be_focused()
    is_accessible(page, language)
    reviews.reassign(submission, to=erik, by=adam)
    page.locator("[data-sign]").click()
    expect(page.locator("#lost")).to_be_focused()
    is_accessible(page, language)


# --- The worklist by keyboard -----------------------------------------------------------------------------
def test_dana_claims_the_third_row_by_keyboard_and_opens_it(visit, dana, alice, submission_of):
    for _ in range(4):
        submission_of(alice)
    third = Submission.objects.worklist()[2]
    page = visit(dana, size="desk")
    page.goto(reverse("web:worklist"))
    for key in "jjjc":  # the first is on the first row
        page.keyboard.press(key)
    expect(page.locator("#said")).to_contain_text(third.case.number)
    third.refresh_from_db()
    assert third.claimed_by == dana
    assert in_focus(page) == f"open-{third.pk}"
    page.keyboard.press("Enter")
    expect(page.locator("#case-number")).to_have_text(third.case.number)


def test_erik_sees_the_claim_within_seconds_and_keeps_his_position(visit, dana, erik, alice, submission_of):
    first, second = submission_of(alice), submission_of(alice)
    page = visit(erik, size="desk")
    page.goto(reverse("web:worklist"))
    for key in "jj":
        page.keyboard.press(key)
    reviews.claim(first, by=dana)
    expect(page.locator("[data-row]").first).to_contain_text("Dana", timeout=8_000)
    assert in_focus(page) == f"open-{second.pk}"


def test_erik_sees_at_once_that_dana_has_already_claimed(visit, dana, erik, alices_submission):
    page = visit(erik, size="desk")
    page.goto(reverse("web:worklist"))
    page.keyboard.press("j")
    reviews.claim(alices_submission, by=dana)
    page.keyboard.press("c")
    expect(page.locator("#said")).to_have_text(f"Dana has already claimed {alices_submission.case.number}.")


def test_keys_can_be_switched_off_and_stay_off(visit, dana, alice, submission_of):
    submission_of(alice), submission_of(alice)
    page = visit(dana, size="desk")
    page.goto(reverse("web:worklist"))
    page.keyboard.press("?")
    switch = page.locator("#keys-help [data-keys-switch]")
    expect(switch).to_be_checked()
    switch.uncheck()
    page.reload()
    expect(switch).not_to_be_checked()
    page.keyboard.press("j")
    page.keyboard.press("?")
    assert in_focus(page) == "list-title", "the heading, where the list begins"
    expect(page.locator("#keys-help")).to_be_hidden()


def test_a_letter_typed_into_the_search_is_not_a_shortcut(visit, dana, alices_submission):
    page = visit(dana, size="desk")
    page.goto(reverse("web:worklist"))
    page.keyboard.press("/")
    page.keyboard.type("cj?")
    expect(page.locator("#q")).to_have_value("cj?")
    alices_submission.refresh_from_db()
    assert alices_submission.claimed_by is None


def test_the_question_mark_opens_the_list_of_keys(visit, is_accessible, dana, alices_submission):
    page = visit(dana, size="desk")
    page.goto(reverse("web:worklist"))
    page.keyboard.press("?")
    expect(page.locator("#keys-help")).to_be_visible()
    is_accessible(page, "en")
    page.keyboard.press("Escape")
    expect(page.locator("#keys-help")).to_be_hidden()


# --- The photo --------------------------------------------------------------------------------------------
def pixel(page, point: tuple[int, int]) -> list[int]:
    script = "([x, y]) => [...document.querySelector('canvas.mask').getContext('2d').getImageData(x, y, 1, 1).data]"
    return page.evaluate(script, list(point))


def test_m_shows_the_lesion_and_hides_it_again(visit, dana, alices_submission, read):
    read(alices_submission)
    page = visit(dana, size="desk")
    page.goto(review(alices_submission))
    button, canvas = page.locator("[data-layer=mask]"), page.locator("canvas.mask")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(canvas).to_be_hidden()
    page.keyboard.press("m")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("canvas.mask[data-painted]")).to_be_visible()
    assert pixel(page, LESION) != pixel(page, SKIN)
    assert canvas.evaluate("one => one.style.opacity") == "0.5"
    page.locator("[data-opacity]").fill("80")
    assert canvas.evaluate("one => one.style.opacity") == "0.8"
    page.keyboard.press("m")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(canvas).to_be_hidden()


def test_h_shows_the_heat_map_of_the_finding_with_its_explanation(visit, dana, alices_submission, read):
    read(alices_submission, **UNPROVEN)
    page = visit(dana, size="desk")
    page.goto(review(alices_submission))
    sentence = page.locator(".layer-key[data-key-of~=map]")
    expect(sentence).to_be_hidden()
    page.keyboard.press("h")
    expect(page.locator("canvas[data-of=map][data-painted]")).to_be_visible()
    expect(sentence).to_be_visible()
    opacity = "(x) => document.querySelector('canvas[data-of=map]').getContext('2d').getImageData(x, 9, 1, 1).data[3]"
    assert [page.evaluate(opacity, x) for x in (WIDE // 4, 3 * WIDE // 4)] == [0, 255]
    page.keyboard.press("g")
    expect(page.locator("canvas[data-of=area-map][data-painted]")).to_be_visible()
    page.keyboard.press("h")
    expect(page.locator("canvas[data-of=map]")).to_be_hidden()
    expect(sentence).to_be_visible()


def test_b_shows_the_areas_on_the_photo_with_their_shares(visit, dana, alices_submission, read):
    read(alices_submission)
    page = visit(dana, size="desk")
    page.goto(review(alices_submission))
    page.keyboard.press("b")
    expect(page.locator("svg.boxes text")).to_have_text("1")  # its words are in the list
    expect(page.locator("[data-show-box='1']")).to_contain_text("Area 1: skin 95%, lesion 40%")
    photo, layer = page.locator(".original").bounding_box(), page.locator("svg.boxes").bounding_box()
    assert all(abs(photo[side] - layer[side]) < 1 for side in ("x", "y", "width", "height"))
    page.locator("[data-show-box='1']").click()
    expect(page.locator("[data-box='1']")).to_have_class("is-shown")


def test_layers_stay_when_dana_changes_the_photo(visit, dana, alice, submission_of, read):
    submission = read(submission_of(alice, photos=2))
    page = visit(dana, size="desk")
    page.goto(review(submission))
    page.keyboard.press("m")
    page.keyboard.press("]")
    expect(page.locator(".strip [aria-current]")).to_contain_text("2/2")
    expect(page.locator("canvas.mask[data-painted]")).to_be_visible()
    page.keyboard.press("[")
    expect(page.locator(".strip [aria-current]")).to_contain_text("1/2")


# --- The answer -------------------------------------------------------------------------------------------
def test_dana_signs_by_keyboard_and_the_next_one_is_announced(visit, dana, alice, bob, submission_of, read):
    first, following = read(submission_of(alice)), submission_of(bob)
    page = visit(dana, size="desk")
    page.goto(review(first))
    page.keyboard.press("c")
    expect(page.locator("#answer")).to_be_visible()
    page.locator("input[name=impression]").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("1")
    page.locator("#insert-en").press("Enter")
    expect(page.locator("#id_text")).to_have_value(re.compile("It looks like a flare"))
    page.locator("#id_text").press("Control+Enter")
    expect(page.locator("#case-number")).to_have_text(following.case.number)
    assert in_focus(page) == "case"
    assert "done=" not in page.url
    assert page.evaluate("Object.keys(localStorage).filter(key => key.includes('draft'))") == []
    first.refresh_from_db()
    assert first.status == Status.ANSWERED
    assert first.answer().impression == "AD"


def test_closing_the_page_loses_no_text(visit, dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="desk")
    page.goto(review(alices_submission))
    page.locator("#id_text").fill("Half an answer")
    page.locator("input[value=days_2]").check()
    page.close()
    again = page.context.new_page()
    again.goto(review(alices_submission))
    expect(again.locator("#id_text")).to_have_value("Half an answer")
    expect(again.locator("input[value=days_2]")).to_be_checked()


def test_what_the_ai_has_found_shows_itself_and_is_announced(visit, dana, alices_submission, read):
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="desk")
    page.goto(review(alices_submission))
    page.locator("#id_text").fill("Half an answer")
    read(alices_submission)
    expect(page.locator("#news")).to_contain_text("New:", timeout=13_000)
    expect(page.locator(".verdict-sentence")).to_contain_text("says nothing")
    expect(page.locator("#id_text")).to_have_value("Half an answer")
    assert in_focus(page) == "id_text"


def test_every_action_works_without_javascript(visit, dana, alice, bob, submission_of):
    first, second = submission_of(alice), submission_of(bob)
    page = visit(dana, size="desk", java_script_enabled=False)
    page.goto(reverse("web:worklist"))
    page.locator("[data-row]").first.get_by_role("button").click()
    page.locator("input[name=impression]").first.check()
    page.locator("input[name=disposition]").first.check()
    page.locator("#insert-en").click()
    expect(page.locator("#id_text")).to_have_value(re.compile("It looks like a flare"))
    page.locator("#do-preview").click()
    expect(page.locator(".preview")).to_contain_text("licence number")
    page.locator("[data-sign]").click()
    expect(page.locator("#case-number")).to_have_text(second.case.number)
    page.locator("[data-key='Shift+P']").click()  # the next case was claimed as well
    page.locator("#id_reason_photos").select_option("too_dark")
    page.get_by_role("button", name="Ask the patient").click()
    first.refresh_from_db(), second.refresh_from_db()
    assert (first.status, second.status) == (Status.ANSWERED, Status.NEEDS_PHOTOS)
