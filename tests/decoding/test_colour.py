"""Colours described by code numbers are converted to sRGB; expected values are computed here by the standards."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from decoding.decoders import decode
from decoding.sandbox import decode_apart
from tests.drawn_uploads import chunk, file_of, in_space, png, profile, segment, with_segments

some = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SIDE = 208
D65 = (0.3127, 0.3290)
CORNERS = {
    1: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    "Adobe": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
}


def to_xyz(primaries) -> np.ndarray:
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in CORNERS[primaries]]).T
    white = np.array([D65[0] / D65[1], 1, (1 - sum(D65)) / D65[1]])
    return columns * np.linalg.solve(columns, white)


def light(srgb) -> np.ndarray:
    level = np.asarray(srgb) / 255
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def in_pq(linear: np.ndarray) -> np.ndarray:
    y = (linear * 203 / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def in_hlg(linear: np.ndarray, luminance_of) -> np.ndarray:
    """The inverse OOTF of BT.2100 for a display of 1,000 cd/m², then its OETF."""
    shown = linear * 203 / 1000
    scene = shown * np.maximum(luminance_of(shown), 1e-9) ** (1 / 1.2 - 1)
    return np.where(
        scene <= 1 / 12,
        np.sqrt(3 * scene),
        0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073,
    )


def in_srgb(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def in_bt709(linear: np.ndarray) -> np.ndarray:
    return np.where(
        linear < 0.018053968510807, 4.5 * linear, 1.09929682680944 * linear**0.45 - 0.09929682680944
    )


def signal(srgb, primaries, transfer: int) -> np.ndarray:
    """Return the signal (0 to 1) of an sRGB colour in another coding."""
    linear = (np.linalg.inv(to_xyz(primaries)) @ to_xyz(1) @ light(srgb)).clip(0, 1)
    if transfer == 18:
        return in_hlg(linear, lambda shown: to_xyz(primaries)[1] @ shown)
    return {16: in_pq, 13: in_srgb, 1: in_bt709, 6: in_bt709, 14: in_bt709, 15: in_bt709}[transfer](linear)


def flat(level: np.ndarray, white: int, dtype=np.uint8) -> np.ndarray:
    return np.broadcast_to(np.rint(level * white).astype(dtype), (SIDE, SIDE, 3)).copy()


def shown(data: bytes) -> np.ndarray:
    return decode(data).pixels[20:-20, 20:-20].reshape(-1, 3).mean(axis=0)


def heic(level: np.ndarray, bits: int, primaries: int, transfer: int, icc: bytes | None = None) -> bytes:
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    mode, dtype = ("RGB", np.uint8) if bits == 8 else ("RGB;16", np.uint16)
    # The writer keeps the upper 10 or 12 of 16 bits.
    white = 255 if bits == 8 else (2**bits - 1) << (16 - bits)
    file = pillow_heif.from_bytes(mode, (SIDE, SIDE), flat(level, white, dtype).tobytes())
    tags = {"color_primaries": primaries, "transfer_characteristics": transfer}
    buffer = io.BytesIO()
    file.save(
        buffer, quality=-1, chroma=444, save_nclx_profile=True, icc_profile=icc, matrix_coefficients=0,
        full_range_flag=1, **tags,
    )  # fmt: skip
    return buffer.getvalue()


def cicp(primaries: int, transfer: int) -> tuple[bytes, bytes]:
    return b"cICP", bytes([primaries, transfer, 0, 1])


colours = st.tuples(*[st.integers(20, 235)] * 3)


@some
@given(
    colours,
    st.sampled_from([1, 9, 12]),
    st.sampled_from([1, 6, 13, 14, 15, 16, 18]),
    st.sampled_from([8, 10, 12]),
)
def test_heic_is_shown_by_its_nclx(colour, primaries, transfer, bits):
    if bits == 8:  # a step in the dark of a wide gamut is many of sRGB
        colour = tuple(max(level, 70) for level in colour)
    data = heic(signal(colour, primaries, transfer), bits, primaries, transfer)
    steps_of_8_bits = 5 if bits == 8 and transfer in (16, 18) else 3  # 8 bits of PQ are 5 % of light each
    assert np.abs(shown(data) - colour).max() <= steps_of_8_bits


@some
@given(colours, st.sampled_from([1, 9, 12]), st.sampled_from([1, 13, 14, 16, 18]))
def test_a_png_of_16_bits_is_shown_by_its_cicp(colour, primaries, transfer):
    samples = flat(signal(colour, primaries, transfer), 65_535, np.uint16)
    data = png(samples, 2, bits=16, extra=[cicp(primaries, transfer)])
    assert np.abs(shown(data) - colour).max() <= 2


@some
@given(colours, st.booleans())
def test_a_png_of_8_bits_and_one_with_alpha_are_shown_by_their_cicp(colour, has_alpha):
    colour = tuple(max(level, 70) for level in colour)
    samples = flat(signal(colour, 12, 13), 255)
    if has_alpha:
        samples = np.dstack([samples, np.full((SIDE, SIDE), 255, np.uint8)])
    assert np.abs(shown(png(samples, 6 if has_alpha else 2, extra=[cicp(12, 13)])) - colour).max() <= 2


def test_half_transparent_hdr_becomes_half_white():
    samples = flat(signal((120, 120, 120), 9, 16), 65_535, np.uint16)
    samples = np.dstack([samples, np.full((SIDE, SIDE), 32_768, np.uint16)])
    assert np.abs(shown(png(samples, 6, bits=16, extra=[cicp(9, 16)])) - 187.5).max() <= 2


def iccp(icc: bytes) -> tuple[bytes, bytes]:
    return b"iCCP", b"icc\0\0" + zlib.compress(icc)


def gamma_and_corners(exponent: float, primaries) -> list[tuple[bytes, bytes]]:
    xy = [value for pair in (D65, *CORNERS[primaries]) for value in pair]
    return [
        (b"gAMA", struct.pack(">I", round(100_000 / exponent))),
        (b"cHRM", struct.pack(">8I", *(round(100_000 * value) for value in xy))),
    ]


# A gamma of 1/2.2 means sRGB, see below.
exponents = st.floats(1.0, 2.6).filter(lambda exponent: abs(1 / exponent - 1 / 2.2) > 0.0011)


@some
@given(colours, exponents, st.sampled_from([9, 12, "Adobe"]))
def test_a_png_without_anything_else_is_shown_by_gamma_and_corners(colour, exponent, primaries):
    linear = (np.linalg.inv(to_xyz(primaries)) @ to_xyz(1) @ light(colour)).clip(0, 1)
    samples = flat(linear ** (1 / exponent), 65_535, np.uint16)
    data = png(samples, 2, bits=16, extra=gamma_and_corners(exponent, primaries))
    assert np.abs(shown(data) - colour).max() <= 2


def test_a_gamma_of_one_over_2_2_means_srgb():
    """Writers of sRGB put it there for old readers (PNG, third edition, 11.3.2.5); the curves differ where it is dark."""
    plain = flat(np.array([20, 20, 20]) / 255, 255)
    assert np.abs(shown(png(plain, 2, extra=gamma_and_corners(2.2, 1))) - (20, 20, 20)).max() <= 1
    assert np.abs(shown(png(plain, 2, extra=gamma_and_corners(2.3, 1))) - (20, 20, 20)).max() > 4


def test_cicp_takes_precedence_over_a_profile_and_a_profile_over_the_rest():
    """PNG, third edition, 4.3: the precedence of the chunks that describe colour."""
    p3 = flat(signal((200, 40, 40), 12, 13), 255)
    by_gamma = flat(in_space("P3", np.array([200, 40, 40])) / 255, 255)
    wrong = [(b"sRGB", b"\0"), *gamma_and_corners(1.0, "Adobe")]
    for first, samples in ((cicp(12, 13), p3), (iccp(profile("P3")), by_gamma)):
        assert np.abs(shown(png(samples, 2, extra=[first, *wrong])) - (200, 40, 40)).max() <= 3
    both = [cicp(12, 13), iccp(profile("ProPhoto"))]
    assert np.abs(shown(png(p3, 2, extra=both)) - (200, 40, 40)).max() <= 3
    plain = flat(np.array([200, 40, 40]) / 255, 255)
    assert np.abs(shown(png(plain, 2, extra=wrong)) - (200, 40, 40)).max() <= 1


@pytest.mark.parametrize("odd", [(9, 99, 0, 1), (99, 13, 0, 1), (9, 16, 9, 1), (9, 16, 0, 0)])
def test_unknown_cicp_values_are_ignored(odd):
    plain = flat(np.array([200, 40, 40]) / 255, 255)
    assert np.abs(shown(png(plain, 2, extra=[(b"cICP", bytes(odd))])) - (200, 40, 40)).max() <= 1


@pytest.mark.parametrize(
    "extra",
    [
        [(b"gAMA", bytes(4))],
        [(b"gAMA", b"\xff" * 4)],
        [(b"cHRM", bytes(32))],
        [(b"cHRM", b"\0\0\x10\0" * 8)],
    ],
)
def test_impossible_gamma_and_corners_are_ignored(extra):
    plain = flat(np.array([200, 40, 40]) / 255, 255)
    assert np.abs(shown(png(plain, 2, extra=extra)) - (200, 40, 40)).max() <= 1


def test_a_heic_with_a_profile_is_shown_by_the_profile():
    p3 = in_space("P3", np.array([200, 40, 40])) / 255
    data = heic(p3, 8, 9, 16, icc=profile("P3"))
    assert np.abs(shown(data) - (200, 40, 40)).max() <= 3


# --- EXIF -------------------------------------------------------------------------------------------------
def exif(space: int | None, index: bytes | None, order: str = ">") -> bytes:
    """An EXIF block with a colour space in its Exif directory and an index in its interoperability directory."""
    mark = b"MM\0*" if order == ">" else b"II*\0"
    at, entries = 8 + 2 + 12 + 4, []
    if space is not None:
        entries.append(struct.pack(f"{order}HHIHH", 0xA001, 3, 1, space, 0))
    length = 2 + 12 * (len(entries) + (index is not None)) + 4
    if index is not None:
        entries.append(struct.pack(f"{order}HHII", 0xA005, 4, 1, at + length))
    inner = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)
    if index is not None:
        inner += struct.pack(f"{order}HHHI", 1, 1, 2, 4) + index + bytes(4)
    return mark + struct.pack(f"{order}IHHHII", 8, 1, 0x8769, 4, 1, at) + bytes(4) + inner


def adobe(colour) -> np.ndarray:
    linear = (np.linalg.inv(to_xyz("Adobe")) @ to_xyz(1) @ light(colour)).clip(0, 1)
    return flat(linear ** (256 / 563), 255)


@some
@example((70, 219, 77), "<", (65_535, b"R03\0"))
@given(
    colours,
    st.sampled_from("<>"),
    st.sampled_from([(65_535, b"R03\0"), (None, b"R03\0"), (65_535, None), (2, b"R03\0")]),
)
def test_adobe_rgb_named_only_by_exif_is_converted(colour, order, tags):
    """Compared with what the file holds: one step of 8-bit Adobe RGB can be four of a dark red beside a bright green."""
    colour = tuple(max(level, 70) for level in colour)  # 8 bits
    plain = file_of(adobe(colour), subsampling=0, quality=100)
    stored = shown(plain)
    assert np.abs(stored - adobe(colour)[0, 0]).max() <= 2
    linear = np.linalg.inv(to_xyz(1)) @ to_xyz("Adobe") @ (stored / 255) ** (563 / 256)
    block = segment(0xE1, b"Exif\0\0" + exif(*tags, order))
    assert np.abs(shown(with_segments(plain, block)) - 255 * in_srgb(linear.clip(0, 1))).max() <= 1


@pytest.mark.parametrize(
    "tags", [(1, b"R98\0"), (65_535, b"R98\0"), (1, None), (1, b"R03\0"), (None, None), (None, b"THM\0")]
)
def test_other_exif_does_not_change_colours(tags):
    plain = flat(np.array([200, 40, 40]) / 255, 255)
    block = segment(0xE1, b"Exif\0\0" + exif(*tags))
    assert (
        np.abs(shown(with_segments(file_of(plain, quality=100, subsampling=0), block)) - (200, 40, 40)).max()
        <= 1
    )


def test_a_profile_takes_precedence_over_exif():
    p3 = flat(in_space("P3", np.array([200, 40, 40])) / 255, 255)
    data = file_of(p3, quality=100, subsampling=0, icc_profile=profile("P3"))
    data = with_segments(data, segment(0xE1, b"Exif\0\0" + exif(65_535, b"R03\0")))
    assert np.abs(shown(data) - (200, 40, 40)).max() <= 3


# --- HDR --------------------------------------------------------------------------------------------------
def test_highlights_are_compressed_in_order_and_skin_is_unchanged():
    """A grey ramp to 1,000 cd/m²: nothing is clipped before the end, nothing dark changes."""
    nits = np.geomspace(1, 1000, 256)
    ramp = np.repeat(np.repeat(in_pq(nits / 203)[None, :, None], SIDE, axis=0), 3, axis=2)
    samples = np.rint(ramp * 65_535).astype(np.uint16)
    grey = decode(png(samples, 2, bits=16, extra=[cicp(1, 16)])).pixels[100, :, 1].astype(int)
    assert (np.diff(grey) >= 0).all() and grey[-1] >= 253
    dark = nits < 60
    expected = 255 * in_srgb(nits[dark] / 203)
    assert np.abs(grey[dark] - expected).max() <= 2
    assert len(set(grey[nits > 203])) > 20  # highlights keep their shape


# --- Rotation ---------------------------------------------------------------------------------------------
def test_exif_rotates_a_heic_without_its_own_rotation():
    """Some phones write such files. The standard ignores EXIF here, but galleries apply it."""
    wide = Image.fromarray(np.full((240, 320, 3), 128, np.uint8))
    turned = file_of(
        wide, "HEIF", exif=b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    )
    assert decode(turned).pixels.shape[:2] == (320, 240)  # with irot: once, not twice
    assert b"irot" in turned
    without = turned.replace(b"irot", b"free")
    assert decode(without).pixels.shape[:2] == (320, 240)


@pytest.mark.parametrize("transfer", [13, 14, 16, 18])
@pytest.mark.parametrize("kind", ["heic", "png"])
def test_the_decoder_without_file_access_converts_colours(kind, transfer):
    """Libraries load some of their parts at the first call, which the child does not allow."""
    level = signal((200, 40, 40), 9, transfer) * (1 if transfer < 16 else 1.15)  # HDR beyond white
    wide = flat(level.clip(0, 1), 65_535, np.uint16)
    data = (
        heic(level, 10, 9, transfer) if kind == "heic" else png(wide, 2, bits=16, extra=[cicp(9, transfer)])
    )
    red, green, blue = decode_apart(data)[0][100, 100]
    assert red > 180 and max(green, blue) < 110


def test_png_chunks_written_here_are_valid():
    data = png(flat(np.ones(3), 255), 2, extra=[cicp(12, 13)])
    assert chunk(*cicp(12, 13)) in data
