"""Turns what a reader found in a file into upright sRGB pixels, not larger than the copies need.

Imported by the decoder's child before it gives up its rights: all that Pillow needs is loaded at the top.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from contract.photos import DISPLAY_SIDE
from decoding import colour

TURNS = {  # EXIF orientation: how the stored pixels must be turned to stand upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTATION, GPS = 0x0112, 0x8825
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
PROBE = np.stack(np.meshgrid(*[np.arange(0, 256, 51, np.uint8)] * 3), axis=-1).reshape(6, 36, 3)


@dataclass(frozen=True, kw_only=True)
class StoredPhoto:
    """What a reader found in a file: all pixels as they are stored, and what tells their meaning.

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

    @property
    def orientation(self) -> int:
        """The EXIF orientation that applies, 1 to 8; broken metadata must not lose a photo."""
        with contextlib.suppress(Exception):
            value = 1 if self.is_upright else self.exif.get(ORIENTATION, 1)
            return value if value in TURNS else 1
        return 1

    @property
    def stripped(self) -> tuple[str, ...]:
        """The kinds of metadata that no copy holds."""
        with contextlib.suppress(Exception):
            if self.exif.get_ifd(GPS):
                return (*sorted(self.found), "gps")
        return tuple(sorted(self.found))


def upright_pixels(stored: StoredPhoto, side: int = DISPLAY_SIDE) -> np.ndarray:
    """Return sRGB pixels (H, W, 3) uint8, long side at most `side`."""
    if isinstance(stored.pixels, np.ndarray):
        # Pillow scales channels of more than 8 bits one by one.
        channels = [
            np.asarray(fitted(Image.fromarray(channel.astype(np.float32)), side))
            for channel in np.moveaxis(stored.pixels, 2, 0)
        ]
        levels = np.stack(channels[:3], axis=-1).clip(0, stored.white)
        shown = colour.to_srgb(levels, stored.coding, stored.white)
        if len(channels) == 4:
            alpha = (channels[3] / stored.white).clip(0, 1)[..., None]
            shown = np.rint(shown * alpha + 255 * (1 - alpha)).astype(np.uint8)
        image = Image.fromarray(shown)
    else:
        image = fitted(_opaque(stored.pixels), side)
        if stored.icc or stored.coding is None or stored.coding.is_srgb or image.mode == "CMYK":
            image = _by_profile(image, stored.icc)
        else:
            image = Image.fromarray(colour.to_srgb(np.asarray(image.convert("RGB")), stored.coding, 255))
    if stored.orientation in TURNS:
        image = image.transpose(TURNS[stored.orientation])
    return np.asarray(image)


def fitted(image: Image.Image, side: int) -> Image.Image:
    """Scale an image down to this long side in place."""
    # The gap makes the first, coarse step of a strong reduction cheap.
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3)
    return image


def _opaque(image: Image.Image) -> Image.Image:
    """Return mode L, RGB or CMYK with 8 bits; what is transparent becomes white."""
    if image.mode.startswith(("I", "F")):
        # `convert` would clip 16 bits to white instead of scaling them.
        levels = np.asarray(image).astype(np.uint32)
        grey = Image.fromarray((levels >> 8).clip(0, 255).astype(np.uint8))
        if (clear := image.info.get("transparency")) is not None:
            grey.putalpha(Image.fromarray(np.where(levels == clear, 0, 255).astype(np.uint8)))
        image = grey
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _by_profile(image: Image.Image, icc: bytes) -> Image.Image:
    """Convert by the photo's own ICC profile; one that is broken or meant for other channels is ignored."""
    if not icc:
        return image.convert("RGB")
    with contextlib.suppress(ImageCms.PyCMSError, OSError, TypeError, ValueError):
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        transform = ImageCms.buildTransform(profile, SRGB, image.mode, "RGB")
        if image.mode == "RGB":
            # Most profiles are sRGB in all but name, and the conversion costs as much as the decoding.
            converted = np.asarray(ImageCms.applyTransform(Image.fromarray(PROBE), transform)).astype(int)
            if abs(converted - PROBE).max() <= 1:
                return image
        return ImageCms.applyTransform(image, transform)
    return image.convert("RGB")
