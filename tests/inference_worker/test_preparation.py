"""An untrusted file becomes an upright sRGB photo without metadata, or a reason."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from contract.photos import FILE_LIMIT_BYTES, FULL_SIDE, QualityFault, Reason
from inference_worker.preparation import COPIES, copy_in_full, prepare
from training import phantom

CORPUS = Path(__file__).resolve().parents[3] / "shared/data/corpus"
CANARY = b"CANARY-7f3a"
ORIENTATION = 0x0112
KINDS = ["JPEG", "PNG", "WEBP", "HEIF"]
OF_JPEG_ITSELF = {"jfif", "jfif_version", "jfif_unit", "jfif_density"}

pillow_heif.register_heif_opener()


@pytest.fixture(scope="module")
def scene() -> Image.Image:
    """A drawn photo that is wider than high and has four different corners."""
    return Image.fromarray(phantom.draw(3, condition="AD").photo)


def file_of(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels_of(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).astype(int)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    return float(np.abs(one - other).mean())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_rotated_upright(scene, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = file_of(scene, exif=exif, quality=95)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(stored))).convert("RGB")
    preparation = prepare(stored)
    assert preparation.orientation == orientation
    assert (preparation.outcome.width, preparation.outcome.height) == upright.size
    assert difference(pixels_of(preparation.copies["analysis"]), np.asarray(upright).astype(int)) < 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_four_kinds_of_file_are_read(scene, kind):
    preparation = prepare(file_of(scene, kind, quality=92))
    assert preparation.outcome.reason is None
    assert set(preparation.copies) == set(COPIES)
    assert difference(pixels_of(preparation.copies["analysis"]), np.asarray(scene).astype(int)) < 8


def test_copies_have_their_maximum_size_and_are_never_enlarged(scene):
    large = scene.resize((3000, 2250))
    sides = {name: max(pixels_of(copy).shape) for name, copy in prepare(file_of(large)).copies.items()}
    assert sides == {name: side for name, (side, _quality, _chroma) in COPIES.items()}
    assert max(pixels_of(prepare(file_of(scene)).copies["display"]).shape) == max(scene.size)


def test_the_full_copy_has_every_pixel_up_to_its_limit(scene):
    for side, expected in ((3000, 3000), (FULL_SIDE + 1000, FULL_SIDE)):
        large = scene.resize((side, side // 8))
        assert max(pixels_of(copy_in_full(file_of(large))).shape) == expected


def profile(*, swapped: bool = False) -> bytes:
    """An sRGB profile; with red and blue swapped its conversion is easily visible."""
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if not swapped:
        return icc
    return icc.replace(b"rXYZ", b"....").replace(b"bXYZ", b"rXYZ").replace(b"....", b"bXYZ")


@pytest.mark.parametrize("kind", KINDS)
def test_colours_are_converted_to_srgb_and_not_only_stripped(scene, kind):
    blue_and_red_changed_places = Image.fromarray(np.asarray(scene)[..., ::-1].copy())
    stored = file_of(blue_and_red_changed_places, kind, quality=95, icc_profile=profile(swapped=True))
    copies = prepare(stored).copies
    assert difference(pixels_of(copies["analysis"]), np.asarray(scene).astype(int)) < 8


def phone_metadata(kind: str) -> dict:
    """Metadata with the canary in every field of this kind of file."""
    exif = Image.Exif()
    exif[0x010F] = CANARY.decode()  # maker
    exif.get_ifd(0x8825)[29] = CANARY.decode()  # GPS date
    xmp = b"<x:xmpmeta>" + CANARY + b"</x:xmpmeta>"
    options = {"exif": exif.tobytes(), "icc_profile": profile() + CANARY, "xmp": xmp}
    if kind == "JPEG":
        options["comment"] = CANARY
    if kind == "PNG":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text("Comment", CANARY.decode())
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode())
    return options


def assert_no_metadata(copies: dict[str, bytes], canary: bytes = CANARY) -> None:
    assert set(copies) == set(COPIES)
    for copy in copies.values():
        image = Image.open(io.BytesIO(copy))
        assert canary not in copy
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert set(image.info) <= OF_JPEG_ITSELF and not image.getexif()
        assert copy.endswith(b"\xff\xd9")


@pytest.mark.parametrize("kind", KINDS)
def test_no_copy_contains_the_metadata_of_the_original(scene, kind):
    stored = file_of(scene, kind, **phone_metadata(kind)) + CANARY  # a video may follow the photo
    assert stored.count(CANARY) >= 4
    preparation = prepare(stored)
    assert_no_metadata(preparation.copies)
    assert {"exif", "gps", "icc"} <= set(preparation.outcome.stripped)


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few bytes whose header claims 3.6 gigapixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\x00\x00\x00\x00IDAT" + b"\x00" * 4


def jpeg_bomb(scene: Image.Image) -> bytes:
    """A complete photo whose frame header claims 65,000 x 65,000."""
    data = bytearray(file_of(scene))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65_000, 65_000)
    return bytes(data)


def webp_bomb() -> bytes:
    size = (16_000_000).to_bytes(3, "little")
    return b"RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00" + bytes(4) + size + size


def damaged(data: bytes) -> bytes:
    """Return data of the same length with some bytes changed in the middle."""
    at = len(data) // 2
    return data[:at] + b"\x55" * 200 + data[at + 200 :]


def test_an_unusable_file_is_refused_with_its_reason(scene):
    refused = {
        b"": Reason.EMPTY_FILE,
        b"<html><body>photo</body></html>": Reason.UNSUPPORTED_FORMAT,
        file_of(scene, "GIF"): Reason.UNSUPPORTED_FORMAT,
        bomb(): Reason.TOO_MANY_PIXELS,
        jpeg_bomb(scene): Reason.TOO_MANY_PIXELS,
        webp_bomb(): Reason.TOO_MANY_PIXELS,
        damaged(file_of(scene)): Reason.CORRUPT_IMAGE,
        damaged(file_of(scene, "PNG")): Reason.CORRUPT_IMAGE,
        file_of(scene) + bytes(FILE_LIMIT_BYTES): Reason.FILE_TOO_LARGE,
        file_of(scene.resize((40, 30))): Reason.IMAGE_TOO_SMALL,
    }
    for data, reason in refused.items():
        preparation = prepare(data)
        assert (preparation.outcome.reason, preparation.copies) == (reason, {})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_photo_is_never_shown_half_grey(scene, kind, share):
    whole = file_of(scene, kind)
    preparation = prepare(whole[: int(len(whole) * share)])
    assert (preparation.outcome.reason, preparation.copies) == (Reason.TRUNCATED_IMAGE, {})


def test_a_photo_of_poor_quality_has_copies_because_it_may_be_sent_anyway(scene):
    preparation = prepare(file_of(scene.point(lambda level: level // 6)))
    assert preparation.outcome.reason == Reason.POOR_QUALITY
    assert preparation.outcome.fault == "too_dark"
    assert set(preparation.copies) == set(COPIES)


def test_the_command_prints_the_outcome_of_each_file(scene, tmp_path):
    (tmp_path / "good.jpg").write_bytes(file_of(scene))
    (tmp_path / "page.jpg").write_bytes(b"<html></html>")
    command = [sys.executable, "-m", "training.prepare_files", "--json"]
    files = [str(tmp_path / "good.jpg"), str(tmp_path / "page.jpg")]
    output = subprocess.run([*command, *files], capture_output=True, text=True, check=True).stdout
    good, page = map(json.loads, output.splitlines())
    assert (good["accepted"], good["format"], good["reason"]) == (True, "JPEG", None)
    assert (page["accepted"], page["reason"]) == (False, "unsupported_format")


def corpus() -> list:
    """The manifest's rows; none, and so one skipped test, without the corpus, which is not in the repository."""
    manifest = CORPUS / "manifest-dev.csv"
    if not manifest.exists():
        return []
    with manifest.open(newline="") as rows:
        return [pytest.param(row, id=row["file"]) for row in csv.DictReader(rows)]


