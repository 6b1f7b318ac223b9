"""A crop and a lesion that a dermatologist drew on a photo. Standard library only.

A lesion is a list of runs over the pixels of the analysis copy, row by row from the upper left: how many are none, how many
are lesion, how many are none, and so on. Only the first run may be 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from contract.fields import LARGEST, InvalidMessageError, Side, optional, several, whole
from contract.objects import of

RUNS_AT_MOST = 20_000
SIDE_AT_LEAST = 64  # px of a drawn crop, or the photo's shorter side; less holds too little to classify

_several = several(whole(0, LARGEST), RUNS_AT_MOST)


def _read_runs(value: Any) -> tuple[int, ...]:
    runs = _several(value)
    if not runs or 0 in runs[1:]:
        raise InvalidMessageError(": expected runs, none but the first of 0")
    return runs


Runs = Annotated[tuple[int, ...], _read_runs]
OptionalRuns = Annotated[tuple[int, ...] | None, optional(_read_runs)]


@dataclass(frozen=True, kw_only=True)
class Rectangle:
    """A crop in pixels of the analysis copy."""

    x: Side
    y: Side
    width: Annotated[int, whole(1, LARGEST)]
    height: Annotated[int, whole(1, LARGEST)]

    def is_inside(self, width: int, height: int) -> bool:
        return self.x + self.width <= width and self.y + self.height <= height


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What was drawn. Without `lesion` it stays as the model finds it."""

    box: Annotated[Rectangle, of(Rectangle)]
    lesion: OptionalRuns = None


ADrawn = Annotated[Drawn | None, optional(of(Drawn))]


def pixels_of(runs: Sequence[int]) -> bytes:
    """Return one byte for each pixel: 1 is lesion."""
    return b"".join(bytes([number % 2]) * length for number, length in enumerate(runs))
