"""The case on one screen, in a real browser: the photo in Dana's hands, and a usual case in a few keys."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from teleder.cases import reviews
from teleder.cases.models import HeldAnswer, Photo, Status, Submission
from tests.web.test_clinician_browser import EACH_WAY, HERPES, HIGH, WIDE, in_focus, read, review  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
EACH_LANGUAGE = pytest.mark.parametrize("language", ["ja", "en"])
KEYS_A_CASE = 8
READ_AT_A_SITTING = 20


@pytest.fixture
def mine(dana, alice, submission_of, read):  # noqa: F811
    submission = read(submission_of(alice, photos=2, fever="yes"), probabilities=HERPES)
    Photo.objects.update(width=4 * WIDE, height=4 * HIGH)  # the original is larger than what is shown of it
    reviews.claim(submission, by=dana)
    return submission


@pytest.fixture
def at_the_desk(visit, dana, mine):
    page = visit(dana, size="desk")
    page.goto(review(mine))
    expect(page.locator(".pic.is-placed")).to_be_visible()
    yield page
    is_saved(page)


def is_saved(page) -> None:
    """Wait for the draft to be on the server: else it is sent while the tables are emptied."""
    page.wait_for_function("() => !Object.keys(localStorage).some(key => key.startsWith('teleder.draft.'))")


def place(page) -> dict[str, float]:
    return page.locator(".original").bounding_box()


def percent(page) -> int:
    return int(page.locator("[data-zoom-value]").inner_text().split()[0])


def middle(page) -> tuple[float, float]:
    box = page.locator(".view").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def under(page, x: float, y: float) -> tuple[float, float]:
    """Which place of the photo, in shares of its sides, is seen at a point of the screen."""
    box = place(page)
    return (x - box["x"]) / box["width"], (y - box["y"]) / box["height"]


# --- One screen -------------------------------------------------------------------------------------------
IS_ONE_SCREEN = "document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth"


@EACH_LANGUAGE
def test_a_case_is_on_one_screen_whatever_is_opened(visit, dana, mine, language):
    page = visit(dana, language=language, size="desk")
    page.goto(review(mine))
    for keys in ("", "q", "mbh", "s", "2", "7p"):
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_timeout(400)
        assert page.evaluate(IS_ONE_SCREEN), keys
        for part in (".view", ".case-facts", "[data-sign]", ".strip"):
            expect(page.locator(part).first).to_be_in_viewport(ratio=1)
    widths = [page.locator(part).bounding_box()["width"] for part in (".stage", ".case-facts", ".decide")]
    assert widths == [744, 300, 396]
    is_saved(page)


@EACH_WAY
def test_the_opened_case_is_accessible(visit, is_accessible, dana, alice, mine, language, size):
    type(alice).objects.filter(pk=alice.pk).update(language=language)  # the preview is in hers
    page = visit(dana, language=language, size=size)
    page.goto(review(mine))
    is_accessible(page, language)
    page.keyboard.press("q")
    expect(page.locator("[data-layer=map]")).to_be_visible()
    for key in "mbhs2":
        page.keyboard.press(key)
    expect(page.locator("canvas[data-of=map][data-painted=true]")).to_be_visible()
    is_accessible(page, language)
    page.keyboard.press("7")
    page.keyboard.press("p")
    expect(page.locator("#preview-title")).to_be_focused()
    is_accessible(page, language)
    is_saved(page)


def test_at_a_phone_the_sign_bar_stays_in_view(visit, dana, mine):
    page = visit(dana, size="phone")
    page.goto(review(mine))
    tops = [page.locator(part).bounding_box()["y"] for part in (".stage", ".case-facts", ".decide")]
    assert tops == sorted(tops)
    page.locator("#field-impression").scroll_into_view_if_needed()
    expect(page.locator("[data-sign]")).to_be_in_viewport()


# --- The photo --------------------------------------------------------------------------------------------
def test_the_wheel_zooms_to_the_pointer_and_the_drag_moves(at_the_desk):
    page = at_the_desk
    whole = place(page)
    x, y = (at + 60 for at in middle(page))
    page.mouse.move(x, y)
    seen = under(page, x, y)
    page.mouse.wheel(0, -240)
    page.mouse.wheel(0, -240)
    assert place(page)["width"] > 1.5 * whole["width"]
    assert under(page, x, y) == pytest.approx(seen, abs=0.01)
    before = place(page)
    page.mouse.down()
    page.mouse.move(x + 50, y + 30)
    page.mouse.up()
    after = place(page)
    assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((50, 30), abs=1)


def test_keys_and_buttons_zoom_and_move_between_25_and_800_percent(at_the_desk):
    page = at_the_desk
    assert percent(page) < 25, "the whole of a large photo is always seen"
    fit = place(page)
    for _ in range(30):
        page.keyboard.press("+")
    assert percent(page) == 800
    before = place(page)
    page.keyboard.press("ArrowRight")
    assert place(page)["x"] < before["x"]
    page.keyboard.press("ArrowUp")
    assert place(page)["y"] > before["y"]
    page.keyboard.press("-")
    assert percent(page) == 640
    page.locator("[data-zoom=out]").click()
    assert percent(page) == 512
    page.keyboard.press("0")
    assert place(page) == pytest.approx(fit)
    for _ in range(10):
        page.keyboard.press("-")
    assert place(page) == pytest.approx(fit), "never smaller than the whole photo or 25 %"


def test_each_photo_keeps_its_zoom(at_the_desk):
    page = at_the_desk
    page.keyboard.press("+")
    page.keyboard.press("+")
    zoomed = place(page)
    page.keyboard.press("]")
    expect(page.locator(".strip [aria-current]")).to_contain_text("2/2")
    expect(page.locator(".pic.is-placed")).to_be_visible()
    assert place(page)["width"] < zoomed["width"]
    page.keyboard.press("[")
    expect(page.locator(".strip [aria-current]")).to_contain_text("1/2")
    expect(page.locator(".pic.is-placed")).to_be_visible()
    assert place(page) == pytest.approx(zoomed)


def test_two_fingers_zoom(visit, dana, mine):
    page = visit(dana, size="phone")
    page.goto(review(mine))
    expect(page.locator(".pic.is-placed")).to_be_visible()
    page.locator(".view").scroll_into_view_if_needed()
    whole, (x, y) = place(page), middle(page)
    devtools = page.context.new_cdp_session(page)

    def touch(kind: str, *points: float) -> None:
        fingers = [{"x": x + point, "y": y, "id": n} for n, point in enumerate(points)]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    touch("touchStart", -20, 20)
    touch("touchMove", -40, 40)
    touch("touchMove", -60, 60)
    touch("touchEnd")
    assert place(page)["width"] > 2 * whole["width"]


def test_full_width_and_back_by_f(at_the_desk):
    page = at_the_desk
    page.keyboard.press("f")
    assert page.locator(".stage").bounding_box()["width"] == 1440
    expect(page.locator("[data-wide]")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("f")
    assert page.locator(".stage").bounding_box()["width"] == 744


# --- Layers -----------------------------------------------------------------------------------------------
def test_nothing_lies_over_the_photo_until_it_is_asked_for(at_the_desk):
    page = at_the_desk
    page.keyboard.press("q")
    expect(page.locator("[data-layer]").first).to_be_visible()
    for layer in page.locator(".pic .layer").all():
        expect(layer).to_be_hidden()
    for button in page.locator("[data-layer], [data-distance-switch]").all():
        expect(button).to_have_attribute("aria-pressed", "false")
    x, y = middle(page)
    assert page.evaluate("([x, y]) => document.elementFromPoint(x, y).className", [x, y]) == "original"


def test_dana_reads_a_case_as_row_ten_of_the_screens_says(
    visit,
    dana,
    alice,
    bob,
    submission_of,
    read,  # noqa: F811
    settings,
):
    settings.HOLD_SECONDS = 60
    first = read(submission_of(alice), probabilities=HERPES)
    following = submission_of(bob)
    reviews.claim(first, by=dana)
    page = visit(dana, size="desk")
    page.goto(review(first))
    page.keyboard.press("q")
    expect(page.locator("[data-layer=mask]")).to_be_visible()
    page.keyboard.press("m")
    mask = page.locator("canvas.mask")
    expect(page.locator("[data-layer=mask]")).to_have_attribute("aria-pressed", "true")
    expect(mask).to_have_css("opacity", "0.5")
    page.keyboard.press(",")
    expect(mask).to_have_css("opacity", "0.4")
    page.keyboard.press(".")
    page.locator("[data-show-box='1']").click()
    box = page.locator("[data-box='1'] .edge").bounding_box()
    centre = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    view = page.locator(".view").bounding_box()
    assert view["x"] < centre[0] < view["x"] + view["width"]
    assert percent(page) > 93, "the box is framed"
    page.keyboard.press("4")
    expect(page.locator("#id_text")).not_to_have_value("")
    page.keyboard.press("i")
    page.keyboard.press("Control+End")
    page.keyboard.type(" Read by Dana.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#case-number")).to_have_text(following.case.number)
    assert in_focus(page) == "case"
    held = page.locator("#strip [data-held]")
    expect(held).to_contain_text(first.case.number)
    page.keyboard.press("z")
    expect(page.locator("#case-number")).to_have_text(first.case.number)
    assert "Read by Dana." in page.locator("#id_text").input_value()
    assert not HeldAnswer.objects.exists() and not first.reviews.exists(), "Alice never saw it"
    page.keyboard.press("Control+Enter")
    expect(page.locator("#case-number")).to_have_text(following.case.number)
    assert in_focus(page) == "case"


def test_heat_outside_the_lesion_is_warned_of(at_the_desk):
    page = at_the_desk
    page.keyboard.press("q")
    expect(page.locator("[data-layer=map]")).to_be_visible()
    expect(page.locator("#heat-outside")).to_be_hidden()
    page.keyboard.press("h")  # its right half is hot, the lesion is on the left
    expect(page.locator("#heat-outside")).to_contain_text("outside the lesion")


# --- The answer -------------------------------------------------------------------------------------------
def test_the_reply_comes_with_impression_and_action_and_follows_them(at_the_desk):
    page, text = at_the_desk, at_the_desk.locator("#id_text")
    page.keyboard.press("q")
    expect(text).to_have_value("")
    page.keyboard.press("4")
    expect(text).not_to_have_value("")
    today = text.input_value()
    page.keyboard.press("5")
    expect(text).not_to_have_value(today)
    page.keyboard.press("l")
    expect(page.locator("#insert-ja")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#ready .is-done")).to_have_count(3)


def test_what_dana_typed_is_never_overwritten(at_the_desk):
    page, text = at_the_desk, at_the_desk.locator("#id_text")
    page.keyboard.press("i")
    page.keyboard.type("By hand.")
    page.keyboard.press("Escape")
    for key in "q4l5":
        page.keyboard.press(key)
    page.wait_for_timeout(800)
    expect(text).to_have_value("By hand.")
    page.locator("#insert-en").click()
    expect(page.locator("#insert-en")).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(800)
    expect(text).to_have_value("By hand.")
    page.locator("#insert-template").click()
    expect(text).not_to_have_value("By hand.")
    assert text.input_value().startswith("By hand.\n\n")


def test_what_dana_types_while_the_reply_is_on_its_way_stays(at_the_desk):
    page = at_the_desk
    page.route("**/answer/", lambda route: (page.wait_for_timeout(600), route.continue_()))
    for key in "q4i":
        page.keyboard.press(key)
    page.keyboard.type("By hand.")
    page.wait_for_timeout(1500)
    expect(page.locator("#id_text")).to_have_value("By hand.")
    expect(page.locator("#id_text")).to_be_focused()


def test_a_lowered_urgency_takes_one_key_more(visit, dana, bob, submission_of, mine):
    following = submission_of(bob)
    page = visit(dana, size="desk")
    page.goto(review(mine))
    for key in ("q", "2", "7", "Control+Enter"):
        page.keyboard.press(key)
    expect(page.locator("#case-number")).to_have_text(following.case.number)
    assert mine.reviews.get().reason == "No blisters or sores seen in the photos."


@EACH_LANGUAGE
def test_twenty_cases_are_read_by_keyboard_with_few_keys_each(
    visit,
    dana,
    alice,
    bob,
    submission_of,
    read,  # noqa: F811
    language,
):
    for number in range(READ_AT_A_SITTING):
        read(submission_of((alice, bob)[number % 2], **({"fever": "yes"} if number % 5 == 0 else {})))
    page = visit(dana, language=language, size="desk")
    page.goto(reverse("web:worklist"))
    page.keyboard.press("n")
    pressed = []
    for number in range(READ_AT_A_SITTING):
        page.wait_for_function("() => document.activeElement.id === 'case'")
        shown = page.locator("#case-number").inner_text()
        is_urgent = Submission.objects.get(case__number=shown).urgency >= 3
        keys = ["m", "qwerty"[number % 6], "4" if is_urgent else "2", *"+]"[: number % 3], "Control+Enter"]
        for key in keys:
            page.keyboard.press(key)
        pressed.append(sum(len(key.split("+")) if len(key) > 1 else 1 for key in keys))
        gone = "number => document.getElementById('case-number')?.textContent !== number"
        page.wait_for_function(gone, arg=shown)
    assert max(pressed) <= KEYS_A_CASE, pressed
    assert Submission.objects.filter(status=Status.ANSWERED).count() == READ_AT_A_SITTING
    assert len({one.impression for one in Submission.objects.first().reviews.model.objects.all()}) == 6


# --- Earlier visits ---------------------------------------------------------------------------------------
def test_photos_of_an_earlier_visit_stand_in_the_strip_without_the_ai(
    visit,
    dana,
    alice,
    submission_of,
    read,  # noqa: F811
):
    before, now = read(submission_of(alice)), read(submission_of(alice), probabilities=HERPES)
    Submission.objects.filter(pk=before.pk).update(case=now.case)
    reviews.claim(now, by=dana)
    page = visit(dana, size="desk")
    page.goto(review(now))
    page.keyboard.press("q")
    expect(page.locator("[data-layer=mask]")).to_be_visible()
    page.keyboard.press("]")
    expect(page.locator(".strip.is-past [aria-current]")).to_have_count(1)
    expect(page.locator(".caption")).to_contain_text("earlier visit")
    expect(page.locator("[data-layer]")).to_have_count(0)
    expect(page.locator("#findings")).to_contain_text("earlier visit")
    expect(page.locator("#verdict")).to_contain_text("cannot rule out herpesvirus infection")
    is_saved(page)
