"""Readers of single values in arriving JSON: each returns the value in its declared type or refuses it.

An error names the field and what was expected, never the value: that may hold anything, and the error goes into logs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any

Reader = Callable[[Any], Any]


class InvalidMessageError(ValueError):
    """A field holds a value that no version of the contract writes."""


def whole(low: int, high: int) -> Reader:
    """Read an int from `low` to `high`; true and false are none."""

    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise InvalidMessageError(f": expected a whole number from {low} to {high}")
        return value

    return read


def number(low: float, high: float) -> Reader:
    """Read a finite number from `low` to `high` as float; NaN and the infinities are none."""

    def read(value: Any) -> float:
        if type(value) not in (int, float) or not low <= value <= high:
            raise InvalidMessageError(f": expected a number from {low} to {high}")
        return float(value)

    return read


def text(pattern: str, longest: int) -> Reader:
    """Read a string of at most `longest` characters that matches the whole pattern."""
    allowed = re.compile(pattern, re.ASCII)

    def read(value: Any) -> str:
        if not isinstance(value, str) or len(value) > longest or not allowed.fullmatch(value):
            raise InvalidMessageError(f": expected at most {longest} characters of {pattern}")
        return str(value)

    return read


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidMessageError(": expected true or false")
    return value


def one_of(codes: Iterable[str]) -> Reader:
    """Read one of these strings, or of the members of a string enumeration; return the one that is known here."""
    known = {str(code): code for code in codes}

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            raise InvalidMessageError(f": expected one of {', '.join(known)}")
        return known[value]

    return read


def optional(reader: Reader) -> Reader:
    return lambda value: None if value is None else reader(value)


def several(reader: Reader, most: int) -> Reader:
    """Read a list of at most `most` values as a tuple."""

    def read(value: Any) -> tuple:
        if not isinstance(value, list | tuple) or len(value) > most:
            raise InvalidMessageError(f": expected a list of at most {most}")
        return tuple(inside(f"[{index}]", reader, each) for index, each in enumerate(value))

    return read


def mapping(name: Reader, reader: Reader, *, most: int, least: int = 0) -> Reader:
    """Read an object of `least` to `most` entries; names are not repeated in what is refused."""

    def read(value: Any) -> dict:
        if not isinstance(value, dict) or not least <= len(value) <= most:
            raise InvalidMessageError(f": expected an object of {least} to {most} entries")
        return {
            inside("'s names", name, key): inside("'s values", reader, each) for key, each in value.items()
        }

    return read


def inside(place: str, reader: Reader, value: Any) -> Any:
    """Read a value; what is refused names the place it stood in."""
    try:
        return reader(value)
    except InvalidMessageError as error:
        raise InvalidMessageError(f"{place}{error}") from None


def reader_of(declared: Any) -> Reader:
    """Return how a declared type (`Boxes`, `Thresholds`, ...) is read; the reader raises `ValueError`."""
    return declared.__metadata__[0]


# --- Types of fields --------------------------------------------------------------------------------------
LARGEST = 2**31 - 1  # of a whole number in PostgreSQL
JobId = Annotated[str, text(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", 36)]
Attempt = Annotated[int, whole(0, LARGEST)]
WorkerName = Annotated[str, text(r"[\w.@:%+~-]*", 300)]
Key = Annotated[str, text(r"[\w./-]*", 200)]
Code = Annotated[str, text(r"[a-z0-9_]+", 100)]
Label = Annotated[str, text(r"[\w .:+/()-]*", 100)]
Sha256 = Annotated[str, text(r"([0-9a-f]{64})?", 64)]  # of a stored file; "" of older versions
Side = Annotated[int, whole(0, LARGEST)]
Share = Annotated[float, number(0, 1)]
Seconds = Annotated[float, number(0, 1_000_000)]
Measured = Annotated[
    dict[str, float], mapping(text(r"[a-z_]{1,40}", 40), number(-1_000_000_000, 1_000_000_000), most=40)
]
