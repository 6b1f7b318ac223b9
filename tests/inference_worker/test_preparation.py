"""A stranger's bytes become an upright sRGB photo without metadata, or a reason."""

from __future__ import annotations

import csv
import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps

from inference_worker import phantom
from inference_worker.contract import Reason
from inference_worker.preparation import COPIES, prepare

CORPUS = Path(__file__).resolve().parents[3] / "shared/data/corpus"
CANARY = b"CANARY-7f3a"
ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def scene() -> Image.Image:
    """A drawn photo, wider than high, and not the same in any two corners."""
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
def test_a_photo_is_turned_upright(scene, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = file_of(scene, exif=exif, quality=95)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(stored))).convert("RGB")
    preparation = prepare(stored)
    assert preparation.orientation == orientation
    assert (preparation.outcome.width, preparation.outcome.height) == upright.size
    assert difference(pixels_of(preparation.copies["analysis"]), np.asarray(upright).astype(int)) < 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_the_four_kinds_of_file_are_read(scene, kind):
    pillow_heif.register_heif_opener()
    preparation = prepare(file_of(scene, kind, quality=92))
    assert preparation.outcome.reason is None
    assert set(preparation.copies) == set(COPIES)
    assert difference(pixels_of(preparation.copies["analysis"]), np.asarray(scene).astype(int)) < 8


def test_copies_are_as_long_as_they_may_be_and_never_blown_up(scene):
    large = scene.resize((3000, 2250))
    sides = {name: max(pixels_of(copy).shape) for name, copy in prepare(file_of(large)).copies.items()}
    assert sides == {name: side for name, (side, _quality, _chroma) in COPIES.items()}
    assert max(pixels_of(prepare(file_of(scene)).copies["display"]).shape) == max(scene.size)


def test_nothing_the_phone_wrote_beside_the_picture_is_in_a_copy(scene):
    exif = Image.Exif()
    exif[0x010F] = CANARY.decode()  # maker
    exif.get_ifd(0x8825)[29] = CANARY.decode()  # GPS date
    stored = file_of(scene, exif=exif, comment=CANARY, xmp=b"<x:xmpmeta>" + CANARY + b"</x:xmpmeta>")
    assert stored.count(CANARY) >= 3
    preparation = prepare(stored)
    assert preparation.copies and not any(CANARY in copy for copy in preparation.copies.values())
    assert {"exif", "xmp"} <= {name.lower() for name in preparation.outcome.stripped}
    for copy in preparation.copies.values():
        assert not Image.open(io.BytesIO(copy)).getexif()


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few bytes that says it has 3.6 gigapixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\x00\x00\x00\x00IDAT" + b"\x00" * 4


def test_what_cannot_be_read_is_refused_with_its_reason(scene):
    whole = file_of(scene)
    refused = {
        b"": Reason.EMPTY_FILE,
        b"<html><body>photo</body></html>": Reason.UNSUPPORTED_FORMAT,
        bomb(): Reason.TOO_MANY_PIXELS,
        whole[: len(whole) // 2]: Reason.TRUNCATED_IMAGE,
        file_of(scene.resize((40, 30))): Reason.IMAGE_TOO_SMALL,
    }
    for data, reason in refused.items():
        preparation = prepare(data)
        assert (preparation.outcome.reason, preparation.copies) == (reason, {})


def test_the_command_says_for_each_file_what_would_become_of_it(scene, tmp_path):
    (tmp_path / "good.jpg").write_bytes(file_of(scene))
    (tmp_path / "page.jpg").write_bytes(b"<html></html>")
    command = [sys.executable, "-m", "inference_worker.preparation", "--json"]
    files = [str(tmp_path / "good.jpg"), str(tmp_path / "page.jpg")]
    told = subprocess.run([*command, *files], capture_output=True, text=True, check=True).stdout
    good, page = map(json.loads, told.splitlines())
    assert (good["accepted"], good["format"], good["reason"]) == (True, "JPEG", None)
    assert (page["accepted"], page["reason"]) == (False, "unsupported_format")


@pytest.mark.skipif(not CORPUS.exists(), reason="the upload corpus is not in the repository")
def test_the_upload_corpus_is_taken_and_refused_as_its_manifest_says():
    wrong = []
    with (CORPUS / "manifest-dev.csv").open(newline="") as manifest:
        for row in csv.DictReader(manifest):
            preparation = prepare((CORPUS / row["file"]).read_bytes())
            if row["bucket"] == "must_accept" and not preparation.copies:
                wrong.append(row["file"])
            if row["bucket"] == "must_reject" and (preparation.outcome.reason or "-") not in row["expected"]:
                wrong.append(row["file"])
    assert wrong == []  # "either" must only not end this test
