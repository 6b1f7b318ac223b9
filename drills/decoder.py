"""Loaded into the decoder's fork server: photos that crash native code, hang in it or use up memory.

Without the guard `small-decoder` there is no memory limit, and a large JPEG is decoded at full size.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

from decoding import decoders, display, sandbox


def _crash() -> None:
    ctypes.string_at(0)


def _spin() -> None:
    while True:
        pass


def _use_up_memory() -> None:
    held = []
    while True:
        held.append(bytearray(16 * 1024 * 1024))


FAULTS = {b"decoder:segv": _crash, b"decoder:spin": _spin, b"decoder:eat": _use_up_memory}
real_decode = decoders.decode


def decode(data: bytes, **options: int) -> Any:
    for ending, fault in FAULTS.items():
        if data.endswith(ending):
            fault()
    return real_decode(data, **options)


decoders.decode = decode
if os.environ.get("DRILLS_WITHOUT") == "small-decoder":
    sandbox.limit_resources = lambda: None
    decoders.shrink_factor = lambda *_sides: 1
    display.fitted = lambda image, _side: image.resize((image.width * 2, image.height * 2))
