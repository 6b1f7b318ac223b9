"""Reads what a file contains from its bytes, before any decoder sees it.

Format by the first bytes and never by name, size in pixels from the header, and whether the file is whole.
Decoders are lenient where a clinic must not be: Pillow shows a JPEG whose second half was lost as a
photo with a grey lower half.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator

from contract import photos
from contract.photos import Reason
from decoding.jpeg import examine_jpeg
from decoding.photo_file import BLANK, PhotoFile, RejectedError, check_pixels

WEBP_PIXELS = {b"VP8 ", b"VP8L"}
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def examine(data: bytes) -> PhotoFile:
    """Say what a file is; raises RejectedError for one that is empty, too large, of another format or not whole."""
    if reason := photos.refusal_at_upload(len(data), data[: photos.HEAD_BYTES]):
        raise RejectedError(reason)
    return _EXAMINERS[photos.sniff(data).name](data)


# --- PNG --------------------------------------------------------------------------------------------------
def examine_png(data: bytes) -> PhotoFile:
    """Check each chunk; decoders forgive a wrong checksum of what makes the pixels, a clinic must not."""
    if data[12:16] != b"IHDR":
        raise RejectedError(Reason.CORRUPT_IMAGE)
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    check_pixels(width, height, "PNG")
    found, colour = set(), {}
    for kind, body in _chunks(data):
        if kind in _PNG_NAMES:
            found.add(_PNG_NAMES[kind])
        if kind in _PNG_COLOURS:
            colour.setdefault(kind, body)
    return PhotoFile(
        format="PNG", width=width, height=height, pixels=data, found=tuple(sorted(found)), colour=colour
    )


_PNG_NAMES = {
    b"eXIf": "exif",
    b"iCCP": "icc",
    b"tEXt": "text",
    b"zTXt": "text",
    b"iTXt": "text",
    b"tIME": "time",
    b"acTL": "animation",
}


_PNG_COLOURS = {b"cICP", b"sRGB", b"gAMA", b"cHRM"}


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and body (of a long one its beginning) of each chunk up to IEND.

    Raises RejectedError for a damaged chunk and a file that ends before IEND.
    """
    at, stream = len(PNG_MAGIC), []
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if not kind.isalpha():
            raise RejectedError(Reason.CORRUPT_IMAGE)
        if kind == b"IDAT":
            stream.append(data[at + 8 : at + 8 + length])
        if at + 12 + length > len(data):
            break
        is_critical = kind[:1].isupper()
        if is_critical and zlib.crc32(data[at + 4 : at + 8 + length]) != int.from_bytes(
            data[at + 8 + length : at + 12 + length], "big"
        ):
            raise RejectedError(Reason.CORRUPT_IMAGE)
        yield kind, data[at + 8 : at + 8 + min(length, 32)]
        if kind == b"IEND":
            return
        at += 12 + length
    # With all its pixels there it was not cut off by a bad line.
    raise RejectedError(Reason.CORRUPT_IMAGE if _is_complete(stream) else Reason.TRUNCATED_IMAGE)


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
def examine_webp(data: bytes) -> PhotoFile:
    """Read the size before the decoder does: it reserves the whole canvas when it opens a file."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        width, height = int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    elif kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (int.from_bytes(body[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    else:
        raise RejectedError(Reason.CORRUPT_IMAGE)
    check_pixels(width, height, "WEBP")
    if int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise RejectedError(Reason.TRUNCATED_IMAGE)
    names = {b"EXIF": "exif", b"XMP ": "xmp", b"ICCP": "icc", b"ANIM": "animation"}
    found, at = set(), 12
    while at + 8 <= len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind in names:
            found.add(names[kind])
        elif kind in WEBP_PIXELS and BLANK in data[at + 8 : at + 8 + length]:
            raise RejectedError(Reason.CORRUPT_IMAGE)
        at += 8 + length + length % 2
    return PhotoFile(format="WEBP", width=width, height=height, pixels=data, found=tuple(sorted(found)))


# --- HEIF -------------------------------------------------------------------------------------------------
def examine_heif(data: bytes) -> PhotoFile:
    """Look whether the media data was cut off or never written; all else only the decoder can tell."""
    boxes = {kind: (start, end) for kind, start, end in _boxes(data, 0, len(data))}
    is_cut = boxes.get(b"mdat", (0, 0))[1] > len(data)
    if b"meta" not in boxes:  # some phones write this index last: a cut there leaves media data alone
        raise RejectedError(Reason.TRUNCATED_IMAGE if is_cut else Reason.CORRUPT_IMAGE)
    if not is_cut and any(BLANK in data[start:end] for start, end in _hevc_parts(data, *boxes[b"meta"])):
        raise RejectedError(Reason.CORRUPT_IMAGE)
    start, end = boxes[b"meta"]
    properties = [(start + 4, min(end, len(data)))]  # narrowed to the boxes iprp, and in them ipco
    for name in (b"iprp", b"ipco"):
        properties = [
            (body, last) for at in properties for kind, body, last in _boxes(data, *at) if kind == name
        ]
    kinds = {kind for at in properties for kind, _body, _last in _boxes(data, *at)}
    is_turned = bool(kinds & {b"irot", b"imir"})  # the file turns or mirrors an image by its own properties
    return PhotoFile(format="HEIF", pixels=data, is_cut=is_cut, is_turned=is_turned)


def _boxes(data: bytes, at: int, until: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start of the body and end of each box; the last may end behind the file."""
    while at + 8 <= until:
        size, kind, body = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, body = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        end = at + size if size else until
        yield kind, body, end
        if end < body:
            return
        at = end


def _hevc_parts(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where the coded pixels lie; HEVC never has three zeros in a row, its decoder reads them all the same."""
    inside = {kind: (body, last) for kind, body, last in _boxes(data, start + 4, min(end, len(data)))}
    if not {b"iinf", b"iloc"} <= set(inside):
        return
    body, last = inside[b"iinf"]
    entries = body + (8 if data[body : body + 1] > b"\0" else 6)
    hevc = set()
    for kind, at, _ in _boxes(data, entries, last):
        width = 4 if data[at : at + 1] == b"\x03" else 2  # of the item's number, by the version of its entry
        if kind == b"infe" and data[at + 6 + width : at + 10 + width] == b"hvc1":
            hevc.add(int.from_bytes(data[at + 4 : at + 4 + width], "big"))
    for item, *part in _locations(io.BytesIO(data[slice(*inside[b"iloc"])])):
        if item in hevc:
            yield part[0], part[1]


def _locations(box: io.BytesIO) -> Iterator[tuple[int, int, int]]:
    """Yield (item, start, end) in the file from an item location box (ISO 14496-12, 8.11.3)."""

    def number(width: int) -> int:
        return int.from_bytes(box.read(width), "big")

    version, widths = number(4) >> 24, number(2)
    offset_width, length_width, base_width, index_width = (widths >> shift & 15 for shift in (12, 8, 4, 0))
    for _item in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        is_in_file = version == 0 or number(2) & 15 == 0
        number(2)  # in which file: always this one
        base = number(base_width)
        for _extent in range(number(2)):
            number(index_width if version else 0)
            start = base + number(offset_width)
            end = start + number(length_width)
            if is_in_file:
                yield item, start, end
        if box.tell() == len(box.getbuffer()):
            return


_EXAMINERS = {"JPEG": examine_jpeg, "PNG": examine_png, "WEBP": examine_webp, "HEIF": examine_heif}
