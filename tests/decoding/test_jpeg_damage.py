"""A JPEG is judged by its pixels: extra bytes from firmware are accepted, lost pixels are not."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from decoding.decoders import decode
from decoding.photo_file import RejectedError
from tests.drawn_uploads import file_of, segment, tiff, with_segments

EOI, SOS = b"\xff\xd9", b"\xff\xda"
some = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def picture(seed: int, width: int, height: int, is_grey: bool) -> Image.Image:
    """A different picture for each seed: soft colours, some edges and noise."""
    rng = np.random.default_rng(seed)
    soft = rng.integers(30, 226, (5, 6, 3), np.uint8)
    large = np.asarray(Image.fromarray(soft).resize((width, height), Image.Resampling.BICUBIC)).astype(float)
    large[height // 3 : height // 2, width // 4 : width // 2] = rng.integers(0, 256, 3)
    grain = rng.normal(0, rng.uniform(0, 8), (height, width, 1))
    photo = Image.fromarray((large + grain).clip(0, 255).astype(np.uint8))
    return photo.convert("L") if is_grey else photo


@st.composite
def jpegs(draw, *, progressive: bool = False, restarts: bool | None = None) -> bytes:
    image = picture(
        draw(st.integers(0, 10**6)),
        draw(st.integers(200, 330)),
        draw(st.integers(200, 270)),
        draw(st.booleans()),
    )
    options = {
        "quality": draw(st.integers(30, 97)),
        "optimize": draw(st.booleans()),
        "progressive": progressive,
    }
    if image.mode == "RGB":
        options["subsampling"] = draw(st.integers(0, 2))
    if restarts if restarts is not None else draw(st.booleans()):
        options["restart_marker_blocks"] = draw(st.integers(1, 60))
    return file_of(image, **options)


no_markers = st.binary(min_size=1, max_size=200).map(lambda data: data.replace(b"\xff", b"\xff\x00"))
strays = st.one_of(
    no_markers,
    st.integers(1, 100).map(bytes),
    st.integers(1, 100).map(lambda n: b"\xff\x00" * n),
    st.integers(1, 100).map(lambda n: b"\x5a" * n),
)


def shown_like(damaged: bytes, sound: bytes) -> None:
    assert np.array_equal(decode(damaged).pixels, decode(sound).pixels)


def shown_like_or_refused(damaged: bytes, sound: bytes) -> bool:
    """Return whether it is shown; check that a shown photo has the right pixels."""
    try:
        shown_like(damaged, sound)
    except RejectedError:
        return False
    return True


def scan_of(jpeg: bytes) -> int:
    """Return where the entropy-coded data of the last scan begins."""
    at = jpeg.rindex(SOS)
    return at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")


def test_bytes_between_the_last_block_and_the_end_mark_change_nothing():
    """A few of them can by chance be read as more blocks; such a file is refused, since the cases cannot be distinguished."""
    shown = []

    @settings(some, derandomize=True)  # the same draws each time: what is counted must not depend on luck
    @given(jpegs(), strays)
    def draw(sound, stray):
        shown.append(shown_like_or_refused(sound[:-2] + stray + EOI, sound))

    draw()
    print(f"{sum(shown)} of {len(shown)} shown")
    assert sum(shown) >= 0.9 * len(shown)


@some
@given(jpegs(progressive=True, restarts=False), st.binary(min_size=1, max_size=50))
def test_bytes_after_the_last_scan_of_a_progressive_file_change_nothing(sound, stray):
    shown_like(sound[:-2] + stray.replace(b"\xff", b"\xfe") + EOI, sound)


def test_bytes_before_restart_markers_change_nothing():
    shown = []

    @settings(some, derandomize=True)  # the same draws each time: what is counted must not depend on luck
    @given(jpegs(restarts=True), strays, st.randoms(use_true_random=False))
    def draw(sound, stray, rng):
        at = scan_of(sound)
        damaged = re.sub(
            rb"\xff[\xd0-\xd7]", lambda found: (stray if rng.random() < 0.7 else b"") + found[0], sound[at:]
        )
        shown.append(shown_like_or_refused(sound[:at] + damaged, sound))

    draw()
    print(f"{sum(shown)} of {len(shown)} shown")
    assert sum(shown) >= 0.9 * len(shown)


@some
@given(jpegs(), st.binary(min_size=3, max_size=3))
def test_wrong_parameters_of_a_baseline_scan_change_nothing(sound, parameters):
    at = scan_of(sound)
    shown_like(sound[: at - 3] + parameters + sound[at:], sound)


@some
@given(jpegs(), st.integers(1, 9), st.booleans())
def test_fill_bytes_before_markers_change_nothing(sound, count, is_in_front):
    at = scan_of(sound)
    coded = re.sub(rb"\xff([\xd0-\xd9])", lambda found: b"\xff" * count + found[0], sound[at:])
    head = sound[:2] + b"\xff" * count + sound[2:at] if is_in_front else sound[:at]
    shown_like(head + coded, sound)


@some
@given(jpegs(), st.binary(max_size=40), st.booleans())
def test_bytes_between_segments_of_the_header_change_nothing(sound, stray, is_ff00):
    stray = b"\xff\x00" * len(stray) if is_ff00 else stray.replace(b"\xff", b"\x00")
    at = sound.index(b"\xff\xdb")
    shown_like(sound[:at] + stray + sound[at:], sound)


@some
@given(jpegs(), st.binary(max_size=3000))
def test_data_after_the_photo_changes_nothing(sound, trailer):
    shown_like(sound + trailer, sound)


def looping() -> bytes:
    """An EXIF block in which the directory and its Exif directory refer to themselves."""
    entry = struct.pack(">HHII", 0x8769, 4, 1, 8)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 8)


def huge() -> bytes:
    """An EXIF block that claims 65,535 entries of 4 GB each."""
    return b"MM\0*" + struct.pack(">IH", 8, 65_535) + struct.pack(">HHII", 0x010F, 2, 2**32 - 1, 2**31) * 4000


exifs = st.one_of(
    st.binary(max_size=300),
    st.integers(0, 25).map(lambda length: tiff(1)[:length]),
    st.just(looping()),
    st.just(huge()),
    st.binary(max_size=60).map(lambda noise: b"II*\0" + noise),
)


@some
@given(jpegs(), exifs)
def test_bad_exif_changes_nothing(sound, block):
    decoded = decode(with_segments(sound, segment(0xE1, b"Exif\0\0" + block)))
    if decoded.orientation == 1:  # noise may be a valid orientation
        assert np.array_equal(decoded.pixels, decode(sound).pixels)


@some
@given(st.one_of(jpegs(), jpegs(progressive=True)), st.booleans())
def test_a_file_that_lacks_only_its_end_mark_is_complete(sound, has_half):
    shown_like(sound[:-2] + (b"\xff" if has_half else b""), sound)


def test_the_orientation_in_xmp_is_used_if_exif_has_none():
    sound = file_of(picture(1, 300, 210, False))
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation='6'/>"
    assert decode(with_segments(sound, segment(0xE1, xmp))).pixels.shape == (300, 210, 3)


# --- Damage -----------------------------------------------------------------------------------------------
@some
@given(st.one_of(jpegs(), jpegs(progressive=True)), st.floats(0.02, 0.999), st.booleans())
def test_a_truncated_photo_is_refused_even_with_an_end_mark(sound, share, has_end):
    """Except if only padding was cut off: then the pixels are the same."""
    at = scan_of(sound) if b"\xff\xc2" not in sound else sound.index(SOS)
    cut = sound[: at + int((len(sound) - 2 - at) * share)] + (EOI if has_end else b"")
    try:
        decoded = decode(cut)
    except RejectedError:
        return
    assert np.array_equal(decoded.pixels, decode(sound).pixels)


@pytest.mark.parametrize("progressive", [True, False])
@pytest.mark.parametrize("kept", range(9))
def test_a_photo_that_ends_inside_a_scan_header_is_refused(kept, progressive):
    sound = file_of(picture(3, 320, 240, False), progressive=progressive)
    for end in (b"", EOI):
        with pytest.raises(RejectedError):
            decode(sound[: sound.index(SOS) + kept] + end)


@pytest.mark.parametrize("has_end", [True, False])
def test_a_progressive_photo_truncated_between_two_scans_is_refused(has_end):
    """A decoder treats it as a complete, blurred photo."""
    sound = file_of(picture(3, 320, 240, False), progressive=True)
    for scan in list(re.finditer(SOS, sound))[1:]:
        with pytest.raises(RejectedError):
            decode(sound[: scan.start()] + (EOI if has_end else b""))


def zeroed(data: bytes, at: int, length: int, rng: np.random.Generator) -> bytes:
    return data[:at] + bytes(length) + data[at + length :]


def noise(data: bytes, at: int, length: int, rng: np.random.Generator) -> bytes:
    return data[:at] + rng.bytes(length) + data[at + length :]


def lost(data: bytes, at: int, length: int, rng: np.random.Generator) -> bytes:
    return data[:at] + data[at + length :]


def lost_before_strays(data: bytes, at: int, length: int, rng: np.random.Generator) -> bytes:
    """The scan ends too early, and the rest looks like stray bytes."""
    return data[:at] + data[at + length : -2] + rng.bytes(length).replace(b"\xff", b"\0") + EOI


DAMAGE_LIMITS = {
    zeroed: 0.02,
    noise: 0.02,
    lost: 0.02,
    lost_before_strays: 0.02,
}  # share that may pass changed


@pytest.mark.parametrize("restart", [0, 40])
@pytest.mark.parametrize("damage", DAMAGE_LIMITS, ids=lambda damage: damage.__name__)
def test_photos_with_damage_inside_are_refused_at_the_stated_rate(damage: Callable, restart: int):
    passed, count = 0, 150
    for seed in range(count):
        rng = np.random.default_rng(seed)
        options = {"restart_marker_blocks": restart} if restart else {}
        image = picture(seed, int(rng.integers(200, 330)), int(rng.integers(200, 270)), seed % 5 == 0)
        sound = file_of(image, quality=int(rng.integers(50, 96)), **options)
        start, length = scan_of(sound), int(rng.integers(100, 600))
        at = int(rng.integers(start, max(start + 1, len(sound) - 2 - length)))
        passed += passes_changed(damage(sound, at, length, rng), sound)
    print(f"{damage.__name__}, restart {restart}: {passed} of {count} passed with other pixels")
    assert passed <= DAMAGE_LIMITS[damage] * count


def passes_changed(damaged: bytes, sound: bytes) -> bool:
    try:
        pixels = decode(damaged).pixels
    except Exception:
        return False
    return not np.array_equal(pixels, decode(sound).pixels)


def test_a_scan_that_lost_sync_is_not_mistaken_for_one_with_stray_bytes():
    """For both libjpeg only reports extraneous bytes before the end mark."""
    import simplejpeg

    met = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        sound = file_of(picture(seed % 7, 240, 208, seed % 2 == 0), quality=80)
        start = scan_of(sound)
        at = int(rng.integers(start, len(sound) - 40))
        damaged = noise(sound, at, 3, rng)
        try:
            simplejpeg.decode_jpeg(damaged, strict=True)
        except ValueError as error:
            if "extraneous bytes before marker 0xd9" in str(error):
                met += 1
                with pytest.raises(RejectedError):
                    decode(damaged)
    print(f"{met} scans that lost their place, all refused")
    assert met >= 10


def test_a_large_photo_with_stray_bytes_is_read_within_the_time_of_the_decoder():
    buffer = io.BytesIO()
    picture(5, 4000, 3000, False).save(buffer, "JPEG", quality=90)
    sound = buffer.getvalue()
    shown_like(sound[:-2] + b"\x5a" * 12 + EOI, sound)
