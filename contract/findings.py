"""What the networks find on one photo: the segmentation and the classification, as they travel and are stored."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from contract.alarms import Alarms, Condition
from contract.common import BOXES_AT_MOST, ABox, Box, Boxes, Model
from contract.fields import (
    Key,
    Label,
    Seconds,
    Sha256,
    Share,
    flag,
    inside,
    mapping,
    number,
    one_of,
    optional,
    reader_of,
    several,
    whole,
)
from contract.objects import of
from contract.signs import MeasuredSign, SignName


class NoCropReason(StrEnum):
    """Why no area of a photo obeys the 80/10 rule."""

    NO_SKIN = "no_skin"
    NO_LESION = "no_lesion"
    TOO_LITTLE_SKIN = "too_little_skin"
    TOO_LITTLE_LESION = "too_little_lesion"


class Abstention(StrEnum):
    """Why the classifier abstains."""

    UNCERTAIN = "uncertain"
    OUT_OF_SCOPE = "out_of_scope"
    NO_SKIN = "no_skin"


THRESHOLDS = (*Condition, *(f"conformal.{condition}" for condition in Condition), "named", "energy")


def _read_thresholds(value: Any) -> dict[str, float]:
    found = mapping(one_of(map(str, THRESHOLDS)), number(-1000, 1000), most=len(THRESHOLDS))(value)
    for name, bound in found.items():
        if name != "energy":  # the others are compared with probabilities
            inside(f".{name}", number(0, 1), bound)
    return found


Probabilities = Annotated[
    dict[str, float],
    mapping(one_of(map(str, Condition)), number(0, 1), most=len(Condition), least=1),
]
Thresholds = Annotated[dict[str, float], _read_thresholds]
BoxIndex = Annotated[int | None, optional(whole(0, BOXES_AT_MOST - 1))]
Signs = Annotated[tuple[MeasuredSign, ...], several(of(MeasuredSign), len(SignName))]


@dataclass(frozen=True, kw_only=True)
class Segmented:
    """Class map of the analysis copy (PNG: 0 background, 1 skin, 2 lesion) and the boxes cut from it.

    Without a box there is the reason (`no_box`), and the rejected square that comes nearest to the rule (`nearest_miss`).
    `signs` are those that could be measured.
    """

    kind: ClassVar[str] = "segmented"
    mask_key: Key
    mask_sha256: Sha256 = ""
    skin: Share
    lesion: Share
    boxes: Boxes = ()
    no_box: Annotated[NoCropReason | None, optional(one_of(NoCropReason))] = None
    nearest_miss: Annotated[Box | None, optional(reader_of(ABox))] = None
    signs: Signs = ()
    model: Model
    seconds: Seconds = 0.0


@dataclass(frozen=True, kw_only=True)
class View:
    """Calibrated probabilities for one view of the photo: the whole (box None) or one box by its index."""

    box: BoxIndex
    probabilities: Probabilities


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """Which areas supported a condition: PNG, red for the whole photo, green for one box in its place."""

    key: Key
    sha256: Sha256 = ""
    condition: Annotated[Condition, one_of(Condition)]
    box: BoxIndex = None


Views = Annotated[tuple[View, ...], several(of(View), BOXES_AT_MOST + 1)]


@dataclass(frozen=True, kw_only=True)
class Classified:
    """The classifier's result. `probabilities` is that of the whole photo and its crops together; a condition of which the
    model has seen no photo is not in it. Of older workers HI in it is the maximum over the whole and every crop."""

    kind: ClassVar[str] = "classified"
    probabilities: Probabilities
    views: Views
    thresholds: Thresholds
    top: Annotated[Condition | None, optional(one_of(Condition))]
    abstention: Annotated[Abstention | None, optional(one_of(Abstention))] = None
    attribution: Annotated[Attribution | None, optional(of(Attribution))] = None
    demonstration: Annotated[bool, flag]
    alarms: Alarms = ()
    model: Model
    device: Label = ""
    seconds: Seconds = 0.0
