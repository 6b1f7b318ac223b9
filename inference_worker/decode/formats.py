"""What a file says about itself by its bytes, before any decoder sees it.

Type by magic bytes and never by name, size in pixels from the header, and whether the file is whole.
Decoders are lenient where a clinic must not be: Pillow shows a JPEG whose second half was lost as a
photo with a grey lower half.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator

from contract import photos
from contract.photos import Reason
from inference_worker.decode.anatomy import BLANK, Anatomy, Rejected, check_pixels
from inference_worker.decode.jpeg import examine_jpeg

WEBP_PIXELS = {b"VP8 ", b"VP8L"}
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def examine(data: bytes) -> Anatomy:
    """Say what a file is; raises Rejected for one that is empty, too large, of another format or not whole."""
    if reason := photos.refusal_at_upload(len(data), data[: photos.HEAD_BYTES]):
        raise Rejected(reason)
    return _EXAMINERS[photos.sniff(data).name](data)


# --- PNG --------------------------------------------------------------------------------------------------
def examine_png(data: bytes) -> Anatomy:
    """Check each chunk; decoders forgive a wrong checksum of what makes the pixels, a clinic must not."""
    if data[12:16] != b"IHDR":
        raise Rejected(Reason.CORRUPT_IMAGE)
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    check_pixels(width, height, "PNG")
    found, colour = set(), {}
    for kind, body in _chunks(data):
        if kind in _PNG_NAMES:
            found.add(_PNG_NAMES[kind])
        if kind in _PNG_COLOURS:
            colour.setdefault(kind, body)
    return Anatomy(
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

    Raises Rejected for a damaged chunk and a file that ends before IEND.
    """
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
        yield kind, data[at + 8 : at + 8 + min(length, 32)]
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
    check_pixels(width, height, "WEBP")
    if int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise Rejected(Reason.TRUNCATED_IMAGE)
    names = {b"EXIF": "exif", b"XMP ": "xmp", b"ICCP": "icc", b"ANIM": "animation"}
    found = set()
    for kind, body in _riff_chunks(data):
        if kind in names:
            found.add(names[kind])
        elif kind in WEBP_PIXELS and BLANK in body:
            raise Rejected(Reason.CORRUPT_IMAGE)
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


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


# --- HEIF -------------------------------------------------------------------------------------------------
def examine_heif(data: bytes) -> Anatomy:
    """Look whether the media data was cut off or never written; all else only the decoder can tell."""
    boxes = {kind: (start, end) for kind, start, end in _boxes(data, 0, len(data))}
    is_cut = boxes.get(b"mdat", (0, 0))[1] > len(data)
    if b"meta" not in boxes:  # some phones write this index last: a cut there leaves media data alone
        raise Rejected(Reason.TRUNCATED_IMAGE if is_cut else Reason.CORRUPT_IMAGE)
    if not is_cut and any(BLANK in data[start:end] for start, end in _hevc_parts(data, *boxes[b"meta"])):
        raise Rejected(Reason.CORRUPT_IMAGE)
    turned = _has_transformation(data, *boxes[b"meta"])
    return Anatomy(format="HEIF", pixels=data, is_cut=is_cut, is_turned=turned)


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


def _has_transformation(data: bytes, start: int, end: int) -> bool:
    """Whether any item may be turned or mirrored by the file's own properties (irot, imir)."""
    kinds, outer = set(), [(start + 4, min(end, len(data)))]
    for name in (b"iprp", b"ipco"):
        outer = [(body, last) for at in outer for kind, body, last in _boxes(data, *at) if kind == name]
    for at in outer:
        kinds |= {kind for kind, _body, _last in _boxes(data, *at)}
    return bool(kinds & {b"irot", b"imir"})


def _hevc_parts(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where the coded pixels lie; HEVC never has three zeros in a row, its decoder reads them all the same."""
    inside = {kind: (body, last) for kind, body, last in _boxes(data, start + 4, min(end, len(data)))}
    if not {b"iinf", b"iloc"} <= set(inside):
        return
    body, last = inside[b"iinf"]
    entries = body + (8 if data[body : body + 1] > b"\0" else 6)
    hevc = {_hevc_item(data, at) for kind, at, _ in _boxes(data, entries, last) if kind == b"infe"}
    for item, *part in _locations(io.BytesIO(data[slice(*inside[b"iloc"])])):
        if item in hevc:
            yield part[0], part[1]


def _hevc_item(data: bytes, at: int) -> int | None:
    """Return the number in an item's entry, None if it is not coded in HEVC; versions 2 and 3 differ in its width."""
    width = 4 if data[at : at + 1] == b"\x03" else 2
    kind = data[at + 6 + width : at + 10 + width]
    return int.from_bytes(data[at + 4 : at + 4 + width], "big") if kind == b"hvc1" else None


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
