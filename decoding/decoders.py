"""Decodes an untrusted file to upright sRGB pixels. Runs only in the disposable child of `sandbox`.

Everything that decoding may need is imported here at the top: the child can open no file any more.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pi_heif
import simplejpeg
from PIL import Image

# Pillow would load these on demand (EXIF is read as TIFF), and cannot any more.
from PIL import TiffImagePlugin, WebPImagePlugin  # noqa: F401 # isort: skip

from contract.photos import DISPLAY_SIDE, FULL_SIDE, PIXEL_LIMIT, SHORT_SIDE_LIMIT, Reason
from decoding import colour
from decoding.display import ORIENTATION, StoredPhoto, upright_pixels
from decoding.formats import examine
from decoding.jpeg_scans import without_stray_bytes
from decoding.photo_file import PhotoFile, RejectedError, check_pixels

# What share of a side is enough to decode: half of the usual 4000 px is near enough, and half the work; of the full-size copy
# less, as a picture of 100 megapixels would not fit the memory.
ENOUGH = {DISPLAY_SIDE: 15 / 16, FULL_SIDE: 2 / 3}
EXIF_IFD, COLOUR_SPACE, INTEROP_IFD, INTEROP_INDEX = 0x8769, 0xA001, 0xA005, 1
XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=[\"']|>)([1-8])")
SRGB_COLOUR_SPACE, UNCALIBRATED = 1, 65_535

Image.MAX_IMAGE_PIXELS = PIXEL_LIMIT
pi_heif.options.THUMBNAILS = pi_heif.options.DEPTH_IMAGES = pi_heif.options.AUX_IMAGES = False
Image.preinit()


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """Upright sRGB pixels (H, W, 3) uint8, long side at most as asked for, and facts about the original.

    `width` and `height` are those of the upright original; `orientation` is the EXIF value that was applied.
    """

    pixels: np.ndarray
    width: int
    height: int
    format: str
    orientation: int
    stripped: tuple[str, ...]

    def facts(self) -> bytes:
        row = {name: value for name, value in vars(self).items() if name != "pixels"}
        return json.dumps(row | {"shape": self.pixels.shape}).encode()


def decode(data: bytes, side: int = DISPLAY_SIDE) -> Decoded:
    """Decode a file to a long side of at most `side`; raises RejectedError, or whatever a decoder raises for a file that it cannot read."""
    file = dataclasses.replace(examine(data), side=side)
    stored = _READERS[file.format](file)
    width, height = stored.width, stored.height
    if min(width, height) < SHORT_SIDE_LIMIT:
        raise RejectedError(Reason.IMAGE_TOO_SMALL)
    if stored.orientation >= 5:
        width, height = height, width
    return Decoded(
        pixels=upright_pixels(stored, side),
        width=width,
        height=height,
        format=file.format,
        orientation=stored.orientation,
        stripped=tuple(sorted({*file.found, *stored.stripped})),
    )


# --- Readers ----------------------------------------------------------------------------------------------
def _read_jpeg(file: PhotoFile) -> StoredPhoto:
    """Decode at a half, quarter or eighth where that leaves enough.

    Pillow decodes a JPEG with a damaged middle or an empty second half without an error. Here a warning of
    libjpeg is damage, unless it is of bytes that are no part of the picture: without them it must not warn.
    """
    try:
        pixels = _decode_strictly(file, file.pixels)
    except ValueError as warning:
        if file.is_cut:
            raise RejectedError(Reason.TRUNCATED_IMAGE) from warning
        repaired = without_stray_bytes(file.pixels, str(warning))
        try:
            pixels = _decode_strictly(file, repaired)
        except ValueError as error:
            raise RejectedError(Reason.CORRUPT_IMAGE) from error
    mode = "CMYK" if file.components == 4 else _MODES[file.components]
    if mode == "CMYK" and file.is_adobe:
        pixels = 255 - pixels  # Adobe stores no ink as 255
    exif = _exif(file.exif)
    if ORIENTATION not in exif and (written := XMP_ORIENTATION.search(file.xmp)):
        exif[ORIENTATION] = int(written[1])
    return StoredPhoto(
        pixels=Image.frombytes(mode, pixels.shape[1::-1], pixels.tobytes()),
        width=file.width,
        height=file.height,
        exif=exif,
        icc=file.icc,
        coding=_coding_of_exif(exif),
    )


_MODES = {1: "L", 3: "RGB"}
_LAYOUTS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


def _decode_strictly(file: PhotoFile, jpeg: bytes) -> np.ndarray:
    """Return pixels (H, W, channels); raises ValueError with the text of libjpeg's warning."""
    factor = shrink_factor(max(file.width, file.height), file.side)
    return simplejpeg.decode_jpeg(
        jpeg,
        _LAYOUTS[_MODES.get(file.components, "CMYK")],
        min_width=-(-file.width // factor),
        min_height=-(-file.height // factor),
        min_factor=factor,
        strict=True,
    )


def shrink_factor(side: int, wanted: int) -> int:
    return next(factor for factor in (8, 4, 2, 1) if factor == 1 or side >= factor * wanted * ENOUGH[wanted])


def _read_png(file: PhotoFile) -> StoredPhoto:
    """Colour by the first of cICP, iCCP, sRGB, gAMA and cHRM, as the PNG specification ranks them (third edition, 4.3)."""
    image, chunks = Image.open(io.BytesIO(file.pixels), formats=["PNG"]), file.colour or {}
    image.load()
    exif, icc = _exif_of(image), image.info.get("icc_profile") or b""
    coding = None
    if len(cicp := chunks.get(b"cICP", b"")) == 4 and cicp[2:] == b"\x00\x01":  # RGB of full range
        coding = colour.of_cicp(cicp[0], cicp[1])
    if coding:
        icc = b""
    elif not icc:
        coding = colour.of_png(chunks) or (None if chunks else _coding_of_exif(exif))
    levels, white = image, 255
    if coding and (coding.is_hdr or (file.pixels[24] == 16 and not coding.is_srgb)):
        levels, white = _png_levels(image, file.pixels)
    return StoredPhoto(
        pixels=levels,
        width=file.width,
        height=file.height,
        exif=exif,
        icc=icc,
        coding=coding,
        white=white,
        found=_metadata_of(image),
    )


def _png_levels(image: Image.Image, data: bytes) -> tuple[np.ndarray, int]:
    """Return levels (H, W, 3 or 4) and the largest; of 16 bits a channel Pillow gives the upper eight alone."""
    if image.mode.startswith("I;16"):
        return np.repeat(np.asarray(image)[..., None], 3, axis=2), 65_535
    upper = np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))
    if data[24] != 16 or image.mode not in ("RGB", "RGBA") or "transparency" in image.info:
        return upper, 255
    again = Image.open(io.BytesIO(data), formats=["PNG"])
    # Read as if it were little-endian, the "upper" byte of each sample is the lower one.
    again.tile = [tile._replace(args=f"{image.mode};16L") for tile in again.tile]
    again.load()
    return upper.astype(np.uint16) << 8 | np.asarray(again), 65_535


