"""Untrusted uploads: every kind of file that phones, editors and attackers send, drawn by tests/drawn_uploads.py."""

from __future__ import annotations

import re
import resource
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
import pytest

from contract.photos import Reason
from decoding import sandbox
from decoding.decoders import decode
from decoding.formats import BLANK, RejectedError, examine
from inference_worker.preparation import prepare
from tests import drawn_uploads
from tests.drawn_uploads import SCENE, WHOLE, DrawnUpload, file_of

COLOUR_LIMIT = 3  # CIE76 difference between areas of 8 x 8 px


def lab(photo: np.ndarray) -> np.ndarray:
    small = cv2.resize(photo.astype(np.float32) / 255, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2LAB)


def colour_difference(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    return float(np.sqrt(((lab(one) - lab(other)) ** 2).sum(axis=2)).max())


def pixels_of(jpeg: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize("upload", [pytest.param(each, id=each.name) for each in drawn_uploads.all_kinds()])
def test_an_upload_is_shown_upright_in_its_colours_or_refused_with_its_reason(upload: DrawnUpload):
    preparation = prepare(upload.data)
    if not preparation.copies:
        assert preparation.outcome.reason in upload.reasons
        return
    assert upload.shows is not None, "accepted, but it should have been refused"
    assert colour_difference(pixels_of(preparation.copies["analysis"]), upload.shows) < COLOUR_LIMIT


def _refuse_poorly(data: bytes, theirs: Connection) -> None:
    """Decode with 50 MB more than this child already uses; return the reason."""
    status = Path("/proc/self/status").read_text()
    most = int(re.search(r"VmData:\s+(\d+)", status)[1]) * 1024 + 50 * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    try:
        decode(data)
        reason = "taken"
    except RejectedError as rejected:
        reason = str(rejected.reason)
    except MemoryError:
        reason = "more than 50 MB"
    except Exception:  # as in isolation: decoders raise anything for a file they cannot read
        reason = str(Reason.CORRUPT_IMAGE)
    theirs.send(reason)


@pytest.mark.parametrize("upload", [pytest.param(each, id=each.name) for each in drawn_uploads.bombs()])
def test_a_bomb_is_refused_within_50_mb(upload):
    ours, theirs = sandbox.fork_server.Pipe()
    child = sandbox.fork_server.Process(target=_refuse_poorly, args=(upload.data, theirs))
    child.start()
    theirs.close()
    reason = ours.recv()
    child.join()
    assert reason in upload.reasons


def test_concurrent_refusals_are_the_same_as_sequential_ones():
    refused = [each for each in drawn_uploads.not_photos() if len(each.data) < 300_000]
    with ThreadPoolExecutor(3) as three:
        reasons = list(three.map(lambda each: prepare(each.data).outcome.reason, [*refused] * 3))
    assert all(reason in each.reasons for each, reason in zip(refused * 3, reasons, strict=True))


@pytest.mark.parametrize("name", WHOLE)
def test_no_truncated_photo_is_accepted(name):
    whole = WHOLE[name]
    for percent in range(1, 100):
        with pytest.raises(RejectedError) as refused:
            decode(whole[: len(whole) * percent // 100])
        assert refused.value.reason in drawn_uploads.BROKEN | {Reason.UNSUPPORTED_FORMAT}, percent


def test_a_white_wall_is_not_mistaken_for_missing_data():
    """An encoder with optimised codes writes a flat area as zeros."""
    wall = file_of(np.full((2000, 2000), 255, np.uint8), optimize=True)
    assert wall.count(BLANK) > 1
    assert examine(wall).width == 2000


def test_a_long_panorama_is_accepted():
    panorama = np.tile(SCENE[:210, :50], (1, 1310, 1))
    outcome = prepare(file_of(panorama)).outcome
    assert (outcome.width, outcome.height) == (65_500, 210)