@pytest.mark.parametrize("row", corpus())
def test_the_upload_corpus_is_accepted_and_refused_as_its_manifest_says(row):
    preparation = prepare((CORPUS / row["file"]).read_bytes())
    reason, is_taken = preparation.outcome.reason, bool(preparation.copies)
    if row["bucket"] == "must_accept":
        assert is_taken, reason
    if row["bucket"] == "must_reject" and not (is_taken and "accepted" in row["expected"]):
        assert not is_taken
        assert reason in re.findall(r"\w+", row["expected"])
    # "either" may be accepted or refused; an accepted file has no metadata.
    if is_taken:
        assert_no_metadata(preparation.copies, canary=b"TELEDER")
    if is_taken and "red corner top left" in row["expected"]:
        red, green, blue = pixels_of(preparation.copies["display"])[4:12, 4:12].mean(axis=(0, 1))
        assert red > 150 > 100 > max(green, blue)


@pytest.mark.parametrize("size", [(266, 200), (530, 399)])
def test_a_preview_is_of_poor_quality_even_where_it_is_light_and_sharp(scene, size):
    preparation = prepare(file_of(scene.resize(size)))
    assert (preparation.outcome.reason, preparation.outcome.fault) == (
        Reason.POOR_QUALITY,
        QualityFault.TOO_SMALL,
    )
    assert set(preparation.copies) == set(COPIES)  # it may be sent anyway


@pytest.mark.parametrize("size", [(533, 400), (2400, 500)])
def test_a_photo_that_is_just_large_enough_or_long_and_narrow_is_not_too_small(scene, size):
    assert prepare(file_of(scene.resize(size))).outcome.fault is not QualityFault.TOO_SMALL
