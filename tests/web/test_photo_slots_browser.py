"""The photo step as alice sees it: each state of a slot, in both languages, on a phone and at a desk; and without scripts."""

from __future__ import annotations

import io
import re

import pytest
from django.conf import settings
from django.urls import reverse
from PIL import Image
from playwright.sync_api import expect

from contract import messages
from contract.messages import Stage
from teleder.cases import intake
from teleder.cases.models import PHOTOS_PER_SUBMISSION
from teleder.pipeline import results
from tests.conftest import CALM, MODEL, send_for_test
from tests.web.test_smaller_photos_browser import drawn

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
EACH_WAY = pytest.mark.parametrize(
    ("language", "size"), [("ja", "phone"), ("en", "phone"), ("ja", "desk"), ("en", "desk")]
)
FAILED = re.compile(r"ERR_|status of (4|5)\d\d")


def a_file(content: bytes) -> dict:
    return {"name": "skin.jpg", "mimeType": "image/jpeg", "buffer": content}


@pytest.fixture
def prepared(analyse):
    """The worker's part, with a picture that a browser can draw."""

    def play(photo, **fault):
        analyse(photo, **fault)
        photo.refresh_from_db()
        tiny = io.BytesIO()
        Image.new("RGB", (320, 240), "brown").save(tiny, "JPEG")
        settings.PHOTO_STORAGE.write(photo.thumbnail_key, tiny.getvalue())
        return photo

    return play


@EACH_WAY
def test_each_state_of_a_slot_is_accessible(
    visit, is_accessible, alice, draft_of, photo_file, prepared, language, size
):
    draft = draft_of(alice, photos=0)
    page = visit(alice, language=language, size=size, expected=FAILED)
    address = reverse("web:photos", args=[draft.pk])
    overview, close_up = ('.slot[data-view="overview"]:visible', '.slot[data-view="close_up"]:visible')
    page.goto(address)
    expect(page.locator(f"{overview} .frame svg").first).to_be_visible()  # the drawn example
    is_accessible(page, language)
    page.context.set_offline(True)
    page.set_input_files("#camera-overview", a_file(drawn(1600, 1200)))
    expect(page.locator(overview)).to_have_attribute("data-state", "offline", timeout=15_000)
    is_accessible(page, language)
    page.click("#continue")
    expect(page.locator("#waiting")).to_be_visible()
    is_accessible(page, language)
    page.context.set_offline(False)
    page.wait_for_url("**" + reverse("web:missing_photo", args=[draft.pk]))
    is_accessible(page, language)
    # Good only after the check.
    photo = prepared(draft.photos.get())
    page.goto(address)
    expect(page.locator(f"{overview} .chip-good")).to_have_count(0)
    job, attempt = send_for_test(photo, Stage.CHECK)
    outcome = messages.Checked(advice=None, skin=0.5, largest=0.4, lesion=0.1, model=MODEL)
    assert results.record(job=job, attempt=attempt, worker="w", outcome=outcome)
    expect(page.locator(f"{overview} .chip-good")).to_be_visible(timeout=15_000)
    expect(page.locator("#said")).to_contain_text({"en": "Looks clear", "ja": "見やすいです"}[language])
    # A fault: to take it again comes first.
    intake.add_photo(draft, view="close_up", upload=photo_file())
    dark = prepared(draft.photos.get(view="close_up"), fault="too_dark", reason="poor_quality")
    page.goto(address)
    expect(page.locator(f"{close_up} .badge")).to_contain_text(
        {"en": "Too dark", "ja": "暗すぎます"}[language]
    )
    expect(page.locator("#capture .btn-primary:visible")).to_have_count(1)
    expect(page.locator(f"{close_up} .btn-primary input")).to_have_id(f"retake-{dark.pk.hex}")
    is_accessible(page, language)
    page.click(f"{close_up} .grow button")
    expect(page.locator(f"{close_up} .chip-plain")).to_be_visible()
    expect(page.locator("#continue.btn-primary")).to_be_visible()
    is_accessible(page, language)


