"""Signs: what is measured of a rash without naming it. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from contract.fields import number, one_of


class SignName(StrEnum):
    """What is measured, and its unit. "Own skin" is the skin of the same photo that is no lesion."""

    LESION_SHARE = "lesion_share"  # of the skin in the photo, 0..1
    REDNESS = "redness"  # CIELAB a* of the lesion less that of own skin
    YELLOW_CRUST = "yellow_crust"  # share of the lesion that is yellower than own skin, 0..1
    DARK_CRUST = "dark_crust"  # share of the lesion that is much darker than own skin, 0..1
    LESIONS = "lesions"  # number of separate lesions
    LESION_SIZE = "lesion_size"  # median area of one lesion as a share of the skin in the photo, 0..1
    EDGE = "edge"  # colour difference (CIE 1976) between the two sides of the lesion's edge


@dataclass(frozen=True, kw_only=True)
class MeasuredSign:
    """One measured sign; `error` is how far it lay at most when the photo was segmented again, changed a little."""

    name: Annotated[SignName, one_of(SignName)]
    value: Annotated[float, number(-10_000, 10_000)]
    error: Annotated[float, number(0, 20_000)]
