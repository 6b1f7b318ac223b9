"""Original pixels in a real browser: fetched when the zoom asks for them, swapped in without moving the photo."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect

from contract import messages
from contract.messages import Stage
from teleder.cases import reviews
from teleder.cases.models import Job, Photo
from teleder.pipeline import results
from tests.conftest import send_for_test
from tests.web.test_clinician_browser import HIGH, WIDE, read, review  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FETCHING = {"en": "are being fetched", "ja": "取り出しています"}
SHOWN = {"en": "pixels are shown", "ja": "元の画素で表示"}
LARGE = 4 * WIDE


@pytest.fixture
def mine(dana, alice, submission_of, read):  # noqa: F811
    submission = read(submission_of(alice))
    Photo.objects.update(width=LARGE, height=4 * HIGH)
    reviews.claim(submission, by=dana)
    return submission


def outcome(settings, *, made: bool = True) -> None:
    """Let the worker have done the job, or have failed at it."""
    photo = Photo.objects.get()
    job, attempt = send_for_test(photo, Stage.FULL)
    key = f"photos/{photo.pk}/full/{attempt}/full.jpg"
    file = Path(settings.MEDIA_ROOT) / key
    file.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((4 * HIGH, LARGE, 3), (140, 172, 224), np.uint8)
    file.write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
    found = messages.FullCopy(full_key=key) if made else messages.Failed(code="too_many_pixels")
    assert results.record(job=job, attempt=attempt, worker="w", outcome=found)


def pixels(page) -> int:
    return page.locator(".original").evaluate("image => image.naturalWidth")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_key_fetches_the_pixels_and_the_photo_stays_where_it_is(visit, settings, dana, mine, language):
    page = visit(dana, size="desk", language=language)
    page.goto(review(mine))
    expect(page.locator(".pic.is-placed")).to_be_visible()
    assert not Job.objects.filter(stage=Stage.FULL).exists(), "nobody has asked yet"
    page.keyboard.press("x")
    expect(page.locator("[data-zoom-value]")).to_have_text("100 %")
    expect(page.locator("#full-copy")).to_contain_text(FETCHING[language])
    assert Job.objects.filter(stage=Stage.FULL).count() == 1
    before, focused = page.locator(".original").bounding_box(), page.evaluate("document.activeElement.id")
    outcome(settings)
    expect(page.locator("#full-copy [role=status]")).to_contain_text(SHOWN[language])
    assert pixels(page) == LARGE
    assert page.locator(".original").bounding_box() == before
    assert page.evaluate("document.activeElement.id") == focused


def test_zooming_with_the_wheel_asks_once_and_a_failure_is_said(visit, settings, dana, mine):
    page = visit(dana, size="desk")
    page.goto(review(mine))
    expect(page.locator(".pic.is-placed")).to_be_visible()
    page.keyboard.press("+")
    assert not Job.objects.filter(stage=Stage.FULL).exists(), "the display copy has pixels enough"
    for _ in range(9):
        page.keyboard.press("+")
    expect(page.locator("#full-copy")).to_contain_text(FETCHING["en"])
    outcome(settings, made=False)
    again = page.locator("#full-copy button")
    expect(again).to_have_text("Try again")
    expect(page.locator("#full-copy")).to_contain_text("could not be fetched")
    assert pixels(page) == WIDE
    again.click()
    expect(page.locator("#full-copy")).to_contain_text(FETCHING["en"])
    outcome(settings)
    expect(page.locator("#full-copy [role=status]")).to_contain_text(SHOWN["en"])


def test_a_photo_that_is_shown_whole_asks_for_nothing(visit, dana, mine):
    Photo.objects.update(width=WIDE, height=HIGH)
    page = visit(dana, size="desk")
    page.goto(review(mine))
    page.keyboard.press("x")
    expect(page.locator("[data-zoom-value]")).to_have_text("100 %")
    expect(page.locator("#full-copy")).to_have_count(0)
