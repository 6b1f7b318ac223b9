"""Which photos are accepted, and every reason why a file can be refused. The web and the worker both decide by its limits and codes.

A photo is refused at one of two moments:

1. At the upload, by the web, from the size and the first bytes (`refusal_at_upload`): `empty_file`, `file_too_large`,
   `unsupported_format`. The web never decodes a photo.
2. Within seconds, by the worker: again the three above, and what only the structure or the pixels show:
   `corrupt_image`, `truncated_image`, `too_many_pixels`, `image_too_small`. A photo of `poor_quality` is not refused:
   its `QualityFault` says what is wrong, and the patient may send it anyway.

`teleder/cases/remedies.py` holds the sentence that a patient reads for each code.

Accepted are JPEG (baseline, progressive, arithmetic; CMYK; with further pictures or a video behind the first), PNG
(APNG shows its first frame), WebP (an animation shows its first frame) and HEIC. Every other format is refused, also
those that Pillow could read: each decoder is one more way in for an attacker, and no phone sends these by default.
HEIF is a container: with AVIF, AVC, JPEG, JPEG 2000 or VVC pictures inside it is refused, as only HEVC is decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

FILE_LIMIT_MB = 25
FILE_LIMIT_BYTES = FILE_LIMIT_MB * 1024 * 1024
PIXEL_LIMIT = 100_000_000
JPEG_PIXEL_LIMIT = 200_000_000  # 200 MP phones exist, and a JPEG is never held at its full size
SHORT_SIDE_LIMIT = 200  # px at least
DISPLAY_SIDE = 2048  # px, long side of the display copy at most
FULL_SIDE = 6144  # px, of the full-size copy: 24 megapixels whole, more would cost the decoder's memory
SHORT_SIDE_WANTED = 400  # px; with less the photo is of poor quality: a preview, or a picture of a screen
HEAD_BYTES = 256  # are enough to recognise a format


class Reason(StrEnum):
    """Why a photo cannot be used, or (POOR_QUALITY) not well."""

    EMPTY_FILE = "empty_file"
    UNSUPPORTED_FORMAT = "unsupported_format"
    CORRUPT_IMAGE = "corrupt_image"
    TRUNCATED_IMAGE = "truncated_image"
    TOO_MANY_PIXELS = "too_many_pixels"
    FILE_TOO_LARGE = "file_too_large"
    IMAGE_TOO_SMALL = "image_too_small"
    POOR_QUALITY = "poor_quality"


class QualityFault(StrEnum):
    """What is wrong with a photo of poor quality; each has one remedy."""

    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    BLURRED = "blurred"
    GLARE = "glare"
    NOT_A_PHOTO = "not_a_photo"
    TOO_SMALL = "too_small"


class PhotoAdvice(StrEnum):
    """What a segmentation of a draft's photo suggests to its patient. Each has one remedy; none holds a photo back."""

    NO_SKIN = "no_skin"
    TOO_FAR = "too_far"
    TOO_NEAR = "too_near"
    LESION_NOT_FOUND = "lesion_not_found"


@dataclass(frozen=True, kw_only=True)
class PhotoFormat:
    """A format that is accepted. `matches` takes the first HEAD_BYTES of a file."""

    name: str
    label: str
    mime_types: tuple[str, ...]
    matches: Callable[[bytes], bool]
    pixel_limit: int = PIXEL_LIMIT


HEVC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
ANY_CODEC_BRANDS = frozenset({b"mif1", b"msf1"})
OTHER_CODEC_BRANDS = frozenset(
    {
        b"avif",
        b"avis",
        b"avci",
        b"avcs",
        b"jpeg",
        b"jpgs",
        b"j2ki",
        b"j2is",
        b"vvic",
        b"vvis",
        b"evbi",
        b"evbs",
    }
)


def _is_heic(head: bytes) -> bool:
    """Whether the file type box (ISO/IEC 23008-12, Annex B) names HEVC, or no codec at all."""
    if head[4:8] != b"ftyp":
        return False
    size = min(int.from_bytes(head[:4], "big"), HEAD_BYTES)
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))}
    return bool(brands & HEVC_BRANDS or (brands & ANY_CODEC_BRANDS and not brands & OTHER_CODEC_BRANDS))


FORMATS = {
    photo_format.name: photo_format
    for photo_format in (
        PhotoFormat(
            name="JPEG",
            label="JPEG",
            mime_types=("image/jpeg",),
            matches=lambda head: head.startswith(b"\xff\xd8\xff"),
            pixel_limit=JPEG_PIXEL_LIMIT,
        ),
        PhotoFormat(
            name="PNG",
            label="PNG",
            mime_types=("image/png",),
            matches=lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"),
        ),
        PhotoFormat(
            name="WEBP",
            label="WebP",
            mime_types=("image/webp",),
            matches=lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
        ),
        PhotoFormat(name="HEIF", label="HEIC", mime_types=("image/heic", "image/heif"), matches=_is_heic),
    )
}
LABELS = tuple(photo_format.label for photo_format in FORMATS.values())
ACCEPT = ",".join(
    mime for photo_format in FORMATS.values() for mime in photo_format.mime_types
)  # of a file input


def sniff(head: bytes) -> PhotoFormat | None:
    """Return the format that the first HEAD_BYTES of a file show; its name and declared type never count."""
    return next((each for each in FORMATS.values() if each.matches(head)), None)


def refusal_at_upload(size: int, head: bytes) -> Reason | None:
    """Return why a file of `size` bytes with this head is refused before anybody decodes it, if it is."""
    if not size:
        return Reason.EMPTY_FILE
    if size > FILE_LIMIT_BYTES:
        return Reason.FILE_TOO_LARGE
    return None if sniff(head) else Reason.UNSUPPORTED_FORMAT
