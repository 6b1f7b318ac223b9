"""What the classifier reports on, and its alarms with what each was measured to be worth. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from contract.fields import LARGEST, Share, number, one_of, optional, several, whole
from contract.objects import of


class Condition(StrEnum):
    """The classes that are reported (Yanagisawa et al. 2023, plus "other")."""

    AD = "AD"
    HI = "HI"
    IM = "IM"
    MF = "MF"
    OTHER = "OTHER"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measured figure with its 95 % interval; `n` is the number of photos (sensitivity: of the condition) measured."""

    value: Annotated[float, number(0, 10_000)]
    low: Annotated[float, number(0, 10_000)]
    high: Annotated[float, number(0, 10_000)]
    n: Annotated[int, whole(0, LARGEST)]


MeasuredFigure = Annotated[Figure | None, optional(of(Figure))]


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """How a photo compares with the model's alarm line for a condition, and what that alarm has measured to be worth.

    `likelihood_ratio` is LR+ = P(alarm | condition) / P(alarm | AD or OTHER), `likelihood_ratio_ad` the same against
    AD alone; measured on photos that the model never learned from. None: not measured.
    """

    condition: Annotated[Condition, one_of(Condition)]
    score: Share
    threshold: Share
    sensitivity: MeasuredFigure = None
    likelihood_ratio: MeasuredFigure = None
    likelihood_ratio_ad: MeasuredFigure = None

    @property
    def rings(self) -> bool:
        return self.score >= self.threshold


Alarms = Annotated[tuple[Alarm, ...], several(of(Alarm), len(Condition))]
