"""Decodes the bytes of a stranger to upright sRGB pixels. Runs only in the disposable child of `isolation`.

Everything that decoding may need is imported here at the top: the child can open no file any more.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pi_heif
import simplejpeg
from PIL import Image, ImageCms

# Pillow would load these on demand (EXIF is read as TIFF), and cannot any more.
from PIL import TiffImagePlugin, WebPImagePlugin  # noqa: F401 # isort: skip

from contract.photos import PIXEL_LIMIT, SHORT_SIDE_LIMIT, Reason
from inference_worker.decode import colour
from inference_worker.decode.anatomy import Anatomy, Rejected, check_pixels
from inference_worker.decode.formats import examine
from inference_worker.decode.jpeg_scans import without_stray_bytes

DISPLAY_SIDE = 2048  # px, long side at most
SHRUNK_SIDE = DISPLAY_SIDE * 15 // 16  # half of the usual 4000 px is near enough, and half the work
ORIENTATION, GPS, EXIF_IFD, COLOUR_SPACE, INTEROP_IFD, INTEROP_INDEX = (
    0x0112,
    0x8825,
    0x8769,
    0xA001,
    0xA005,
    1,
)
XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=[\"']|>)([1-8])")
SRGB_COLOUR_SPACE, UNCALIBRATED = 1, 65_535
TURNS = {  # EXIF: how the stored pixels must be turned to stand upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
PROBE = np.stack(np.meshgrid(*[np.arange(0, 256, 51, np.uint8)] * 3), axis=-1).reshape(6, 36, 3)

Image.MAX_IMAGE_PIXELS = PIXEL_LIMIT
pi_heif.options.THUMBNAILS = pi_heif.options.DEPTH_IMAGES = pi_heif.options.AUX_IMAGES = False
Image.preinit()


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """Upright sRGB pixels (H, W, 3) uint8, long side at most DISPLAY_SIDE, and facts about the original.

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


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What a reader found in a file: all pixels as they lie there, and what tells their meaning.

    `pixels` is an image of 8 bits (or of one 16-bit channel), or where 8 bits are too few the levels (H, W, 3 or 4),
    whose largest is `white`; `width` and `height` are those of the original.
    """

    pixels: Image.Image | np.ndarray
    width: int
    height: int
    exif: Image.Exif
    icc: bytes = b""
    coding: colour.Coding | None = None
    white: int = 255
    is_upright: bool = False
    found: frozenset[str] = frozenset()


def decode(data: bytes) -> Decoded:
    """Decode a file; raises Rejected, or whatever a decoder raises for a file that it cannot read."""
    anatomy = examine(data)
    stored = _READERS[anatomy.format](anatomy)
    orientation, width, height = _orientation(stored), stored.width, stored.height
    if min(width, height) < SHORT_SIDE_LIMIT:
        raise Rejected(Reason.IMAGE_TOO_SMALL)
    upright = _upright(_displayed(stored), orientation)
    if orientation >= 5:
        width, height = height, width
    return Decoded(
        pixels=np.asarray(upright),
        width=width,
        height=height,
        format=anatomy.format,
        orientation=orientation,
        stripped=tuple(sorted({*anatomy.found, *stored.found, *_found(stored.exif)})),
    )


# --- Readers ----------------------------------------------------------------------------------------------
def _read_jpeg(anatomy: Anatomy) -> Stored:
    """Decode at a half, quarter or eighth where that leaves enough.

    Pillow decodes a JPEG with a damaged middle or an empty second half without an error. Here a warning of
    libjpeg is damage, unless it is of bytes that are no part of the picture: without them it must not warn.
    """
    try:
        pixels = _strictly(anatomy, anatomy.pixels)
    except ValueError as warning:
        if anatomy.is_cut:
            raise Rejected(Reason.TRUNCATED_IMAGE) from warning
        pixels = _without_stray_bytes(anatomy, str(warning))
    mode = "CMYK" if anatomy.components == 4 else _MODES[anatomy.components]
    if mode == "CMYK" and anatomy.is_adobe:
        pixels = 255 - pixels  # Adobe stores no ink as 255
    exif = _exif(anatomy.exif)
    if ORIENTATION not in exif and (told := XMP_ORIENTATION.search(anatomy.xmp)):
        exif[ORIENTATION] = int(told[1])
    return Stored(
        pixels=Image.frombytes(mode, pixels.shape[1::-1], pixels.tobytes()),
        width=anatomy.width,
        height=anatomy.height,
        exif=exif,
        icc=anatomy.icc,
        coding=_coding_of_exif(exif),
    )


_MODES = {1: "L", 3: "RGB"}
_LAYOUTS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


def _without_stray_bytes(anatomy: Anatomy, warning: str) -> np.ndarray:
    repaired = without_stray_bytes(anatomy.pixels, warning)
    try:
        return _strictly(anatomy, repaired)
    except ValueError as error:
        raise Rejected(Reason.CORRUPT_IMAGE) from error


def _strictly(anatomy: Anatomy, jpeg: bytes) -> np.ndarray:
    """Return pixels (H, W, channels); raises ValueError with the text of libjpeg's warning."""
    factor = _shrink(max(anatomy.width, anatomy.height))
    return simplejpeg.decode_jpeg(
        jpeg,
        _LAYOUTS[_MODES.get(anatomy.components, "CMYK")],
        min_width=-(-anatomy.width // factor),
        min_height=-(-anatomy.height // factor),
        min_factor=factor,
        strict=True,
    )


def _shrink(side: int) -> int:
    return next(factor for factor in (8, 4, 2, 1) if factor == 1 or side >= factor * SHRUNK_SIDE)


def _read_png(anatomy: Anatomy) -> Stored:
    """Colour by the first of cICP, iCCP, sRGB, gAMA and cHRM, as the PNG specification ranks them (third edition, 4.3)."""
    image, chunks = Image.open(io.BytesIO(anatomy.pixels), formats=["PNG"]), anatomy.colour or {}
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
    if coding and (coding.is_hdr or (anatomy.pixels[24] == 16 and not coding.is_srgb)):
        levels, white = _png_levels(image, anatomy.pixels)
    return Stored(
        pixels=levels,
        width=anatomy.width,
        height=anatomy.height,
        exif=exif,
        icc=icc,
        coding=coding,
        white=white,
        found=_named(image),
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


def _read_webp(anatomy: Anatomy) -> Stored:
    image = Image.open(io.BytesIO(anatomy.pixels), formats=["WEBP"])
    image.load()
    exif = _exif_of(image)
    return Stored(
        pixels=image,
        width=image.width,
        height=image.height,
        exif=exif,
        icc=image.info.get("icc_profile") or b"",
        coding=_coding_of_exif(exif),
        found=_named(image),
    )


def _read_heif(anatomy: Anatomy) -> Stored:
    """The decoder itself turns the primary image upright by the file's properties.

    EXIF then says the same once more and does not count. Where a file has no such property at all, EXIF counts:
    ISO/IEC 23008-12 does not say so, but the firmware that wrote such files meant it, and galleries follow it.
    """
    file = pi_heif.open_heif(io.BytesIO(anatomy.pixels), convert_hdr_to_8bit=False)
    check_pixels(*file.size, "HEIF")
    if anatomy.is_cut:
        raise Rejected(Reason.TRUNCATED_IMAGE)
    info = file.info
    levels, exif = np.asarray(file), _exif(info.get("exif") or b"")
    levels = levels[:, : file.size[0]]
    icc, nclx = info.get("icc_profile") or b"", info.get("nclx_profile")
    coding = _coding_of_exif(exif)
    if nclx and not icc:
        coding = colour.of_cicp(nclx["color_primaries"], nclx["transfer_characteristics"])
    white = 255 if levels.dtype == np.uint8 else ((1 << info["bit_depth"]) - 1) << (16 - info["bit_depth"])
    is_exact = bool(coding) and (coding.is_hdr or (white > 255 and not coding.is_srgb))
    is_exact = is_exact and levels.ndim == 3 and levels.shape[2] >= 3
    names = {"exif": "exif", "xmp": "xmp", "icc_profile": "icc"}
    found = {name for key, name in names.items() if info.get(key)}
    return Stored(
        pixels=levels.copy()  # the decoder's own memory ends with `file`
        if is_exact
        else Image.frombytes(
            file.mode.split(";")[0].replace("I", "L"), levels.shape[1::-1], _in_8_bits(levels, white)
        ),
        width=file.size[0],
        height=file.size[1],
        exif=exif,
        icc=icc,
        coding=coding,
        white=white,
        is_upright=anatomy.is_turned,
        found=frozenset(found | ({"other_images"} if len(file) > 1 else set())),
    )


def _in_8_bits(levels: np.ndarray, white: int) -> bytes:
    if levels.dtype == np.uint8:
        return levels.tobytes()
    table = ((np.arange(65_536) * 255 + white // 2) // white).clip(0, 255).astype(np.uint8)
    return table[levels].tobytes()


_READERS: dict[str, Callable[[Anatomy], Stored]] = {
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


def _orientation(stored: Stored) -> int:
    with contextlib.suppress(Exception):
        value = 1 if stored.is_upright else stored.exif.get(ORIENTATION, 1)
        return value if value in TURNS else 1
    return 1


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


def _named(image: Image.Image) -> frozenset[str]:
    names = {"exif": "exif", "xmp": "xmp", "icc_profile": "icc"}
    found = {name for key, name in names.items() if image.info.get(key)}
    with contextlib.suppress(Exception):
        if getattr(image, "n_frames", 1) > 1:
            found.add("other_images")
    return frozenset(found)


def _found(exif: Image.Exif) -> set[str]:
    with contextlib.suppress(Exception):
        return {"gps"} if exif.get_ifd(GPS) else set()
    return set()


# --- Pixels -----------------------------------------------------------------------------------------------
def _displayed(stored: Stored) -> Image.Image:
    """Return sRGB, not larger than needed, still as it lies in the file."""
    if isinstance(stored.pixels, np.ndarray):
        return _exactly_displayed(stored)
    small = _fitted(_flat(_in_8_bit(stored.pixels)))
    if stored.icc or stored.coding is None or stored.coding.is_srgb or small.mode == "CMYK":
        return _in_srgb(small, stored.icc)
    return Image.fromarray(colour.to_srgb(np.asarray(small.convert("RGB")), stored.coding, 255))


def _exactly_displayed(stored: Stored) -> Image.Image:
    # Pillow scales channels of more than 8 bits one by one.
    channels = [
        np.asarray(_fitted(Image.fromarray(channel.astype(np.float32))))
        for channel in np.moveaxis(stored.pixels, 2, 0)
    ]
    levels = np.stack(channels[:3], axis=-1)
    shown = colour.to_srgb(levels.clip(0, stored.white), stored.coding, stored.white)
    if len(channels) == 4:
        alpha = (channels[3] / stored.white).clip(0, 1)[..., None]
        shown = np.rint(shown * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return Image.fromarray(shown)


def _in_8_bit(image: Image.Image) -> Image.Image:
    if not image.mode.startswith(("I", "F")):
        return image
    # `convert` would clip 16 bits to white instead of scaling them.
    levels = np.asarray(image).astype(np.uint32)
    grey = Image.fromarray((levels >> 8).clip(0, 255).astype(np.uint8))
    if (clear := image.info.get("transparency")) is not None:
        grey.putalpha(Image.fromarray(np.where(levels == clear, 0, 255).astype(np.uint8)))
    return grey


def _flat(image: Image.Image) -> Image.Image:
    """Return mode L, RGB or CMYK; what is transparent becomes white."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _fitted(image: Image.Image) -> Image.Image:
    # The gap makes the first, coarse step of a strong reduction cheap.
    image.thumbnail((DISPLAY_SIDE, DISPLAY_SIDE), Image.Resampling.LANCZOS, reducing_gap=3)
    return image


def _in_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """Convert by the photo's own profile; one that is broken or meant for other channels is ignored."""
    if icc:
        with contextlib.suppress(ImageCms.PyCMSError, OSError, TypeError, ValueError):
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            transform = ImageCms.buildTransform(profile, SRGB, image.mode, "RGB")
            return (
                image
                if _changes_nothing(transform, image.mode)
                else ImageCms.applyTransform(image, transform)
            )
    return image.convert("RGB")


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether the profile is sRGB in all but name: most are, and the conversion costs as much as the decoding."""
    if mode != "RGB":
        return False
    converted = np.asarray(ImageCms.applyTransform(Image.fromarray(PROBE), transform)).astype(int)
    return int(abs(converted - PROBE).max()) <= 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image
