"""Reads an object of arriving JSON into its dataclass, whose fields declare how each is read (contract/fields.py)."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, get_type_hints

from contract.fields import InvalidMessageError, Reader, inside, reader_of


class ContractError(ValueError):
    """The message was written for another version of the contract."""


def of(cls: type) -> Reader:
    return lambda row: build(cls, row)


@functools.cache
def readers_of(cls: type) -> dict[str, Reader]:
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: reader_of(hints[field.name]) for field in dataclasses.fields(cls)}


@functools.cache
def needed_by(cls: type) -> frozenset[str]:
    """Return the names of the fields that have no default."""
    nothing = dataclasses.MISSING
    fields = dataclasses.fields(cls)
    return frozenset(f.name for f in fields if f.default is nothing and f.default_factory is nothing)


def build(cls: type, row: Any) -> Any:
    """Raises `ContractError` for a field that is unknown here, `InvalidMessageError` for one that is wrong or missing:
    no version leaves out what has no default."""
    if not isinstance(row, dict):
        raise InvalidMessageError(f": expected an object ({cls.__name__})")
    readers = readers_of(cls)
    needed = needed_by(cls)
    if not needed <= row.keys():
        raise InvalidMessageError(f": expected the fields {', '.join(sorted(needed))}")
    if row.keys() - readers.keys():
        raise ContractError(f"{cls.__name__}: an unknown field")
    return cls(**{name: inside(f".{name}", readers[name], value) for name, value in row.items()})
