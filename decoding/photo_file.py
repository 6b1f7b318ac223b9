"""What the readers of each format share: the description of a file, the error that refuses it, size limits."""

from __future__ import annotations

from dataclasses import dataclass

from contract.photos import DISPLAY_SIDE, FORMATS, Reason

BLANK = bytes(256)  # half a disk sector that never was written; no coder makes so long a run in a photo


class RejectedError(Exception):
    """A foreseen reason why a file is no photo that can be used."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class PhotoFile:
    """What a file holds. `pixels` is what the decoder needs of it; `found` names what else it carries.

    Of HEIF only the decoder reads the size (0 x 0 here). `is_cut`: the file ends before its end mark.
    `components`, `is_adobe`, `exif` (a TIFF block), `xmp` and `icc` are read here of JPEG only; `colour` holds the
    bodies of the PNG chunks cICP, sRGB, gAMA and cHRM; `is_turned` says that a HEIF file turns an image itself.
    `side` is the long side that is wanted of it.
    """

    format: str
    width: int = 0
    height: int = 0
    pixels: bytes
    found: tuple[str, ...] = ()
    is_cut: bool = False
    components: int = 0
    is_adobe: bool = False
    exif: bytes = b""
    xmp: bytes = b""
    icc: bytes = b""
    colour: dict[bytes, bytes] | None = None
    is_turned: bool = False
    side: int = DISPLAY_SIDE


def check_pixels(width: int, height: int, photo_format: str) -> None:
    """Raise RejectedError for more pixels than photos of this format may have."""
    if width * height > FORMATS[photo_format].pixel_limit:
        raise RejectedError(Reason.TOO_MANY_PIXELS)
