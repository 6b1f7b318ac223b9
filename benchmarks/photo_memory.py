"""`python -m benchmarks.photo_memory`: how much memory a photo takes while it is prepared.

Prints the peak RSS of the child that decodes and of the process that asks it to, for photos as large as phones
make them. What the child begins with (numpy, Pillow and the other decoders, about 70 MB) is in it.
"""

from __future__ import annotations

import io
import multiprocessing
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from decoding import sandbox

ROOT = Path(__file__).resolve().parents[1]


def decoder_peak_mb(data: bytes) -> int:
    """Decode as `isolation` does, without its limits: they would stop the measuring."""
    ours, theirs = sandbox.fork_server.Pipe()
    child = sandbox.fork_server.Process(target=_decode_and_tell, args=(data, theirs))
    child.start()
    peak = ours.recv()
    child.join()
    return peak


def _decode_and_tell(data: bytes, theirs: Connection) -> None:
    from decoding import decoders

    decoders.decode(data)
    theirs.send(_peak_mb(Path("/proc/self/status").read_text()))


def _peak_mb(status: str) -> int:
    """VmHWM is of this program alone; the peak that getrusage and wait4 tell begins with that of the parent."""
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024


ASKING = """
import atexit, pathlib, runpy, sys
atexit.register(lambda: print(pathlib.Path("/proc/self/status").read_text(), file=sys.stderr))
runpy.run_module("inference_worker.preparation", run_name="__main__", alter_sys=True)
"""


def asking_peak_mb(data: bytes) -> int:
    """Return the peak of the process that asks, cuts the copies and judges the quality; no network is loaded."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        command = [sys.executable, "-c", ASKING, file.name]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return _peak_mb(done.stderr)


def photo(width: int, height: int, kind: str = "JPEG", **options) -> bytes:
    """Draw a photo in a process of its own: the peak of this one would be handed down to what it starts."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as drawing:
        return drawing.submit(_draw, width, height, kind, options).result()


def _draw(width: int, height: int, kind: str, options: dict) -> bytes:
    """Soft colours with grain, so that a file is about as large as a phone's."""
    pillow_heif.register_heif_opener()
    soft = np.linspace(60, 200, width, dtype=np.float32)[None, :, None] * np.array([1, 0.8, 0.7], np.float32)
    grain = np.random.default_rng(1).normal(0, 10, (height, width, 1)).astype(np.float32)
    buffer = io.BytesIO()
    Image.fromarray((soft + grain).clip(0, 255).astype(np.uint8)).save(buffer, kind, **options)
    return buffer.getvalue()


def photos() -> Iterator[tuple[str, bytes]]:
    yield "JPEG 12 MP", photo(4000, 3000, quality=90)
    yield "JPEG 48 MP", photo(8000, 6000, quality=90)
    yield "JPEG 48 MP progressive", photo(8000, 6000, quality=90, progressive=True)
    yield "JPEG 108 MP", photo(12000, 9000)
    yield "HEIC 12 MP", photo(4000, 3000, "HEIF", quality=50)
    yield "HEIC 24 MP", photo(5656, 4242, "HEIF", quality=50)
    yield "PNG 12 MP", photo(4000, 3000, "PNG", compress_level=1)
    yield "WebP 12 MP", photo(4000, 3000, "WEBP")


def main() -> None:
    print(f"{'':24}{'file':>8}{'decoder':>10}{'asking':>10}")
    for name, data in photos():
        sizes = (len(data) / 1e6, decoder_peak_mb(data), asking_peak_mb(data))
        print("{:24}{:>5.1f} MB{:>7} MB{:>7} MB".format(name, *sizes), flush=True)


if __name__ == "__main__":
    main()
