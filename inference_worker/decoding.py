"""Decodes the bytes of a stranger to upright sRGB pixels. Runs only in the disposable child of `isolation`.

Everything that decoding may need is imported here at the top: the child can open no file any more.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pillow_heif
import simplejpeg
from PIL import Image, ImageCms

# Pillow would load these on demand (EXIF is read as TIFF), and cannot any more.
from PIL import MpoImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401 # isort: skip

from inference_worker.contract import Reason
from inference_worker.formats import PIXEL_LIMIT, Anatomy, Rejected, check_pixels, examine

DISPLAY_SIDE = 2048  # px, long side at most
SHRUNK_SIDE = DISPLAY_SIDE * 15 // 16  # half of the usual 4000 px is near enough, and half the work
SIDE_LIMIT = 200  # px, short side at least
ORIENTATION, GPS = 0x0112, 0x8825
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
pillow_heif.register_heif_opener(thumbnails=False)
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


def decode(data: bytes) -> Decoded:
    """Decode a file; raises Rejected, or whatever a decoder raises for a file that it cannot read."""
    anatomy = examine(data)
    image, header = _READERS[anatomy.format](anatomy, data)
    orientation, width, height = _orientation(header), *header.size
    if min(width, height) < SIDE_LIMIT:
        raise Rejected(Reason.IMAGE_TOO_SMALL)
    small = _fitted(_flat(_in_8_bit(image)))
    upright = _upright(_in_srgb(small, header.info.get("icc_profile")), orientation)
    if orientation >= 5:
        width, height = height, width
    return Decoded(
        pixels=np.asarray(upright),
        width=width,
        height=height,
        format=anatomy.format,
        orientation=orientation,
        stripped=tuple(sorted({*anatomy.found, *_found(header)})),
    )


# --- Readers: (image with all its pixels, header with size and metadata) ----------------------------------
def _read_jpeg(anatomy: Anatomy, data: bytes) -> tuple[Image.Image, Image.Image]:
    """Decode at a half, quarter or eighth where that leaves enough; a warning is damage.

    Pillow decodes a JPEG with a damaged middle or an empty second half without an error. Here libjpeg's
    warnings count, also the one for data left over at the end.
    """
    header = Image.open(io.BytesIO(data), formats=["JPEG"])
    factor = _shrink(max(header.size))
    width, height = (-(-side // factor) for side in header.size)
    try:
        pixels = simplejpeg.decode_jpeg(
            anatomy.pixels,
            _LAYOUTS[header.mode],
            min_width=width,
            min_height=height,
            min_factor=factor,
            strict=True,
        )
    except ValueError as error:
        raise Rejected(Reason.CORRUPT_IMAGE) from error
    if header.mode == "CMYK" and "adobe" in header.info:
        pixels = 255 - pixels  # Adobe stores no ink as 255
    return Image.frombytes(header.mode, pixels.shape[1::-1], pixels.tobytes()), header


_LAYOUTS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


def _shrink(side: int) -> int:
    return next(factor for factor in (8, 4, 2, 1) if factor == 1 or side >= factor * SHRUNK_SIDE)


def _read_png_or_webp(anatomy: Anatomy, data: bytes) -> tuple[Image.Image, Image.Image]:
    image = Image.open(io.BytesIO(anatomy.pixels), formats=[anatomy.format])
    image.load()
    return image, image


def _read_heif(anatomy: Anatomy, data: bytes) -> tuple[Image.Image, Image.Image]:
    """The decoder itself turns the primary image upright; EXIF may say the same once more and is not asked."""
    image = Image.open(io.BytesIO(data), formats=["HEIF"])
    check_pixels(*image.size)
    if anatomy.is_cut:
        raise Rejected(Reason.TRUNCATED_IMAGE)
    image.load()
    return image, image


_READERS: dict[str, Callable[[Anatomy, bytes], tuple[Image.Image, Image.Image]]] = {
    "JPEG": _read_jpeg,
    "PNG": _read_png_or_webp,
    "WEBP": _read_png_or_webp,
    "HEIF": _read_heif,
}


# --- Metadata: broken metadata must not lose a photo ------------------------------------------------------
def _orientation(header: Image.Image) -> int:
    with contextlib.suppress(Exception):
        value = header.getexif().get(ORIENTATION, 1)
        return value if value in TURNS else 1
    return 1


def _found(header: Image.Image) -> set[str]:
    names = {"exif": "exif", "xmp": "xmp", "icc_profile": "icc", "comment": "comment", "photoshop": "iptc"}
    found = {name for key, name in names.items() if header.info.get(key)}
    with contextlib.suppress(Exception):
        if header.getexif().get_ifd(GPS):
            found.add("gps")
    with contextlib.suppress(Exception):
        if getattr(header, "n_frames", 1) > 1:
            found.add("other_images")
    return found


# --- Pixels -----------------------------------------------------------------------------------------------
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


def _in_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
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
