"""Web and worker accept the same files by one table, and files that cannot import it have the same limits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils.translation import override

from contract import photos
from contract.photos import Reason
from teleder.cases import originals
from teleder.cases.remedies import REMEDIES
from tests import drawn_uploads
from tests.drawn_uploads import SCENE, file_of

ROOT = Path(__file__).resolve().parents[2]
AT_UPLOAD = {Reason.EMPTY_FILE, Reason.FILE_TOO_LARGE, Reason.UNSUPPORTED_FORMAT}
UPLOADS = [pytest.param(each.data, id=each.name) for each in drawn_uploads.all_kinds()]


def reason_of_web(data: bytes) -> str | None:
    try:
        originals.check_upload(SimpleUploadedFile("photo", data))
    except originals.RefusedError as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize("data", UPLOADS)
def test_web_and_worker_accept_the_same_formats(data):
    photo_file = pytest.importorskip("decoding.photo_file")
    formats = pytest.importorskip("decoding.formats")
    try:
        formats.examine(data)
        reason = None
    except photo_file.RejectedError as rejected:
        reason = rejected.reason
    assert reason_of_web(data) == (reason if reason in AT_UPLOAD else None)


def test_every_accepted_format_is_generated_and_recognised():
    drawn = {name: photos.sniff(file_of(SCENE, name)[: photos.HEAD_BYTES]) for name in photos.FORMATS}
    assert drawn == photos.FORMATS


@pytest.mark.parametrize("brand", sorted(photos.HEVC_BRANDS | photos.ANY_CODEC_BRANDS))
def test_every_brand_of_heic_is_accepted(brand):
    assert photos.sniff(drawn_uploads.file_type(brand)) is photos.FORMATS["HEIF"]


def test_a_brand_of_hevc_is_found_after_another():
    assert photos.sniff(drawn_uploads.file_type(b"mif1", b"avif", b"miaf", b"heic")) is photos.FORMATS["HEIF"]


def test_both_sides_have_the_same_file_limit():
    formats = pytest.importorskip("decoding.formats")
    photo_file = pytest.importorskip("decoding.photo_file")
    large = file_of(SCENE).ljust(photos.FILE_LIMIT_BYTES, b"\0")
    assert reason_of_web(large) is None and formats.examine(large).format == "JPEG"
    assert reason_of_web(large + b"\0") == Reason.FILE_TOO_LARGE
    with pytest.raises(photo_file.RejectedError, match=Reason.FILE_TOO_LARGE):
        formats.examine(large + b"\0")


@pytest.mark.parametrize("kind", ["GIF", "AVIF", "TIFF", "BMP", "JPEG2000"])
@pytest.mark.parametrize(
    ("language", "advice"), [("en", "Please send JPEG, PNG, WebP or HEIC."), ("ja", "送ってください")]
)
def test_another_format_is_refused_at_the_upload_with_advice(
    client, alice, alices_draft, photo_file, kind, language, advice
):
    alice.language = language
    alice.save(update_fields=["language"])
    client.force_login(alice)
    content = file_of(SCENE[:256, :256], kind)
    answer = client.post(
        reverse("api:photos", args=[alices_draft.pk]),
        {"view": "other", "file": photo_file(content=content)},
        headers={"Accept-Language": language},
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_format")
    assert advice in answer.json()["detail"]
    assert alices_draft.photos.count() == 1


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_advice_names_every_format_and_the_limit_of_the_table(language):
    with override(language):
        assert all(label in str(REMEDIES[Reason.UNSUPPORTED_FORMAT]) for label in photos.LABELS)
        assert f"{photos.FILE_LIMIT_MB}MB" in str(REMEDIES[Reason.FILE_TOO_LARGE]).replace(" ", "")


@pytest.mark.parametrize("code", [*Reason, *photos.QualityFault])
def test_every_refusal_has_a_remedy_in_both_languages(code):
    texts = set()
    for language in ("en", "ja"):
        with override(language):
            texts.add(str(REMEDIES[code]))
    assert len(texts) == 2


def test_the_page_offers_the_formats_of_the_table(client, alice, alices_draft):
    client.force_login(alice)
    page = client.get(reverse("web:photos", args=[alices_draft.pk])).content.decode()
    assert set(re.findall(r'accept="([^"]+)"', page)) == {photos.ACCEPT}


def test_the_proxy_accepts_a_photo_of_the_maximum_size_and_names_the_limit():
    proxy = (ROOT / "docker/Caddyfile").read_text()
    largest = max(int(size) for size in re.findall(r"max_size (\d+)MiB", proxy))
    assert photos.FILE_LIMIT_MB < largest <= photos.FILE_LIMIT_MB + 1
    assert set(re.findall(r"(\d+) MB", proxy)) == {str(photos.FILE_LIMIT_MB)}


@pytest.mark.parametrize("name", ["api.md", "running.md", "threat-model.md"])
def test_the_documents_name_the_limits_of_the_table(name):
    text = (ROOT / "docs" / name).read_text()
    assert f"{photos.FILE_LIMIT_MB} MB" in text
    megapixels = {str(each.pixel_limit // 10**6) for each in photos.FORMATS.values()}
    assert set(re.findall(r"(\d+) MP\b", text)) <= megapixels


def test_no_other_file_repeats_the_limit():
    spelled = re.compile(r"25 ?\* ?1024|26_?214_?400|\b25_000_000|image/(heic|heif)")
    packages = ("teleder", "inference_worker", "decoding", "contract", "training", "local", "drills")
    files = [
        path
        for package in packages
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".js", ".html"}
    ]
    found = {str(path.relative_to(ROOT)) for path in files if spelled.search(path.read_text())}
    assert found == {"contract/photos.py"}


def test_the_browser_and_the_worker_call_the_same_photos_too_small():
    script = (ROOT / "teleder/web/static/web/smaller.js").read_text()
    assert f"const SMALL = {photos.SHORT_SIDE_WANTED};" in script