def test_six_photos_are_enough(visit, alice, draft_of):
    draft = draft_of(alice, photos=PHOTOS_PER_SUBMISSION)
    page = visit(alice)
    page.goto(reverse("web:photos", args=[draft.pk]))
    expect(page.locator("#slots")).to_contain_text("Six photos are enough.")
    expect(page.locator("[data-empty]")).to_have_count(0)


def test_a_retake_is_shown_beside_the_photo_before(visit, is_accessible, alice, draft_of, prepared):
    draft = draft_of(alice, photos=0)
    page = visit(alice)
    page.goto(reverse("web:photos", args=[draft.pk]))
    page.set_input_files("#photo-overview", a_file(drawn(900, 700)))
    expect(page.locator("[data-photo]")).to_have_count(1)
    expect(page.locator("#compare")).to_be_hidden()
    prepared(draft.photos.get(), fault=messages.QualityFault.BLURRED)
    page.reload()
    first = draft.photos.get()
    page.set_input_files(f"#retake-{first.pk.hex}", a_file(drawn(1000, 700)))
    card = page.locator("#compare")
    expect(card).to_be_visible()
    widths = card.locator("img").evaluate_all("all => all.map((image) => image.naturalWidth)")
    assert widths == [320, 1000]
    is_accessible(page, "en")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_follow_up_shows_the_last_photo_of_each_slot(
    visit, is_accessible, alice, draft_of, photo_file, prepared, language
):
    first = draft_of(alice, photos=0)
    for view in ("overview", "close_up"):
        prepared(intake.add_photo(first, view=view, upload=photo_file()))
    intake.submit(first, by=alice)
    follow_up = intake.start(patient=alice, answers=CALM, case=first.case)
    page = visit(alice, language=language)
    page.goto(reverse("web:photos", args=[follow_up.pk]))
    ghost = page.locator("[data-view=overview] .ghost img")
    expect(ghost).to_be_visible()
    assert ghost.evaluate("image => image.naturalWidth") == 320
    expect(page.locator("[data-view=overview] .badge")).to_contain_text(
        "前回" if language == "ja" else "Last time"
    )
    expect(page.locator("[data-view=close_up] > img")).to_be_visible()
    expect(page.locator("[data-view=other] > img")).to_have_count(0)
    is_accessible(page, language)


@pytest.mark.parametrize("level", [9, 200], ids=["dark", "light"])
def test_the_browser_hints_at_a_dark_photo_before_the_server_has_looked(visit, alice, draft_of, level):
    page = visit(alice, expected=FAILED)
    draft = draft_of(alice, photos=0)
    page.goto(reverse("web:photos", args=[draft.pk]))
    page.route("**/add/", lambda route: None)
    out = io.BytesIO()
    noise = Image.effect_noise((900, 700), 40).point(lambda value: value * level // 255)
    noise.convert("RGB").save(out, "JPEG")
    page.set_input_files("#photo-overview", a_file(out.getvalue()))
    badge = page.locator("[data-unsent] .badge")
    expect(badge).to_have_text("Too dark" if level == 9 else "Sending")
    if level == 9:
        expect(page.locator("[data-unsent] .remedy")).to_contain_text("near a window")


def test_without_scripts_alice_takes_retakes_explains_and_sends(visit, alice, draft_of, photo_file):
    draft = draft_of(alice, photos=0)
    page = visit(alice, size="desk", java_script_enabled=False)
    address = reverse("web:photos", args=[draft.pk])
    page.goto(address)
    content = photo_file().read()
    page.set_input_files("#photo-overview", a_file(content))
    page.click('.slot[data-view="overview"] .noscript')
    first = draft.photos.get()
    page.set_input_files(f"#retake-{first.pk.hex}", a_file(content))
    page.click('.slot[data-view="overview"] .noscript')
    expect(page.locator("main [role=status]").first).to_contain_text("This photo is already here")
    page.set_input_files(f"#retake-{first.pk.hex}", a_file(photo_file().read()))
    page.click('.slot[data-view="overview"] .noscript')
    assert draft.current_photos().get() != first
    page.click("#continue")
    page.click("[value=reach]")
    page.wait_for_url("**" + reverse("web:send", args=[draft.pk]))
    draft.refresh_from_db()
    assert draft.missing_photo == "reach"
