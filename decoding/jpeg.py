"""The structure of a JPEG file (ITU-T T.81): which segments make the pixels, and whether its scans are all there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from contract.photos import Reason
from decoding.photo_file import BLANK, PhotoFile, RejectedError, check_pixels

JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
SOI, EOI, SOS, DQT, DRI, DHT, APP0, ADOBE = 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xC4, 0xE0, 0xEE
END = b"\xff\xd9"
BASELINE = {0xC0, 0xC1}  # sequential, Huffman
PROGRESSIVE = {0xC2, 0xCA}
ARITHMETIC = {*range(0xC9, 0xD0)}
END_OF_BLOCK = 0
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
PIXEL_SEGMENTS = FRAMES | {DHT, 0xCC, SOS, DQT, 0xDC, DRI}
EXIF, XMP, ICC = b"Exif\x00\x00", b"http://ns.adobe.com/xap/1.0/\x00", b"ICC_PROFILE\x00"
_NAMES = (
    (0xE1, b"Exif\x00", "exif"),
    (0xE1, b"http://ns.adobe.com/", "xmp"),
    (0xE2, ICC, "icc"),
    (0xE2, b"MPF\x00", "other_images"),
    (0xED, b"", "iptc"),
    (0xFE, b"", "comment"),
)
METADATA_MARKERS = {*range(0xE1, 0xF0), 0xFE}
# No `\xff+`: on a file of nothing but FF it would try every start with every length.
_NEXT_MARKER = re.compile(rb"\xff([^\x00\xff])")
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def examine_jpeg(data: bytes) -> PhotoFile:
    """Keep only what makes the pixels of the first image: its decoder then has no metadata to stumble over."""
    kept, found, frame, end, codes = [b"\xff\xd8"], set(), b"", 0, _AllZeroCodes()
    profile, exif, xmp, is_adobe, scans, last = {}, b"", b"", False, [], SOI
    for last, segment, end in _segments(data):  # noqa: B007  (the last end tells whether something follows)
        if last in FRAMES and not frame:
            frame = segment
            check_pixels(*_size(frame), "JPEG")
        codes.read(last, segment)
        if last == SOS:
            if len(segment) < 5 or len(segment) < (at := 5 + 2 * segment[4]):
                raise RejectedError(Reason.TRUNCATED_IMAGE)
            if frame and frame[1] not in PROGRESSIVE and len(segment) >= at + 3:
                # Some phones write zeros there. A sequential frame has the spectral selection 0..63 and no approximation
                # (T.81, B.2.3): nothing else is possible, and decoders use no other values.
                segment = segment[:at] + b"\x00\x3f\x00" + segment[at + 3 :]
            scans.append(segment)
        if segment[4:10] == EXIF and last == 0xE1 and not exif:
            exif = segment[10:]
        if segment[4 : 4 + len(XMP)] == XMP and last == 0xE1 and not xmp:
            xmp = segment[4 + len(XMP) :]
        if segment[4:16] == ICC and last == 0xE2:
            profile[segment[16:17]] = segment[18:]
        is_adobe |= last == ADOBE and segment[4:9] == b"Adobe"
        is_jfif = last == APP0 and segment[4:9] == b"JFIF\x00"
        # Adobe's segment tells RGB from YCbCr, and whether CMYK is inverted.
        if last in PIXEL_SEGMENTS or (last == ADOBE and segment[4:9] == b"Adobe"):
            kept.append(segment)
        elif is_jfif:
            kept.append(JFIF)  # an odd revision number makes decoders warn
        elif last in METADATA_MARKERS:
            known = (name for kind, start, name in _NAMES if last == kind and segment[4:].startswith(start))
            found.add(next(known, "application_data"))
    if not frame:
        raise RejectedError(Reason.CORRUPT_IMAGE)
    if len(data) > end:
        found.add("trailer")
    is_cut = last != EOI
    if not _is_complete(frame, scans) or (is_cut and frame[1] in ARITHMETIC):
        # An arithmetic decoder goes on with zeros where its data ends, and says nothing.
        raise RejectedError(Reason.TRUNCATED_IMAGE if is_cut else Reason.CORRUPT_IMAGE)
    width, height = _size(frame)
    return PhotoFile(
        format="JPEG",
        width=width,
        height=height,
        pixels=b"".join([*kept, END]),
        found=tuple(sorted(found)),
        is_cut=is_cut,
        components=frame[9],
        is_adobe=is_adobe,
        exif=exif,
        xmp=xmp,
        icc=b"".join(profile[number] for number in sorted(profile)),
    )


def _size(frame: bytes) -> tuple[int, int]:
    return int.from_bytes(frame[7:9], "big"), int.from_bytes(frame[5:7], "big")


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield (marker, bytes with the marker, end) up to EOI, or to the end of a file that ends in a scan.

    Raises RejectedError where the file ends elsewhere.
    """
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
            end_of_scan = _END_OF_SCAN.search(data, at)
            at = max(at, end_of_scan.start() if end_of_scan else len(data))
        if at > len(data):
            break
        segment = data[start:at]
        if marker == SOS and at == len(data):
            yield marker, segment.rstrip(b"\xff"), at
            return
        yield marker, segment, at
    raise RejectedError(Reason.TRUNCATED_IMAGE if orderly else Reason.CORRUPT_IMAGE)


class _AllZeroCodes:
    """Finds what was never written in a baseline scan: libjpeg reads zeros as good pixels, without a warning.

    A code of zeros alone stands for the first symbol of each table. Where that ends a block, zeros are a flat
    area and legitimate; where it is a coefficient, no camera writes so many of them.
    """

    def __init__(self) -> None:
        self.first: dict[int, int] = {}  # by AC table
        self.is_baseline = False

    def read(self, marker: int, segment: bytes) -> None:
        """Take in the next segment; raises RejectedError for a scan with a blank."""
        if marker == DHT:
            for number, _counts, symbols in huffman_tables(segment):
                if number >= 0x10 and symbols:  # AC
                    self.first[number & 0x0F] = symbols[0]
        elif marker in FRAMES:
            self.is_baseline = marker in BASELINE
        elif marker == SOS and self.is_baseline and BLANK in segment:
            tables = (segment[6 + 2 * at] & 0x0F for at in range(min(segment[4], 4)))
            if any(self.first.get(table, END_OF_BLOCK) != END_OF_BLOCK for table in tables):
                raise RejectedError(Reason.CORRUPT_IMAGE)


def huffman_tables(segment: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (class and number, counts of the codes of 1 to 16 bits, symbols) of a DHT segment."""
    body = segment[4:]
    while len(body) > 17:
        total = sum(body[1:17])
        yield body[0], body[1:17], body[17 : 17 + total]
        body = body[17 + total :]


def _is_complete(frame: bytes, scans: Iterable[bytes]) -> bool:
    """Whether the scans hold each coefficient of each component to its last bit.

    A progressive file that was cut between two scans is a whole picture to a decoder, only a blurred one.
    """
    missing = {
        frame[10 + 3 * number]: [1] * 64 for number in range(frame[9]) if len(frame) >= 13 + 3 * number
    }
    for scan in scans:
        first, last, bits = scan[5 + 2 * scan[4] :][:3] if len(scan) >= 8 + 2 * scan[4] else (1, 0, 0)
        for component in scan[5 : 5 + 2 * scan[4] : 2]:
            if component in missing and last < 64:
                missing[component][first : last + 1] = [bits & 0x0F] * (last + 1 - first)
    return not any(any(bits) for bits in missing.values())
