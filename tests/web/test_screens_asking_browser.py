"""Screens 4 and 5 (the table is in test_screens_entrance_browser.py): photos with the real preparation, place and history."""

from __future__ import annotations

import dataclasses
import io
import re
from functools import cache

import cv2
import numpy as np
import pillow_heif
import pytest
from django.conf import settings
from PIL import Image
from playwright.sync_api import expect

from contract import messages
from contract.messages import Stage
from inference_worker.preparation import prepare
from teleder.cases import originals
from teleder.pipeline import results
from tests.conftest import MODEL, send_for_test
from tests.web.harness import EACH_WAY
from tests.web.test_screens_entrance_browser import at, tab_to
from training import phantom

pillow_heif.register_heif_opener()
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CUT = re.compile("ERR_|Failed to fetch|^htmx:")
LONG_SIDE = 1200
VIEWS = ("overview", "close_up", "other")
GPS, PLACE = 0x8825, {1: "N", 2: (35.0, 40.0, 0.0), 3: "E", 4: (139.0, 45.0, 0.0)}
VERDICTS = {
    "ja": ("暗すぎます", "ぼやけています", "見やすいです"),
    "en": ("Too dark", "It is blurred", "Looks clear"),
}


@cache
def drawn() -> dict[str, dict]:
    """Four files as a phone makes them, with the place in their EXIF: dark, blurred, HEIC and good."""
    found = {}
    for number, kind in enumerate(("dark", "blurred", "heic", "good")):
        photo = phantom.draw(number, condition="AD", long_side=LONG_SIDE).photo
        grain = np.random.default_rng(number).normal(0, 4, photo.shape[:2])[..., None]
        photo = np.clip(photo + grain, 0, 255)
        photo = {"dark": photo * 0.1, "blurred": cv2.GaussianBlur(photo, (0, 0), 12)}.get(kind, photo)
        exif = Image.Exif()
        exif.get_ifd(GPS).update(PLACE)
        out = io.BytesIO()
        image = Image.fromarray(photo.astype(np.uint8))
        if kind == "heic":
            pillow_heif.from_pillow(image).save(out, quality=90, exif=exif.tobytes())
        else:
            image.save(out, "JPEG", quality=92, exif=exif)
        name = "skin.heic" if kind == "heic" else "skin.jpg"
        found[kind] = {"name": name, "mimeType": f"image/{'heic' if kind == 'heic' else 'jpeg'}"}
        found[kind]["buffer"] = out.getvalue()
    return found


def work(draft) -> None:
    """Do the worker's part for each photo of the draft: the real preparation, and a check that finds nothing wrong."""
    for photo in draft.current_photos().filter(state="stored"):
        done = prepare(originals.read(photo.pk, photo.original_key))
        job, attempt = send_for_test(photo, Stage.PREPARE)
        keys = {}
        for name, content in done.copies.items():
            keys[f"{name}_key"] = f"photos/{photo.pk}/prepare/{attempt}/{name}.jpg"
            settings.PHOTO_STORAGE.write(keys[f"{name}_key"], content)
        outcome = dataclasses.replace(done.outcome, **keys)
        assert results.record(job=job, attempt=attempt, worker="test", outcome=outcome)
        if photo.jobs.filter(stage=Stage.CHECK).exists():
            job, attempt = send_for_test(photo, Stage.CHECK)
            outcome = messages.Checked(advice=None, skin=0.5, largest=0.4, lesion=0.1, model=MODEL)
            assert results.record(job=job, attempt=attempt, worker="test", outcome=outcome)


