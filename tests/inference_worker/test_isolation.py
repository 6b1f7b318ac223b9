"""The child that decodes can crash, hang or be killed; its parent says which, and goes on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference_worker import isolation
from inference_worker.contract import Reason
from inference_worker.formats import Rejected
from inference_worker.isolation import DecoderLost, decode_apart

ROOT = Path(__file__).resolve().parents[2]


def photo() -> bytes:
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


# --- What a taken-over or broken decoder may do; runs in the child ----------------------------------------
def _end_by(number: int) -> None:
    os.kill(os.getpid(), number)


def crash(_data, _theirs):
    _end_by(signal.SIGSEGV)


def abort(_data, _theirs):
    _end_by(signal.SIGABRT)


def leave(_data, _theirs):
    os._exit(1)


def be_killed(_data, _theirs):
    _end_by(signal.SIGKILL)


def eat_cpu(_data, _theirs):
    isolation.CPU_LIMIT_SECONDS = 1  # in the child alone
    isolation._limit()
    while True:
        pass


def try_doors(_data, theirs):
    """Answer as for a photo that is too small if every door is shut, and not at all if one is open."""
    isolation._limit()
    doors = [
        lambda: os.open(__file__, os.O_RDONLY),
        socket.socket,
        lambda: bytearray(isolation.MEMORY_LIMIT_BYTES),
    ]
    for door in doors:
        try:
            door()
        except (OSError, MemoryError):
            continue
        return
    theirs.send_bytes(b'{"reason": "image_too_small"}')


def reason_for(monkeypatch, deed) -> Reason:
    monkeypatch.setattr(isolation, "_serve", deed)
    with pytest.raises(Rejected) as rejected:
        decode_apart(b"photo")
    return rejected.value.reason


@pytest.mark.parametrize("deed", [crash, abort, leave, eat_cpu])
def test_a_file_that_crashes_its_decoder_or_eats_its_time_is_corrupt(monkeypatch, deed):
    assert reason_for(monkeypatch, deed) == Reason.CORRUPT_IMAGE


def test_a_decoder_killed_from_outside_says_nothing_about_the_file(monkeypatch):
    monkeypatch.setattr(isolation, "_serve", be_killed)
    with pytest.raises(DecoderLost, match="killed"):
        decode_apart(b"photo")


def test_after_a_lost_decoder_the_next_photo_is_decoded(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(isolation, "_serve", be_killed)
        with pytest.raises(DecoderLost):
            decode_apart(b"photo")
    assert decode_apart(photo())[0].shape == (480, 640, 3)


def test_a_decoder_can_open_no_file_no_socket_and_not_all_memory(monkeypatch):
    assert reason_for(monkeypatch, try_doors) == Reason.IMAGE_TOO_SMALL


def test_no_child_outlives_its_photo():
    decode_apart(photo())
    assert multiprocessing.active_children() == []


def test_a_decoder_that_does_not_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(isolation, "WAIT_SECONDS", 0)
    with pytest.raises(DecoderLost, match="no answer"):
        decode_apart(photo())


def test_pixels_and_facts_come_back():
    pixels, facts = decode_apart(photo())
    assert pixels.shape == (480, 640, 3)
    assert (facts.width, facts.height, facts.orientation) == (640, 480, 1)


IN_A_POOL = """
import sys, billiard
from inference_worker.isolation import decode_apart  # as a worker does, before its pool forks

def work(data):
    pixels, _facts = decode_apart(data)
    sys.exit(0 if pixels.shape == (480, 640, 3) else 1)

if __name__ == "__main__":
    child = billiard.Process(target=work, args=(sys.stdin.buffer.read(),), daemon=True)
    child.start()
    child.join()
    sys.exit(child.exitcode)
"""


def test_a_process_of_celerys_pool_may_have_a_decoder(tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(IN_A_POOL)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, str(script)], input=photo(), env=environment, check=False, timeout=60
    )
    assert ended.returncode == 0
