"""What a file says about itself by its bytes, before any decoder sees it.

Type by magic bytes and never by name, size in pixels from the header, and whether the file is whole.
Decoders are lenient where a clinic must not be: Pillow shows a JPEG whose second half was lost as a
photo with a grey lower half.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from inference_worker.contract import Reason

FILE_LIMIT_BYTES = 25 * 1024 * 1024
PIXEL_LIMIT = 100_000_000
JPEG_PIXEL_LIMIT = 200_000_000  # 200 MP phones exist, and a JPEG is never held at its full size

HEVC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
HEIF_BRANDS = HEVC_BRANDS | {b"mif1", b"msf1"}
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
SOI, EOI, SOS, APP0, ADOBE = 0xD8, 0xD9, 0xDA, 0xE0, 0xEE
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
PIXEL_SEGMENTS = FRAMES | {0xC4, 0xCC, SOS, 0xDB, 0xDC, 0xDD}
# No `\xff+`: on a file of nothing but FF it would try every start with every length.
_NEXT_MARKER = re.compile(rb"\xff([^\x00\xff])")
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class Rejected(Exception):
    """A foreseen reason why a file is no photo that can be used."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """What a file holds. `pixels` is what the decoder needs of it; `found` names what else it carries.

    Of HEIF only the decoder reads the size (0 x 0 here) and whether a file that ends too early, `is_cut`,
    was a photo at all.
    """

    format: str
    width: int = 0
    height: int = 0
    pixels: bytes
    found: tuple[str, ...] = ()
    is_cut: bool = False


def examine(data: bytes) -> Anatomy:
    """Say what a file is; raises Rejected for one that is empty, too large, of another format or not whole."""
    if not data:
        raise Rejected(Reason.EMPTY_FILE)
    if len(data) > FILE_LIMIT_BYTES:
        raise Rejected(Reason.FILE_TOO_LARGE)
    return _EXAMINERS[sniff(data)](data)


def sniff(data: bytes) -> str:
    """Return JPEG, PNG, WEBP or HEIF; raises Rejected for everything else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(PNG_MAGIC):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp" and _is_heif(data):
        return "HEIF"
    raise Rejected(Reason.UNSUPPORTED_FORMAT)


def _is_heif(data: bytes) -> bool:
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, size - 3, 4))}
    return bool(brands & HEVC_BRANDS or (brands & HEIF_BRANDS and not brands & {b"avif", b"avis"}))


def check_pixels(width: int, height: int, limit: int = PIXEL_LIMIT) -> None:
    if width * height > limit:
        raise Rejected(Reason.TOO_MANY_PIXELS)