def _read_webp(file: PhotoFile) -> StoredPhoto:
    image = Image.open(io.BytesIO(file.pixels), formats=["WEBP"])
    image.load()
    exif = _exif_of(image)
    return StoredPhoto(
        pixels=image,
        width=image.width,
        height=image.height,
        exif=exif,
        icc=image.info.get("icc_profile") or b"",
        coding=_coding_of_exif(exif),
        found=_metadata_of(image),
    )


def _read_heif(file: PhotoFile) -> StoredPhoto:
    """The decoder itself turns the primary image upright by the file's properties.

    EXIF then says the same once more and does not count. Where a file has no such property at all, EXIF counts:
    ISO/IEC 23008-12 does not say so, but the firmware that wrote such files meant it, and galleries follow it.
    """
    container = pi_heif.open_heif(io.BytesIO(file.pixels), convert_hdr_to_8bit=False)
    check_pixels(*container.size, "HEIF")
    if file.is_cut:
        raise RejectedError(Reason.TRUNCATED_IMAGE)
    info = container.info
    levels, exif = np.asarray(container), _exif(info.get("exif") or b"")
    levels = levels[:, : container.size[0]]
    icc, nclx = info.get("icc_profile") or b"", info.get("nclx_profile")
    coding = _coding_of_exif(exif)
    if nclx and not icc:
        coding = colour.of_cicp(nclx["color_primaries"], nclx["transfer_characteristics"])
    white = 255 if levels.dtype == np.uint8 else ((1 << info["bit_depth"]) - 1) << (16 - info["bit_depth"])
    is_exact = bool(coding) and (coding.is_hdr or (white > 255 and not coding.is_srgb))
    is_exact = is_exact and levels.ndim == 3 and levels.shape[2] >= 3
    names = {"exif": "exif", "xmp": "xmp", "icc_profile": "icc"}
    found = {name for key, name in names.items() if info.get(key)}
    if is_exact:
        pixels = levels.copy()  # the decoder's own memory ends with `container`
    else:
        if levels.dtype != np.uint8:
            table = ((np.arange(65_536) * 255 + white // 2) // white).clip(0, 255).astype(np.uint8)
            levels = table[levels]
        mode = container.mode.split(";")[0].replace("I", "L")
        pixels = Image.frombytes(mode, levels.shape[1::-1], levels.tobytes())
    return StoredPhoto(
        pixels=pixels,
        width=container.size[0],
        height=container.size[1],
        exif=exif,
        icc=icc,
        coding=coding,
        white=white,
        is_upright=file.is_turned,
        found=frozenset(found | ({"other_images"} if len(container) > 1 else set())),
    )


_READERS: dict[str, Callable[[PhotoFile], StoredPhoto]] = {
    "JPEG": _read_jpeg,
    "PNG": _read_png,
    "WEBP": _read_webp,
    "HEIF": _read_heif,
}


# --- Metadata: broken metadata must not lose a photo ------------------------------------------------------
def _exif(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    with contextlib.suppress(Exception):
        exif.load(block)
    return exif


def _exif_of(image: Image.Image) -> Image.Exif:
    with contextlib.suppress(Exception):
        return image.getexif()
    return Image.Exif()


def _coding_of_exif(exif: Image.Exif) -> colour.Coding | None:
    """Return Adobe RGB for "uncalibrated" with the index R03 of a DCF 2.0 option file, or with no index at all.

    Exif has no value for Adobe RGB: cameras that take photos in it write "uncalibrated", and editors lose the index.
    """
    with contextlib.suppress(Exception):
        space = exif.get_ifd(EXIF_IFD).get(COLOUR_SPACE)
        index = str(exif.get_ifd(INTEROP_IFD).get(INTEROP_INDEX, "")).strip("\0 ")
        if (index == "R03" and space != SRGB_COLOUR_SPACE) or (not index and space == UNCALIBRATED):
            return colour.ADOBE_RGB
    return None


def _metadata_of(image: Image.Image) -> frozenset[str]:
    names = {"exif": "exif", "xmp": "xmp", "icc_profile": "icc"}
    found = {name for key, name in names.items() if image.info.get(key)}
    with contextlib.suppress(Exception):
        if getattr(image, "n_frames", 1) > 1:
            found.add("other_images")
    return frozenset(found)
