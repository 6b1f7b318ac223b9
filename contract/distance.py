"""The distance report: does the answer to a photo hold when the rash is shown nearer or farther away? Standard library only.

An unstable answer may cost a name. It never takes back an alarm, and changes no urgency.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, ClassVar

from contract.alarms import Condition
from contract.common import Boxes, Model
from contract.fields import InvalidMessageError, Seconds, Share, mapping, number, one_of, several
from contract.objects import of

SCALES = (0.35, 0.5, 0.7, 1.0, 1.4, 1.8, 2.2, 2.5)
STABLE_SHARE = 0.85  # of the other scales that must have the verdict of 1x
NOT_USABLE, INCONCLUSIVE = "not usable", "inconclusive"
_ALARM, _NAMED = "alarm ", "named "


def alarm_verdict(conditions: Collection[Condition]) -> str:
    """Return the verdict of one or more alarms that ring."""
    return _ALARM + " ".join(sorted(conditions))


def named_verdict(condition: Condition) -> str:
    return _NAMED + condition


def alarms_of(verdict: str) -> tuple[Condition, ...]:
    """Return the conditions whose alarms ring by a verdict."""
    return tuple(map(Condition, verdict.removeprefix(_ALARM).split())) if verdict.startswith(_ALARM) else ()


def name_of(verdict: str) -> Condition | None:
    return Condition(verdict.removeprefix(_NAMED)) if verdict.startswith(_NAMED) else None


_VERDICTS = (
    NOT_USABLE,
    INCONCLUSIVE,
    *map(named_verdict, Condition),
    *(alarm_verdict(some) for n in range(1, len(Condition) + 1) for some in combinations(Condition, n)),
)
_read_scale = number(min(SCALES), max(SCALES))


def _one_of_the_scales(value: Any) -> float:
    scale = _read_scale(value)
    if scale not in SCALES:
        raise InvalidMessageError(f": expected one of {', '.join(map(str, SCALES))}")
    return scale


def _read_verdict(value: Any) -> str:
    if not isinstance(value, str) or value not in _VERDICTS:
        raise InvalidMessageError(": expected a verdict on a photo")  # too many to list
    return str(value)


ByCondition = Annotated[
    dict[str, float], mapping(one_of(map(str, Condition)), number(0, 1), most=len(Condition))
]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is found at one scale; 1.4: everything looks 1.4 times as large.

    `boxes` are in pixels of the photo at this scale, which is as large as the analysis copy. `scores` is by condition
    with an alarm.
    """

    scale: Annotated[float, _one_of_the_scales]
    boxes: Boxes
    verdict: Annotated[str, _read_verdict]
    scores: ByCondition


def _read_looks(value: Any) -> tuple[Look, ...]:
    looks = several(of(Look), len(SCALES))(value)
    if tuple(look.scale for look in looks) != SCALES:
        raise InvalidMessageError(
            f": expected a look at each of {', '.join(map(str, SCALES))}, in this order"
        )
    return looks


@dataclass(frozen=True, kw_only=True)
class DistanceReport:
    """A photo at each of SCALES, farthest first; the nearer ones around (x, y), in 0..1 of its sides.

    `thresholds` is by condition with an alarm.
    """

    kind: ClassVar[str] = "distance_reported"
    looks: Annotated[tuple[Look, ...], _read_looks]
    x: Share
    y: Share
    thresholds: ByCondition
    segmentation_model: Model
    classification_model: Model
    seconds: Seconds = 0.0

    @property
    def verdict(self) -> str:
        """The verdict at 1x."""
        return next(look.verdict for look in self.looks if look.scale == 1)

    @property
    def changes(self) -> list[tuple[float, float]]:
        """The neighbouring scales between which the verdict changes."""
        pairs = zip(self.looks, self.looks[1:], strict=False)
        return [(far.scale, near.scale) for far, near in pairs if far.verdict != near.verdict]

    @property
    def same(self) -> int:
        """How many of the other scales have the verdict of 1x."""
        return sum(look.verdict == self.verdict for look in self.looks if look.scale != 1)

    @property
    def stability(self) -> float:
        """The share of the other scales that have the verdict of 1x."""
        return self.same / (len(self.looks) - 1)

    @property
    def is_stable(self) -> bool:
        return self.stability >= STABLE_SHARE

    def only(self, alarms: Collection[Condition], *, names: bool) -> DistanceReport:
        """Return the report without any other alarms than these, and with names only where `names` is true."""

        def verdict(look: Look) -> str:
            if look.verdict == NOT_USABLE or (names and name_of(look.verdict)):
                return look.verdict
            rung = [condition for condition in alarms_of(look.verdict) if condition in alarms]
            return alarm_verdict(rung) if rung else INCONCLUSIVE

        def kept(values: Mapping[str, float]) -> dict[str, float]:
            return {condition: value for condition, value in values.items() if condition in alarms}

        looks = [
            dataclasses.replace(look, verdict=verdict(look), scores=kept(look.scores)) for look in self.looks
        ]
        return dataclasses.replace(self, looks=tuple(looks), thresholds=kept(self.thresholds))


DistanceResult = Annotated[DistanceReport, of(DistanceReport)]