# --- JPEG -------------------------------------------------------------------------------------------------
def examine_jpeg(data: bytes) -> Anatomy:
    """Keep only what makes the pixels of the first image: its decoder then has no metadata to stumble over."""
    kept, found, size, end = [b"\xff\xd8"], set(), None, 0
    for marker, segment, end in _segments(data):  # noqa: B007  (the last end tells whether something follows)
        if marker in FRAMES and size is None:
            size = int.from_bytes(segment[7:9], "big"), int.from_bytes(segment[5:7], "big")
            check_pixels(*size, limit=JPEG_PIXEL_LIMIT)
        if (essential := _essential(marker, segment)) is not None:
            kept.append(essential)
        elif name := _name_of(marker, segment):
            found.add(name)
    if size is None:
        raise Rejected(Reason.CORRUPT_IMAGE)
    if len(data) > end:
        found.add("trailer")
    pixels = b"".join([*kept, b"\xff\xd9"])
    return Anatomy(format="JPEG", width=size[0], height=size[1], pixels=pixels, found=tuple(sorted(found)))


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield (marker, bytes with the marker, end) up to EOI; raises Rejected where the file ends before it."""
    at, orderly = 2, True
    while match := _NEXT_MARKER.search(data, at):
        orderly &= match.start() == at
        marker, start = match[1][0], match.start()
        if marker == EOI:
            yield marker, data[start : start + 2], start + 2
            return
        if marker <= 0x01 or 0xD0 <= marker <= SOI:  # no length follows
            at = start + 2
            continue
        at = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if marker == SOS:
            at = _end_of_scan(data, at)
        if at > len(data):
            break
        yield marker, data[start:at], at
    raise Rejected(Reason.TRUNCATED_IMAGE if orderly else Reason.CORRUPT_IMAGE)


def _end_of_scan(data: bytes, at: int) -> int:
    match = _END_OF_SCAN.search(data, at)
    return match.start() if match else len(data)


def _essential(marker: int, segment: bytes) -> bytes | None:
    """Return the segment as the decoder is to see it, None for one that makes no pixels."""
    if marker in PIXEL_SEGMENTS:
        return segment
    if marker == ADOBE and segment[4:9] == b"Adobe":
        return segment  # tells RGB from YCbCr, and whether CMYK is inverted
    if marker == APP0 and segment[4:9] == b"JFIF\x00":
        return JFIF  # an odd revision number makes decoders warn
    return None


_NAMES = (
    (0xE1, b"Exif\x00", "exif"),
    (0xE1, b"http://ns.adobe.com/", "xmp"),
    (0xE2, b"ICC_PROFILE\x00", "icc"),
    (0xE2, b"MPF\x00", "other_images"),
    (0xED, b"", "iptc"),
    (0xFE, b"", "comment"),
)


def _name_of(marker: int, segment: bytes) -> str:
    known = (name for kind, start, name in _NAMES if marker == kind and segment[4:].startswith(start))
    return next(known, "application_data" if 0xE0 < marker <= 0xEF else "")


# --- PNG --------------------------------------------------------------------------------------------------
def examine_png(data: bytes) -> Anatomy:
    """Check each chunk; decoders forgive a wrong checksum of what makes the pixels, a clinic must not."""
    if data[12:16] != b"IHDR":
        raise Rejected(Reason.CORRUPT_IMAGE)
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    check_pixels(width, height)
    found = {_PNG_NAMES[kind] for kind in _chunks(data) if kind in _PNG_NAMES}
    return Anatomy(format="PNG", width=width, height=height, pixels=data, found=tuple(sorted(found)))


_PNG_NAMES = {
    b"eXIf": "exif",
    b"iCCP": "icc",
    b"tEXt": "text",
    b"zTXt": "text",
    b"iTXt": "text",
    b"tIME": "time",
    b"acTL": "animation",
}


def _chunks(data: bytes) -> Iterator[bytes]:
    """Yield the type of each chunk up to IEND; raises Rejected for a damaged chunk and a file that ends before IEND."""
    at, stream = len(PNG_MAGIC), []
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if not kind.isalpha():
            raise Rejected(Reason.CORRUPT_IMAGE)
        if kind == b"IDAT":
            stream.append(data[at + 8 : at + 8 + length])
        if at + 12 + length > len(data):
            break
        is_critical = kind[:1].isupper()
        if is_critical and zlib.crc32(data[at + 4 : at + 8 + length]) != int.from_bytes(
            data[at + 8 + length : at + 12 + length], "big"
        ):
            raise Rejected(Reason.CORRUPT_IMAGE)
        yield kind
        if kind == b"IEND":
            return
        at += 12 + length
    # With all its pixels there it was not cut off by a bad line.
    raise Rejected(Reason.CORRUPT_IMAGE if _is_complete(stream) else Reason.TRUNCATED_IMAGE)


def _is_complete(stream: list[bytes], step: int = 1 << 20) -> bool:
    """Whether the compressed pixels end; never holds more than a step of them."""
    inflate = zlib.decompressobj()
    try:
        for part in stream:
            inflate.decompress(part, step)
            while inflate.unconsumed_tail:
                inflate.decompress(inflate.unconsumed_tail, step)
    except zlib.error:
        return False
    return inflate.eof


# --- WebP -------------------------------------------------------------------------------------------------
def examine_webp(data: bytes) -> Anatomy:
    """Read the size before the decoder does: it reserves the whole canvas when it opens a file."""
    width, height = _webp_size(data)
    check_pixels(width, height)
    if int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise Rejected(Reason.TRUNCATED_IMAGE)
    names = {b"EXIF": "exif", b"XMP ": "xmp", b"ICCP": "icc", b"ANIM": "animation"}
    found = {names[kind] for kind in _riff_chunks(data) if kind in names}
    return Anatomy(format="WEBP", width=width, height=height, pixels=data, found=tuple(sorted(found)))


def _webp_size(data: bytes) -> tuple[int, int]:
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    raise Rejected(Reason.CORRUPT_IMAGE)


def _riff_chunks(data: bytes) -> Iterator[bytes]:
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4]
        at += 8 + length + length % 2


# --- HEIF -------------------------------------------------------------------------------------------------
def examine_heif(data: bytes) -> Anatomy:
    """Look whether the media data was cut off; all else only the decoder can tell."""
    boxes = dict(_boxes(data))
    is_cut = boxes.get(b"mdat", 0) > len(data)
    if b"meta" not in boxes:  # some phones write this index last: a cut there leaves media data alone
        raise Rejected(Reason.TRUNCATED_IMAGE if is_cut else Reason.CORRUPT_IMAGE)
    return Anatomy(format="HEIF", pixels=data, is_cut=is_cut)


def _boxes(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the type and the end of each box of the file; the last may end behind the file."""
    at = 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        end = at + size if size else len(data)
        yield kind, end
        if end < at + 8:
            return
        at = end


_EXAMINERS = {"JPEG": examine_jpeg, "PNG": examine_png, "WEBP": examine_webp, "HEIF": examine_heif}
