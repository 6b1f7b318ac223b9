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
STABLE_SHARE = 0.85  # of the other scales that must tell the same as 1x
NOT_USABLE, INCONCLUSIVE = "not usable", "inconclusive"
_ALARM, _NAMED = "alarm ", "named "


def alarm_told(conditions: Collection[Condition]) -> str:
    """Return the told code of one or more alarms that ring."""
    return _ALARM + " ".join(sorted(conditions))


def name_told(condition: Condition) -> str:
    return _NAMED + condition


def alarms_of(told: str) -> tuple[Condition, ...]:
    """Return the conditions of the alarms that a told code names."""
    return tuple(map(Condition, told.removeprefix(_ALARM).split())) if told.startswith(_ALARM) else ()


def name_of(told: str) -> Condition | None:
    return Condition(told.removeprefix(_NAMED)) if told.startswith(_NAMED) else None


_TOLD = (
    NOT_USABLE,
    INCONCLUSIVE,
    *map(name_told, Condition),
    *(alarm_told(some) for n in range(1, len(Condition) + 1) for some in combinations(Condition, n)),
)
_read_scale = number(min(SCALES), max(SCALES))


def _one_of_the_scales(value: Any) -> float:
    scale = _read_scale(value)
    if scale not in SCALES:
        raise InvalidMessageError(f": expected one of {', '.join(map(str, SCALES))}")
    return scale


def _read_told(value: Any) -> str:
    if not isinstance(value, str) or value not in _TOLD:
        raise InvalidMessageError(": expected what can be told of a photo")  # too many to list
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
    told: Annotated[str, _read_told]
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
    def told(self) -> str:
        """What is told at 1x."""
        return next(look.told for look in self.looks if look.scale == 1)

    @property
    def changes(self) -> list[tuple[float, float]]:
        """The neighbouring scales between which the told answer changes."""
        pairs = zip(self.looks, self.looks[1:], strict=False)
        return [(far.scale, near.scale) for far, near in pairs if far.told != near.told]

    @property
    def same(self) -> int:
        """How many of the other scales tell the same as 1x."""
        return sum(look.told == self.told for look in self.looks if look.scale != 1)

    @property
    def stability(self) -> float:
        """The share of the other scales that tell the same as 1x."""
        return self.same / (len(self.looks) - 1)

    @property
    def is_stable(self) -> bool:
        return self.stability >= STABLE_SHARE

    def only(self, alarms: Collection[Condition], *, names: bool) -> DistanceReport:
        """Return the report as it is told where only these alarms are told, and names only where `names` is true."""

        def told(look: Look) -> str:
            if look.told == NOT_USABLE or (names and name_of(look.told)):
                return look.told
            rung = [condition for condition in alarms_of(look.told) if condition in alarms]
            return alarm_told(rung) if rung else INCONCLUSIVE

        def kept(values: Mapping[str, float]) -> dict[str, float]:
            return {condition: value for condition, value in values.items() if condition in alarms}

        looks = [dataclasses.replace(look, told=told(look), scores=kept(look.scores)) for look in self.looks]
        return dataclasses.replace(self, looks=tuple(looks), thresholds=kept(self.thresholds))


DistanceResult = Annotated[DistanceReport, of(DistanceReport)]
