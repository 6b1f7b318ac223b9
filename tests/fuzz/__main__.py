"""`./run fuzz [--minutes N] [TARGET...]`: broken and generated files against what reads untrusted uploads.

Each input is a drawn file of tests/drawn_uploads.py with some bytes changed, cut out, doubled or taken from another.
`sniff` looks at the file's structure, `prepare` decodes in the disposable child, `upload` sends multipart forms.
A target fails with any unforeseen outcome; the input is then kept in runs/fuzz/.
Not guided by coverage: most of what runs are C decoders, which such tools do not cover either.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import django
import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "teleder.settings")
django.setup()

from rest_framework.exceptions import APIException  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.test import APIRequestFactory  # noqa: E402

from decoding.formats import examine  # noqa: E402
from decoding.photo_file import RejectedError  # noqa: E402
from decoding.sandbox import DecoderLostError  # noqa: E402
from inference_worker.preparation import COPIES, prepare  # noqa: E402
from teleder.api.parsers import PhotoParser  # noqa: E402
from teleder.api.serializers.patient import PhotoUploadSerializer  # noqa: E402
from tests import drawn_uploads  # noqa: E402

KEPT = Path("runs/fuzz")
BOUNDARY = b"teleder-fuzz"


def sniff(data: bytes) -> None:
    with contextlib.suppress(RejectedError):
        examine(data)


def prepared(data: bytes) -> None:
    """A decoder that is killed or hangs counts as a failure."""
    try:
        preparation = prepare(data)
    except DecoderLostError as lost:
        raise AssertionError("the decoder did not answer") from lost
    assert set(preparation.copies) in (set(), set(COPIES))


def upload(data: bytes) -> None:
    """Parse as the API does; the form itself is damaged."""
    content_type = f"multipart/form-data; boundary={BOUNDARY.decode()}"
    sent = APIRequestFactory().generic("POST", "/", data, content_type=content_type)
    with contextlib.suppress(APIException):
        PhotoUploadSerializer(data=Request(sent, parsers=[PhotoParser()]).data).is_valid()


def form_of(data: bytes) -> bytes:
    head = b'--%s\r\nContent-Disposition: form-data; name="view"\r\n\r\nclose_up\r\n' % BOUNDARY
    head += b'--%s\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n' % BOUNDARY
    return head + b"Content-Type: image/jpeg\r\n\r\n" + data[:3000] + b"\r\n--%s--\r\n" % BOUNDARY


def changed(seeds: list[bytes], random: np.random.Generator) -> bytes:
    data = bytearray(seeds[random.integers(len(seeds))])
    for _ in range(random.integers(1, 6)):
        # Half of the changes are at the beginning, where the structure is.
        span = min(len(data), 600) if random.random() < 0.5 else len(data)
        at, length = int(random.integers(span + 1)), int(2 ** random.uniform(0, 10))
        _change(data, at, length, seeds, random)
    return bytes(data)


def _change(data: bytearray, at: int, length: int, seeds: list[bytes], random: np.random.Generator) -> None:
    kind = random.integers(6)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << random.integers(8)
    elif kind == 1:
        data[at : at + 4] = random.choice([b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\0\0\0\1"])
    elif kind == 2:
        data[at : at + length] = random.bytes(length)
    elif kind == 3:
        del data[at : at + length]
    elif kind == 4:
        data[at:at] = data[at : at + length]
    else:
        other = seeds[random.integers(len(seeds))]
        data[at : at + length] = other[at : at + length]


TARGETS: dict[str, Callable[[bytes], None]] = {"sniff": sniff, "prepare": prepared, "upload": upload}


def run(name: str, seconds: float, seed: int) -> tuple[int, set[str]]:
    """Return how many inputs ran and the kinds of failure; inputs repeat with the seed."""
    seeds = [each.data for each in drawn_uploads.all_kinds() if len(each.data) < 300_000]
    if name == "upload":
        seeds = [form_of(data) for data in seeds]
    random, until, count, failures = np.random.default_rng(seed), time.monotonic() + seconds, 0, set()
    while time.monotonic() < until:
        data = changed(seeds, random)
        count += 1
        try:
            TARGETS[name](data)
        except Exception as error:
            failures.add(f"{type(error).__name__}: {error}"[:200])
            KEPT.mkdir(parents=True, exist_ok=True)
            (KEPT / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)
    return count, failures


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./run fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], metavar="TARGET")
    parser.add_argument("--minutes", type=float, default=1, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    failed = False
    for name in options.targets or TARGETS:
        count, failures = run(name, options.minutes * 60, options.seed)
        failed |= bool(failures)
        print(
            f"{name}: {count} inputs, {len(failures)} kinds of failure",
            *sorted(failures),
            sep="\n  ",
            flush=True,
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
