"""Removes stray bytes from the entropy-coded data of a JPEG, if every block before them is provably whole.

Some firmware leaves bytes between the last block and the next marker. libjpeg shows such a photo whole and
warns of "extraneous bytes"; it gives the same warning for a scan that lost its place and ended too early.
Here the codes are read (not the pixels) to tell the two apart. Only files with that warning come here.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from contract.photos import Reason
from decoding.jpeg import BASELINE, DHT, DQT, DRI, END, FRAMES, SOS, huffman_tables
from decoding.photo_file import RejectedError

ENDS_BLOCK, INVALID = 128, 255  # steps in a table of AC codes
CODE_BITS = 16
STRAY_LIMIT_BYTES = 64  # after a progressive file
DC_BITS = 11  # of a difference, 8-bit samples
LARGEST_DC = 1024  # times 8 of a sample: DC coefficients lie within -1024..1016
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0x(\w\w)")
_RESTART = re.compile(rb"\xff+([\xd0-\xd7])")
_SEGMENT = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")


class _OutOfStepError(Exception):
    """The codes are no blocks of a picture here."""


def without_stray_bytes(jpeg: bytes, warning: str) -> bytes:
    """Return a JPEG (SOI, segments that make pixels, EOI) without the bytes that libjpeg's warning counts.

    Raises RejectedError for another warning, and where it is not certain that all blocks before them are whole.
    """
    if not (match := _EXTRANEOUS.search(warning)):
        raise RejectedError(Reason.CORRUPT_IMAGE)
    count, marker = int(match[1]), match[2]
    last_scan = jpeg[jpeg.rindex(b"\xff\xda") :]
    # A refining scan adds the last bit to coefficients of earlier ones: all it can spoil is that bit.
    is_refinement = last_scan[7 + 2 * last_scan[4]] >> 4 > 0
    if is_refinement and marker == "d9" and count <= STRAY_LIMIT_BYTES:
        return jpeg[: -2 - count] + END
    tables, parts, at = _Tables(), [jpeg[:2]], 2
    while jpeg[at : at + 2] != END:
        marker, end = jpeg[at + 1], at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        segment = jpeg[at:end]
        parts.append(segment)
        if marker == SOS:
            end = _SEGMENT.search(jpeg, end).start()
            try:
                parts.append(_cleaned(jpeg[at + len(segment) : end], tables.scan(segment), tables.interval))
            except (_OutOfStepError, IndexError, KeyError) as error:
                raise RejectedError(Reason.CORRUPT_IMAGE) from error
        else:
            tables.read(marker, segment)
        at = end
    return b"".join([*parts, END])


def _cleaned(data: bytes, scan: _Scan, interval: int) -> bytes:
    pieces = _RESTART.split(data)
    count = -(-scan.units // interval) if interval else 1
    if len(pieces) != 2 * count - 1:
        raise _OutOfStepError
    cleaned, proven, doubtful = [], 0, 0
    for number in range(count):
        units = min(interval or scan.units, scan.units - number * (interval or 0))
        whole, stray_bytes, is_doubtful = _whole(pieces[2 * number], scan, units)
        cleaned.append(whole)
        proven += bool(stray_bytes) and not is_doubtful
        doubtful += is_doubtful
        if number < count - 1:
            if pieces[2 * number + 1][0] != 0xD0 + number % 8:
                raise _OutOfStepError
            cleaned.append(b"\xff" + pieces[2 * number + 1])
    # Firmware that leaves bytes in some intervals leaves them in others; damage that looks so is in one.
    if doubtful > proven // 2:
        raise _OutOfStepError
    return b"".join(cleaned)


def _whole(piece: bytes, scan: _Scan, units: int) -> tuple[bytes, int, bool]:
    """Return the bytes of an interval of so many units (MCU), how many follow them, and whether these are doubtful.

    What follows is no part of the picture if the last unit is padded with ones to a byte, as T.81 F.1.2.3 has it, and if
    it cannot be read as more units up to its own padding: so end the data of a scan that lost units. Stray bytes are
    read so by chance, too: then this interval alone proves nothing. Raises _OutOfStepError without the padding.
    """
    data = piece.replace(b"\xff\x00", b"\xff")
    reader = _Reader(data)
    reader.read(scan, units)
    end = -(-reader.at // 8)
    if end < len(data) and not reader.is_padded():
        raise _OutOfStepError
    is_doubtful = end < len(data) and reader.runs_to_the_end(scan)
    return data[:end].replace(b"\xff", b"\xff\x00"), len(data) - end, is_doubtful


@dataclass(frozen=True)
class _Scan:
    """The blocks of one unit in order: (component, codes of DC, codes of AC one by one, several at once, DC limit)."""

    units: int
    blocks: Sequence[tuple[int, list[int], list[int], list[int], int]]


@dataclass
class _Tables:
    """What the segments before a scan say about it."""

    frame: bytes = b""
    interval: int = 0
    codes: dict[int, list[int] | tuple[list[int], list[int]]] = field(default_factory=dict)
    first_steps: dict[int, int] = field(default_factory=dict)  # of the DC coefficient, by quantization table

    def read(self, marker: int, segment: bytes) -> None:
        if marker in FRAMES:
            if marker not in BASELINE or segment[4] != 8:
                raise RejectedError(Reason.CORRUPT_IMAGE)
            self.frame = segment
        elif marker == DRI:
            self.interval = int.from_bytes(segment[4:6], "big")
        elif marker == DHT:
            for number, counts, symbols in huffman_tables(segment):
                lengths = [length for length in range(1, 17) for _ in range(counts[length - 1])]
                self.codes[number] = (_ac if number >= 0x10 else _dc)(lengths, symbols)
        elif marker == DQT:
            body = segment[4:]
            while body:
                width = 2 if body[0] >> 4 else 1
                self.first_steps[body[0] & 15] = int.from_bytes(body[1 : 1 + width], "big")
                body = body[1 + 64 * width :]

    def scan(self, header: bytes) -> _Scan:
        height, width = (int.from_bytes(self.frame[at : at + 2], "big") for at in (5, 7))
        frame = {
            self.frame[at]: (self.frame[at + 1] >> 4, self.frame[at + 1] & 15, self.frame[at + 2])
            for at in range(10, 10 + 3 * self.frame[9], 3)
        }
        across, down = (max(row[axis] for row in frame.values()) for axis in (0, 1))
        components = [(header[at], header[at + 1]) for at in range(5, 5 + 2 * header[4], 2)]
        alone = len(components) == 1
        if alone:  # one block a unit, and none outside the component
            h, v, _table = frame[components[0][0]]
            units = -(-_part(width, h, across) // 8) * -(-_part(height, v, down) // 8)
        else:
            units = -(-width // (8 * across)) * -(-height // (8 * down))
        blocks = []
        for index, (name, numbers) in enumerate(components):
            h, v, table = frame[name]
            single, several = self.codes[0x10 | numbers & 15]
            limit = LARGEST_DC // self.first_steps[table] + 1
            blocks += [(index, self.codes[numbers >> 4], single, several, limit)] * (1 if alone else h * v)
        return _Scan(units, blocks)


def _part(side: int, factor: int, largest: int) -> int:
    return -(-side * factor // largest)


def _spans(lengths: list[int], symbols: bytes) -> Iterator[tuple[slice, int, int]]:
    """Yield (all 16-bit words that begin with the code, its length, its symbol) of each code (T.81, Annex C)."""
    at = 0
    for length, symbol in zip(lengths, symbols, strict=True):
        width = 1 << (CODE_BITS - length)
        yield slice(at, at + width), length, symbol
        at += width


def _dc(lengths: list[int], symbols: bytes) -> list[int]:
    """Return length << 8 | bits of the difference for each 16-bit word; 0 for no code."""
    table = np.zeros(1 << CODE_BITS, np.int64)
    for span, length, symbol in _spans(lengths, symbols):
        if symbol <= DC_BITS:
            table[span] = length << 8 | symbol
    return table.tolist()


def _ac(lengths: list[int], symbols: bytes) -> tuple[list[int], list[int]]:
    """Return two tables of bits << 8 | step along the block for each 16-bit word: of one code, of up to three."""
    bits, step = np.zeros(1 << CODE_BITS, np.int64), np.full(1 << CODE_BITS, INVALID)
    for span, length, symbol in _spans(lengths, symbols):
        run, size = symbol >> 4, symbol & 15
        if size or run in (0, 15):
            bits[span], step[span] = length + size, (run + 1 if size or run else ENDS_BLOCK)
    several_bits, several_steps = bits.copy(), step.copy()
    words = np.arange(1 << CODE_BITS)
    for _more in range(2):
        following = (words << several_bits.clip(0, CODE_BITS)) & 0xFFFF
        fits = (several_steps < ENDS_BLOCK) & (step[following] != INVALID)
        fits &= several_bits + bits[following] <= CODE_BITS
        several_steps = np.where(fits, several_steps + step[following], several_steps)
        several_bits = np.where(fits, several_bits + bits[following], several_bits)
    return (bits << 8 | step).tolist(), (several_bits << 8 | several_steps).tolist()


class _Reader:
    """Reads the codes of entropy-coded data from which the stuffed zeros were taken."""

    def __init__(self, data: bytes) -> None:
        self.bits, self.at, self.levels = 8 * len(data), 0, [0] * 4
        padded = np.frombuffer(data + bytes(8), np.uint8).astype(np.uint32)
        self.words = array("I")  # 32 bits from each byte on
        self.words.frombytes(
            (padded[:-3] << 24 | padded[1:-2] << 16 | padded[2:-1] << 8 | padded[3:]).tobytes()
        )

    def read(self, scan: _Scan, units: int) -> None:
        """Read so many units; raises _OutOfStepError where the data is no picture or too short."""
        words, at, levels, last = self.words, self.at, self.levels, self.bits
        for _unit in range(units):
            for component, dc, single, several, limit in scan.blocks:
                entry = dc[(words[at >> 3] >> (16 - (at & 7))) & 0xFFFF]
                if not entry or at > last:
                    raise _OutOfStepError
                at += entry >> 8
                if size := entry & 255:
                    value = (words[at >> 3] >> (32 - (at & 7) - size)) & ((1 << size) - 1)
                    at += size
                    levels[component] += value if value >> (size - 1) else value - (1 << size) + 1
                    if not -limit <= levels[component] <= limit:
                        raise _OutOfStepError
                index = 1
                while index < 64:
                    word = (words[at >> 3] >> (16 - (at & 7))) & 0xFFFF
                    entry = several[word]
                    reached = index + (entry & 255)
                    if not (reached <= 64 or ENDS_BLOCK < reached < ENDS_BLOCK + 64):
                        entry = single[word]  # the last of several codes may be one of the next block
                        reached = index + (entry & 255)
                        if not (reached <= 64 or ENDS_BLOCK < reached < ENDS_BLOCK + 64):
                            raise _OutOfStepError
                    at += entry >> 8
                    index = reached
        if at > last:
            raise _OutOfStepError
        self.at = at

    def is_padded(self) -> bool:
        """Whether the bits up to the next byte are ones."""
        missing = -self.at % 8
        return (self.words[self.at >> 3] >> (32 - (self.at & 7) - missing)) & ((1 << missing) - 1) == (
            1 << missing
        ) - 1

    def runs_to_the_end(self, scan: _Scan) -> bool:
        """Whether the rest can be read as one or more units and their padding."""
        # A scan that has lost its place goes on where its last unit ended, not at the next byte.
        try:
            while True:
                self.read(scan, 1)
                if self.at > self.bits - 8:
                    return self.is_padded()
        except (_OutOfStepError, IndexError):
            return False
