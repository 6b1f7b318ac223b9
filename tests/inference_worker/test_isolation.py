"""The child that decodes can crash, hang or be killed; its parent says which, and goes on."""

from __future__ import annotations

import os
import signal
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


class Child:
    """A decoder that ended in some way."""

    def __init__(self, exitcode: int | None) -> None:
        self.exitcode = exitcode

    def join(self, _seconds: float) -> None:
        """Ended already."""


@pytest.mark.parametrize("exitcode", [-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGXCPU, 1])
def test_a_file_that_crashes_its_decoder_is_corrupt(exitcode):
    verdict = isolation._verdict(Child(exitcode))
    assert isinstance(verdict, Rejected) and verdict.reason == Reason.CORRUPT_IMAGE


@pytest.mark.parametrize("exitcode", [-signal.SIGKILL, None])
def test_a_decoder_ended_from_outside_says_nothing_about_the_file(exitcode):
    assert isinstance(isolation._verdict(Child(exitcode)), DecoderLost)


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
