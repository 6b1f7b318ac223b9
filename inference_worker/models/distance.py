"""The distance report: does the answer to a photo hold when the rash is shown nearer or farther away?

The crops of the 80/10 rule are meant to make distance harmless. This measures it on the photo at hand, and where the
answer changes says so. An unstable answer may cost a name; it never takes back an alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from contract.messages import Box, Classified
from inference_worker.models.cropping import LESION, boxes_of
from inference_worker.models.zoom import middle_of, zoomed

SCALES = (0.35, 0.5, 0.7, 1.0, 1.4, 1.8, 2.2, 2.5)
STABLE_SHARE = 0.85  # of the other scales that must tell the same as 1x
NOT_USABLE, INCONCLUSIVE = "not usable", "inconclusive"
Segment = Callable[[Sequence[np.ndarray]], list[np.ndarray]]
Classify = Callable[[Sequence[np.ndarray], Sequence[Sequence[Box]]], list[Classified]]


@dataclass(frozen=True)
class Look:
    """What is found at one scale; `scores` is by condition with an alarm, 0..1."""

    scale: float
    boxes: tuple[Box, ...]
    told: str
    scores: dict[str, float]


@dataclass(frozen=True)
class DistanceReport:
    """A photo at each of SCALES, farthest first."""

    looks: tuple[Look, ...]

    @property
    def changes(self) -> list[tuple[float, float]]:
        """The neighbouring scales between which the told answer changes."""
        pairs = zip(self.looks, self.looks[1:], strict=False)
        return [(far.scale, near.scale) for far, near in pairs if far.told != near.told]

    @property
    def stability(self) -> float:
        """The share of the other scales that tell the same as 1x."""
        at_one = next(look.told for look in self.looks if look.scale == 1)
        others = [look.told == at_one for look in self.looks if look.scale != 1]
        return sum(others) / len(others)

    @property
    def is_stable(self) -> bool:
        return self.stability >= STABLE_SHARE


def told(found: Classified, *, has_skin: bool) -> str:
    """Return what a reader is told about a photo. An alarm comes first: a poor photo never silences it."""
    if alarms := sorted(alarm.condition.value for alarm in found.alarms if alarm.rings):
        return f"alarm {' '.join(alarms)}"
    if not has_skin:
        return NOT_USABLE
    return f"named {found.top}" if found.top and not found.demonstration else INCONCLUSIVE


def views_of(
    photo: np.ndarray, centre: tuple[float, float], backdrop: np.ndarray | None = None
) -> list[np.ndarray]:
    """Return a photo (H, W, 3) uint8 at each of SCALES, the nearer ones around `centre`, (x, y) in 0..1."""
    return [zoomed(photo, scale, centre=centre, backdrop=backdrop) for scale in SCALES]


def report(
    photo: np.ndarray, segment: Segment, classify: Classify
) -> tuple[DistanceReport, list[np.ndarray]]:
    """Return the report on a photo (H, W, 3) uint8, and the photo at each scale.

    It takes nine segmentations and eight classifications.
    """
    views = views_of(photo, middle_of(segment([photo])[0] == LESION))
    masks = segment(views)
    boxes = [tuple(boxes_of(mask)[0]) for mask in masks]
    looks = [
        Look(
            scale=scale,
            boxes=own,
            told=told(found, has_skin=bool(mask.any())),
            scores={alarm.condition.value: alarm.score for alarm in found.alarms},
        )
        for scale, mask, own, found in zip(SCALES, masks, boxes, classify(views, boxes), strict=True)
    ]
    return DistanceReport(tuple(looks)), views
