"""Alice's phone makes a large photo smaller before it sends it; the original goes where she wishes it or nothing else works."""

from __future__ import annotations

import gzip
import io
import re
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.urls import reverse
from PIL import Image
from playwright.sync_api import expect

from teleder.cases import originals

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
JAVASCRIPT_BYTES = 60_000  # of the patient's pages, compressed
CAPTURE = ["web/photos.js", "web/outbox.js", "web/smaller.js", "web/unsent.js"]
CAPTURE_BYTES = 12_000


def drawn(width: int = 4000, height: int = 3000, **options) -> bytes:
    """A JPEG with a red left third, and some noise."""
    pixels = np.random.default_rng(1).integers(0, 60, (height // 8, width // 8, 3), np.uint8)
    pixels[:, : width // 24, 0] = 230
    out = io.BytesIO()
    Image.fromarray(pixels).resize((width, height)).save(out, "JPEG", quality=92, **options)
    return out.getvalue()


@pytest.fixture
def sent(visit, alice, draft_of):
    """Choose a file on the page of a draft; return the bytes that arrived."""
    draft = draft_of(alice, photos=0)

    def choose(content: bytes, *, name: str = "skin.jpg", full_size: bool = False) -> bytes:
        page = visit(alice)
        page.goto(reverse("web:photos", args=[draft.pk]))
        if full_size:
            page.check("#full-size")
        page.set_input_files("#photo-close_up", {"name": name, "mimeType": "image/jpeg", "buffer": content})
        expect(page.locator("[data-photo]")).to_have_count(1, timeout=30_000)
        photo = draft.photos.get()
        return originals.read(photo.pk, photo.original_key)

    return choose


def test_a_large_photo_arrives_with_3000_px(sent):
    content = drawn()
    arrived = sent(content)
    assert len(arrived) < len(content)
    with Image.open(io.BytesIO(arrived)) as found:
        assert (found.format, found.size) == ("JPEG", (3000, 2250))


def test_a_photo_taken_upright_arrives_upright(sent):
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: its left side is the top
    arrived = sent(drawn(exif=turned))
    with Image.open(io.BytesIO(arrived)) as found:
        assert found.size == (2250, 3000) and found.getexif().get(0x0112, 1) == 1
        reds = np.asarray(found)[..., 0]
    assert reds[200].mean() > 180 > 100 > reds[-200].mean()


@pytest.mark.parametrize(
    ("content", "full_size"),
    [(drawn(), True), (drawn(1600, 1200), False), (drawn(8000, 1000), False)],
    ids=["on wish", "small", "panorama"],
)
def test_the_original_arrives_unchanged(sent, content, full_size):
    assert sent(content, full_size=full_size) == content


@pytest.mark.parametrize("cut", [0.5, 0.97])
def test_a_photo_that_lacks_its_end_arrives_as_it_is(sent, cut):
    """Made smaller, it would be a whole file with a grey part, and nobody would tell alice."""
    content = drawn()
    content = content[: int(len(content) * cut)]
    assert sent(content) == content


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("skin.jpg", b"no photo at all " * 99, "JPEG"),
        ("skin.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500), None),
    ],
)
def test_what_the_browser_cannot_read_goes_to_the_server(visit, alice, draft_of, name, content, said):
    draft = draft_of(alice, photos=0)
    page = visit(alice, expected=re.compile("status of 422"))
    page.goto(reverse("web:photos", args=[draft.pk]))
    page.set_input_files("#photo-other", {"name": name, "mimeType": "", "buffer": content})
    if said:
        expect(page.locator("[data-unsent] .err")).to_contain_text(said)
        assert not draft.photos.exists()
    else:
        expect(page.locator("[data-photo]")).to_have_count(1, timeout=15_000)
        photo = draft.photos.get()
        assert originals.read(photo.pk, photo.original_key) == content


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_wish_is_accessible(visit, is_accessible, alice, draft_of, language):
    page = visit(alice, language=language)
    page.goto(reverse("web:photos", args=[draft_of(alice).pk]))
    expect(page.locator("#full-size")).to_be_visible()
    is_accessible(page, language)


def test_a_seen_thumbnail_comes_from_the_cache_until_alice_logs_out(
    visit, alice, submission_of, draft_of, analyse
):
    draft = draft_of(alice)
    photo = draft.photos.get()
    analyse(photo)
    photo.refresh_from_db()
    tiny = io.BytesIO()
    Image.new("RGB", (320, 240), "brown").save(tiny, "JPEG")
    settings.PHOTO_STORAGE.write(photo.thumbnail_key, tiny.getvalue())
    page = visit(alice, expected=re.compile("Failed to fetch|net::ERR"))
    page.goto(
        reverse("web:home")
    )  # sets the cookie of the time zone: what is cached is kept for the cookies sent with it
    page.wait_for_function("document.cookie.includes('time_zone')")
    address = reverse("web:photos", args=[draft.pk])
    image = "[data-photo] img"
    answers = []
    page.on("response", lambda answer: answers.append(answer.url) if "/thumbnail/" in answer.url else None)
    page.goto(address)
    expect(page.locator(image)).to_be_visible()
    source = page.locator(image).get_attribute("src")
    assert re.search(r"\?v=\d+$", source)  # the attempt: a busy machine needs more than one
    cached = """async url => { try { return (await fetch(url, {cache: 'only-if-cached', mode: 'same-origin'})).status }
                               catch { return 0 } }"""
    assert page.evaluate(cached, source) == 200
    page.goto(reverse("account_logout"))
    page.click("main [type=submit]")
    page.wait_for_url("**/")
    assert page.evaluate(cached, source) in (0, 504)


def test_the_scripts_of_a_patients_pages_are_small():
    names = ["web/app.js", "web/polling.js", "web/status.js", *CAPTURE]
    found = [Path(finders.find(name)) for name in names]
    found.append(Path(finders.find("django_htmx/htmx-2.min.js")))
    assert sum(len(gzip.compress(file.read_bytes())) for file in found) <= JAVASCRIPT_BYTES
    capture = [Path(finders.find(name)) for name in CAPTURE]
    assert sum(len(gzip.compress(file.read_bytes())) for file in capture) <= CAPTURE_BYTES