@EACH_WAY
def test_four_photos_get_their_verdicts_and_arrive_once(visit, alice, draft_of, language, size):
    draft, files = draft_of(alice, photos=0), drawn()
    page = visit(alice, language=language, size=size, expected=CUT)
    page.goto(at("photos", draft.pk))
    arrived, unsent = page.locator("[data-photo]"), page.locator("[data-unsent]")
    for count, (view, kind) in enumerate(zip(VIEWS, ("dark", "blurred"), strict=False), 1):
        page.set_input_files(f"#photo-{view}", files[kind])
        expect(arrived).to_have_count(count, timeout=15_000)
    page.context.set_offline(True)
    page.set_input_files("#photo-other", files["heic"])
    expect(unsent).to_have_attribute("data-state", "offline", timeout=15_000)
    page.context.set_offline(False)
    expect(arrived).to_have_count(3, timeout=20_000)
    page.set_input_files("#photo-other", files["good"])
    expect(arrived).to_have_count(4, timeout=15_000)
    expect(unsent).to_have_count(0)
    assert draft.photos.count() == len({photo.sha256 for photo in draft.photos.all()}) == 4
    work(draft)
    dark, blurred, clear = VERDICTS[language]
    for view, words in zip(VIEWS, (dark, blurred), strict=False):
        slot = page.locator(f".slot[data-view={view}][data-photo]")
        expect(slot.locator(".badge")).to_contain_text(words, timeout=15_000)
    good = page.locator(".slot[data-view=other][data-photo] .chip-good")
    expect(good).to_have_count(2, timeout=15_000)
    expect(good.first).to_contain_text(clear)
    for photo in draft.photos.all():
        assert photo.thumbnail_key and photo.display_key and photo.analysis_key
        for key in (photo.display_key, photo.analysis_key, photo.thumbnail_key):
            with Image.open(io.BytesIO(settings.PHOTO_STORAGE.read(key))) as copy:
                assert not copy.getexif()
        with Image.open(io.BytesIO(originals.read(photo.pk, photo.original_key))) as original:
            assert original.getexif().get_ifd(GPS)  # which the copies therefore lost on the way


# --- Screen 5 -------------------------------------------------------------------------------------------
@EACH_WAY
def test_place_and_history_by_keys_alone(visit, alice, draft_of, language, size):
    draft = draft_of(alice, photos=0)
    draft.case.submissions.update(history={})
    page = visit(alice, language=language, size=size)
    page.goto(at("about", draft.pk))
    if page.locator("[name=places]:checked").count() == 0:
        tab_to(page, "[name=places][value='elbow_crease.right']")
        page.keyboard.press("Space")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    tab_to(page, "button[name=duration][value=years]")
    enter(page, at("history", draft.pk, "symptoms"))
    tab_to(page, "[name=symptoms][value=itch]")
    page.keyboard.press("Space")
    go_on(page, at("history", draft.pk, "itch"))
    choose_by_arrows(page, "itch", 7)
    go_on(page, at("history", draft.pk, "sleep"))  # page 5 of 8
    choose_by_arrows(page, "sleep", 3)
    expect(page.locator("[data-saved]")).to_be_visible()
    page.reload()
    expect(page.locator(".where")).to_contain_text("5 / 8")
    expect(page.locator("[name=sleep]:checked")).to_have_attribute("value", "3")
    for part in ("different", "treatment", "allergies"):
        go_on(page, at("history", draft.pk, part))
    go_on(page, at("photos", draft.pk))
    draft.refresh_from_db()
    assert [str(place) for place in draft.case.body_places] == ["elbow_crease.right"]
    assert draft.history == {"duration": "years", "symptoms": ["itch"], "itch": 7, "sleep": 3}


def enter(page, address: str) -> None:
    page.keyboard.press("Enter")
    page.wait_for_url("**" + address)


def go_on(page, address: str) -> None:
    tab_to(page, "main .btn-primary")
    enter(page, address)


def choose_by_arrows(page, name: str, value: int) -> None:
    """Reach the scale by Tab, and the value by arrow keys."""
    tab_to(page, f"[name={name}]")
    page.keyboard.press("Space")
    for _step in range(value):
        page.keyboard.press("ArrowRight")
    expect(page.locator(f"[name={name}]:checked")).to_have_attribute("value", str(value))
