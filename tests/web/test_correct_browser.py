"""Dana corrects crop and lesion in a real browser, by pointer and by keys; the new result appears beside the old one."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from contract.drawn import Rectangle, pixels_of
from contract.messages import Stage
from teleder.cases import reviews
from teleder.cases.models import DrawnCrop, EventKind, Job
from tests.drawn import reanalysed, record
from tests.web.test_clinician_browser import (  # noqa: F401
    EACH_WAY,
    HERPES,
    HIGH,
    LESION,
    WIDE,
    is_lesion,
    read,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ai_is_open"),
]
FIRST = Rectangle(x=10, y=10, width=200, height=200)  # the model's box, of the `analyse` fixture
SAID = {"en": "The AI says nothing", "ja": "AIは判断しません"}


@pytest.fixture
def mine(alices_submission, read, dana):  # noqa: F811
    read(alices_submission, probabilities=HERPES)
    reviews.claim(alices_submission, by=dana)
    return alices_submission


@pytest.fixture
def begin(visit, dana, mine):
    def open_page(*, size: str = "desk", language: str = "en"):
        page = visit(dana, language=language, size=size)
        page.goto(reverse("web:review", args=[mine.pk]))
        page.locator("[data-correct]").click()
        expect(page.locator("#correct")).to_be_visible()
        return page

    return open_page


def at(page, x: float, y: float) -> tuple[float, float]:
    """Return where a pixel of the analysis copy is on the screen."""
    pic = page.locator(".pic").bounding_box()
    return pic["x"] + x / WIDE * pic["width"], pic["y"] + y / HIGH * pic["height"]


def drag(page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, *end), steps=5)
    page.mouse.up()


def numbers(page) -> list[int]:
    names = ("x", "y", "width", "height")
    return [int(page.locator(f"#correct [name={name}]").input_value()) for name in names]


def save(page) -> DrawnCrop:
    page.locator(".view").focus()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#correct")).to_be_hidden()
    return DrawnCrop.objects.latest("at")


def lesion_of(row: DrawnCrop) -> bytes:
    found = pixels_of(row.lesion)
    assert len(found) == WIDE * HIGH
    return found


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_last_tool_lies_over_no_other(begin, language):
    page = begin(language=language)
    reset, cancel = (page.locator(f"[data-correct-do={name}]").bounding_box() for name in ("reset", "cancel"))
    assert reset["x"] + reset["width"] <= cancel["x"]


@EACH_WAY
def test_the_result_of_a_corrected_crop_appears_beside_the_models_own(
    begin, is_accessible, mine, dana, language, size
):
    photo = mine.photos.get()
    page = begin(size=size, language=language)
    is_accessible(page, language)
    page.locator("#correct [name=x]").fill("250")
    page.locator("#correct [name=y]").fill("120")
    page.locator("#correct [name=y]").blur()
    before = Job.objects.filter(stage=Stage.REANALYSE).count()
    page.locator("[data-correct-save]").click()
    section = page.locator("#drawn-crops")
    expect(section).to_contain_text(dana.name)
    expect(page.locator("#correct")).to_be_hidden()
    assert before == 0 and DrawnCrop.objects.get().box == Rectangle(x=250, y=120, width=200, height=200)
    record(photo, reanalysed(photo, Rectangle(x=250, y=120, width=200, height=200)))
    expect(section).to_contain_text("34%", timeout=15_000)
    expect(section).to_contain_text(SAID[language])
    expect(section.locator(".drawn-own")).to_be_visible()
    section.locator("[data-show-drawn]").click()
    expect(page.locator(".drawn-shown .edge")).to_have_attribute("x", "250")
    is_accessible(page, language)


def test_the_crop_is_moved_and_resized_by_pointer_and_by_keys_and_undone(begin):
    page = begin()
    assert numbers(page) == [10, 10, 200, 200]
    drag(page, (100, 100), (150, 130))
    moved = numbers(page)
    assert moved[0] == pytest.approx(60, abs=2) and moved[1] == pytest.approx(40, abs=2)
    drag(page, (moved[0] + 200, moved[1] + 100), (moved[0] + 300, moved[1] + 100))
    assert numbers(page)[2] == pytest.approx(300, abs=3) and numbers(page)[3] == 200
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    assert numbers(page)[:2] == [moved[0] + 1, moved[1] + 10]
    for _ in range(4):
        page.keyboard.press("Control+z")
    assert numbers(page) == [10, 10, 200, 200]
    page.keyboard.press("Control+y")
    assert numbers(page) == moved
    page.keyboard.press("Shift+R")
    assert numbers(page) == [10, 10, 200, 200]


def test_a_crop_stays_inside_the_photo_and_large_enough(begin):
    page = begin()
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    assert numbers(page)[0] == 0
    page.locator("#correct [name=width]").fill("9999")
    page.locator("#correct [name=height]").fill("3")
    page.locator("#correct [name=height]").blur()
    assert numbers(page) == [0, 10, WIDE, 64]


def test_lesion_is_added_and_erased_by_brush(begin):
    page = begin()
    page.locator("[data-correct-tool=add]").click()
    drag(page, (600, 400), (700, 400))
    page.locator("[data-correct-tool=erase]").click()
    drag(page, (LESION[0] - 90, LESION[1]), (LESION[0] + 90, LESION[1]))
    found = lesion_of(save(page))
    assert found[400 * WIDE + 650] == 1 and found[300 * WIDE + 650] == 0
    assert found[LESION[1] * WIDE + LESION[0]] == 0 and found[(LESION[1] - 60) * WIDE + LESION[0]] == 1


def test_all_that_dragging_does_is_done_by_keys(begin, mine, dana):
    page = begin()
    page.keyboard.press("+")
    page.keyboard.press("Space")  # at the middle of the crop
    page.keyboard.press("v")
    for moves in (("ArrowRight",) * 12, ("ArrowDown",) * 12, ("ArrowLeft",) * 12):
        page.keyboard.press("Space")
        for move in moves:
            page.keyboard.press(f"Shift+{move}")
    page.keyboard.press("Enter")
    row = save(page)
    found = lesion_of(row)
    assert found[110 * WIDE + 110] == 1  # the dab
    assert found[150 * WIDE + 200] == 1  # inside the polygon (110, 110), (230, 110), (230, 230)
    assert found[220 * WIDE + 120] == 0
    assert row.author == dana and mine.events.filter(kind=EventKind.CROP_DRAWN).count() == 1
    expect(page.locator("#drawn-title")).to_be_focused()


def test_the_models_lesion_is_sent_only_where_it_was_changed(begin):
    page = begin()
    page.keyboard.press("ArrowRight")
    assert save(page).lesion is None


def test_untouched_lesion_goes_over_as_the_model_marked_it(begin):
    page = begin()
    page.keyboard.press("-")
    page.mouse.click(*at(page, 780, 580))  # nothing is there
    found = lesion_of(save(page))
    assert all(found[y * WIDE + x] == is_lesion(x, y) for x in range(0, WIDE, 20) for y in range(0, HIGH, 20))


def test_escape_leaves_everything_as_it_was(begin):
    page = begin()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(page.locator("#correct")).to_be_hidden()
    expect(page.locator("[data-correct]")).to_be_focused()
    assert not DrawnCrop.objects.exists()
    page.keyboard.press("d")
    expect(page.locator("#correct [name=x]")).to_have_value("10")


def test_a_refusal_stands_beside_the_drawing_that_stays(begin, mine, dana):
    page = begin()
    page.keyboard.press("ArrowRight")
    reviews.release(mine, by=dana)
    page.locator("[data-correct-save]").click()
    expect(page.locator("#drawn-crops [data-refused]")).to_be_visible()
    assert not DrawnCrop.objects.exists()


def test_a_crop_that_does_not_obey_the_rule_is_said_before_it_is_sent(begin):
    page = begin()
    expect(page.locator("#correct-shares")).to_contain_text("too little lesion")
    page.locator("#correct [name=x]").fill(str(LESION[0] - 100))
    page.locator("#correct [name=y]").fill(str(LESION[1] - 100))
    page.locator("#correct [name=y]").blur()
    expect(page.locator("#correct-shares")).to_contain_text("obeys the 80/10 rule")


def test_without_scripts_the_numbers_are_enough(visit, dana, mine):
    page = visit(dana, language="en", size="desk", java_script_enabled=False)
    page.goto(reverse("web:review", args=[mine.pk]))
    page.locator("#correct [name=x]").fill("33")
    page.locator("[data-correct-save]").click()
    expect(page.locator("#drawn-crops")).to_contain_text("Being analysed")
    assert DrawnCrop.objects.get().x == 33
