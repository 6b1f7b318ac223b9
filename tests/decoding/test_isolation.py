"""The decoding child can crash, hang or be killed; its parent reports which, and continues."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import photo_memory
from contract.photos import Reason
from decoding import sandbox, system_calls
from decoding.photo_file import RejectedError
from decoding.sandbox import DecoderLostError, decode_apart

ROOT = Path(__file__).resolve().parents[2]


def photo() -> bytes:
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


# --- Actions of a compromised or broken decoder, run in the child -----------------------------------------
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


def use_up_cpu_time(_data, _theirs):
    sandbox.CPU_LIMIT_SECONDS = 1  # only in the child
    sandbox.limit_resources()
    while True:
        pass


def try_resources(_data, theirs):
    """Answer as for a photo that is too small if every attempt fails, and not at all if one succeeds."""
    sandbox.limit_resources()
    attempts = [
        lambda: os.open(__file__, os.O_RDONLY),
        socket.socket,
        lambda: bytearray(sandbox.MEMORY_LIMIT_BYTES),
    ]
    for attempt in attempts:
        try:
            attempt()
        except (OSError, MemoryError):
            continue
        return
    theirs.send_bytes(b'{"reason": "image_too_small"}')


def try_calls(data, theirs):
    """Try system calls as root with the limits lifted, so that only the filter applies; `data` is the canary's port."""
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE):
        resource.setrlimit(kind, (64, 64))
    canary = ("127.0.0.1", int(data))
    listening = socket.socket()  # already open
    listening.settimeout(1)
    system_calls.restrict()
    attempts = [
        lambda: Path("/etc/hostname").read_bytes(),
        lambda: os.listdir("/"),
        socket.socket,
        lambda: listening.connect(canary),
        lambda: listening.sendto(b"photo", canary),
        os.fork,
        lambda: os.execv("/bin/true", ["true"]),
        lambda: os.kill(os.getppid(), 0),
        lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
        lambda: os.unlink(__file__ + ".none"),
    ]
    for attempt in attempts:
        try:
            attempt()
        except (PermissionError, ValueError):  # setrlimit raises ValueError
            continue
        return
    thread = threading.Thread(target=lambda: theirs.send_bytes(b'{"reason": "image_too_small"}'))
    thread.start()  # decoders need threads
    thread.join()


def send_a_secret(_data, theirs):
    """Send a file of the system as pixels, if it can be read."""
    sandbox.limit_resources()
    try:
        secret = Path("/etc/hostname").read_bytes()
    except OSError:
        secret = b""
    facts = {"shape": [1, len(secret) // 3, 3], "width": 1, "height": 1, "orientation": 1}
    theirs.send_bytes(json.dumps(facts | {"format": "JPEG", "stripped": []}).encode())
    theirs.send_bytes(secret[: len(secret) // 3 * 3])


def reason_for(monkeypatch, act) -> Reason:
    monkeypatch.setattr(sandbox, "_serve", act)
    with pytest.raises(RejectedError) as rejected:
        decode_apart(b"photo")
    return rejected.value.reason


@pytest.mark.parametrize("act", [crash, abort, leave, use_up_cpu_time])
def test_a_file_that_crashes_its_decoder_or_uses_up_its_time_is_corrupt(monkeypatch, act):
    assert reason_for(monkeypatch, act) == Reason.CORRUPT_IMAGE


def test_a_decoder_killed_from_outside_does_not_make_the_file_corrupt(monkeypatch):
    monkeypatch.setattr(sandbox, "_serve", be_killed)
    with pytest.raises(DecoderLostError, match="killed"):
        decode_apart(b"photo")


def test_after_a_lost_decoder_the_next_photo_is_decoded(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(sandbox, "_serve", be_killed)
        with pytest.raises(DecoderLostError):
            decode_apart(b"photo")
    assert decode_apart(photo())[0].shape == (480, 640, 3)


def test_a_decoder_can_open_no_file_no_socket_and_not_all_memory(monkeypatch):
    assert reason_for(monkeypatch, try_resources) == Reason.IMAGE_TOO_SMALL


@pytest.fixture
def canary() -> Iterator[socket.socket]:
    """A listener on loopback, as another service of the machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        yield listening


@pytest.mark.skipif(sys.platform != "linux", reason="the filter of system calls is the Linux kernel's")
def test_a_compromised_decoder_reaches_no_service_even_as_root(monkeypatch, canary):
    monkeypatch.setattr(sandbox, "_serve", try_calls)
    with pytest.raises(RejectedError) as rejected:
        decode_apart(str(canary.getsockname()[1]).encode())
    assert rejected.value.reason == Reason.IMAGE_TOO_SMALL
    with pytest.raises(BlockingIOError):
        canary.accept()


def test_no_file_of_the_machine_is_returned_as_a_photo(monkeypatch):
    monkeypatch.setattr(sandbox, "_serve", send_a_secret)
    assert decode_apart(b"photo")[0].size == 0


def test_no_child_outlives_its_photo():
    decode_apart(photo())
    assert multiprocessing.active_children() == []


def test_a_decoder_that_does_not_answer_is_lost(monkeypatch):
    monkeypatch.setattr(sandbox, "WAIT_SECONDS", 0)
    with pytest.raises(DecoderLostError, match="no answer"):
        decode_apart(photo())


def test_pixels_and_facts_are_returned():
    pixels, facts = decode_apart(photo())
    assert pixels.shape == (480, 640, 3)
    assert (facts.width, facts.height, facts.orientation) == (640, 480, 1)


IN_A_POOL = """
import sys, billiard
from decoding.sandbox import decode_apart  # as a worker does, before its pool forks

def work(data):
    pixels, _facts = decode_apart(data)
    sys.exit(0 if pixels.shape == (480, 640, 3) else 1)

if __name__ == "__main__":
    child = billiard.Process(target=work, args=(sys.stdin.buffer.read(),), daemon=True)
    child.start()
    child.join()
    sys.exit(child.exitcode)
"""


def test_a_process_of_celerys_pool_can_start_a_decoder(tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(IN_A_POOL)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, str(script)], input=photo(), env=environment, check=False, timeout=60
    )
    assert ended.returncode == 0


def test_a_photo_of_48_megapixels_fits_into_a_small_worker():
    """Decoded at full size it took 613 MB."""
    large = photo_memory.photo(8000, 6000, quality=90)
    assert photo_memory.decoder_peak_mb(large) < 300
    assert photo_memory.asking_peak_mb(large) < 300


def test_a_decoder_does_not_import_its_parents_main_module(tmp_path):
    """`./run analyse` imports torch in its main module: each photo would wait for it, more than 18 s."""
    (tmp_path / "photo.jpg").write_bytes(photo())
    main = tmp_path / "main.py"
    main.write_text(
        "from pathlib import Path\n"
        "from decoding.sandbox import decode_apart\n"
        "here = Path(__file__).parent\n"
        "(here / __name__).touch()\n"
        "if __name__ == '__main__':\n"
        "    decode_apart((here / 'photo.jpg').read_bytes())\n"
    )
    subprocess.run([sys.executable, main], env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    assert {path.name for path in tmp_path.iterdir()} == {"main.py", "photo.jpg", "__main__"}
