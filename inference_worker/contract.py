"""What the web and the inference workers say to each other.

Standard library only: the web imports this module and nothing else of the worker.
Every message is JSON. A request names files by storage key; no pixel and no health data travels.
A message of an unknown contract version, kind or field raises `ContractError`: during a deploy an
old process must hand it back instead of guessing. The version before is understood, so a new field has a default;
a change that cannot be read as its forerunner raises `VERSION` by two.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

VERSION = 1


class ContractError(ValueError):
    """The message was written for another version of the contract."""


class Stage(StrEnum):
    PREPARE = "prepare"
    SEGMENT = "segment"
    CLASSIFY = "classify"


TASKS = {stage: f"inference_worker.{stage}" for stage in Stage}
QUEUES = {stage: f"inference.{stage}" for stage in Stage}
RESULTS_QUEUE = "results"
STARTED = "teleder.started"  # (job, attempt, worker): silence after it is a death, silence without it a loss
RECORD = "teleder.record"
ENDED = "teleder.ended"  # (worker, work): it works on this no more; what has no result by now has died

# One photo, one stage. A batch of n has n times as long.
SOFT_LIMIT_SECONDS = {Stage.PREPARE: 20, Stage.SEGMENT: 25, Stage.CLASSIFY: 25}
HARD_LIMIT_SECONDS = {stage: seconds + 5 for stage, seconds in SOFT_LIMIT_SECONDS.items()}
BATCH_LIMIT = 8


class Condition(StrEnum):
    """What the classifier tells apart (Yanagisawa et al. 2023, plus "other")."""

    AD = "AD"
    HI = "HI"
    IM = "IM"
    MF = "MF"
    OTHER = "OTHER"


class Reason(StrEnum):
    """Why a photo cannot be used, or not as it is."""

    EMPTY_FILE = "empty_file"
    UNSUPPORTED_FORMAT = "unsupported_format"
    CORRUPT_IMAGE = "corrupt_image"
    TRUNCATED_IMAGE = "truncated_image"
    TOO_MANY_PIXELS = "too_many_pixels"
    FILE_TOO_LARGE = "file_too_large"
    IMAGE_TOO_SMALL = "image_too_small"
    POOR_QUALITY = "poor_quality"


class QualityFault(StrEnum):
    """What is wrong with a photo of poor quality; each has one remedy."""

    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    BLURRED = "blurred"
    GLARE = "glare"
    NOT_A_PHOTO = "not_a_photo"


class NoBox(StrEnum):
    """Why no area of a photo obeys the 80/10 rule."""

    NO_SKIN = "no_skin"
    NO_LESION = "no_lesion"
    TOO_LITTLE_SKIN = "too_little_skin"
    TOO_LITTLE_LESION = "too_little_lesion"


class Abstention(StrEnum):
    """Why the classifier does not say what it may be."""

    UNCERTAIN = "uncertain"
    OUT_OF_SCOPE = "out_of_scope"
    NO_SKIN = "no_skin"


@dataclass(frozen=True, kw_only=True)
class ModelRef:
    """Which weights spoke: enough to make the same result again."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Box:
    """A square to crop, in pixels of the analysis copy; shares are of the box's pixels, 0..1.

    `skin` counts lesion pixels too.
    """

    x: int
    y: int
    width: int
    height: int
    skin: float
    lesion: float


@dataclass(frozen=True, kw_only=True)
class Request:
    """One stage of work on one photo. `prefix` is where this attempt writes its files."""

    stage: Stage
    job: str
    attempt: int
    photo: str
    source: str
    prefix: str
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Upright sRGB copies without metadata, or a reason why there are none.

    With `POOR_QUALITY` the copies exist: the patient may send the photo anyway.
    `quality` holds what was measured (sharpness, brightness, ...).
    """

    kind: ClassVar[str] = "prepared"
    display_key: str = ""
    analysis_key: str = ""
    thumbnail_key: str = ""
    width: int = 0
    height: int = 0
    analysis_width: int = 0
    analysis_height: int = 0
    format: str = ""
    stripped: tuple[str, ...] = ()
    quality: dict[str, float]
    reason: Reason | None = None
    fault: QualityFault | None = None
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Segmented:
    """Class map of the analysis copy (PNG: 0 background, 1 skin, 2 lesion) and the boxes cut from it.

    Without a box there is the reason, and the square that falls short of the rule least.
    """

    kind: ClassVar[str] = "segmented"
    mask_key: str
    skin: float
    lesion: float
    boxes: tuple[Box, ...] = ()
    no_box: NoBox | None = None
    nearest_miss: Box | None = None
    model: ModelRef
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class View:
    """Calibrated probabilities for one view of the photo: the whole (box None) or one box by its index."""

    box: int | None
    probabilities: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """Which parts spoke for a condition: PNG, red for the whole photo, green for one box in its place."""

    key: str
    condition: Condition
    box: int | None = None


@dataclass(frozen=True, kw_only=True)
class Classified:
    """What it may be. `probabilities` is the aggregate; HI in it is the maximum over the whole and every crop."""

    kind: ClassVar[str] = "classified"
    probabilities: dict[str, float]
    views: tuple[View, ...]
    thresholds: dict[str, float]
    top: Condition | None
    abstention: Abstention | None = None
    attribution: Attribution | None = None
    demonstration: bool
    model: ModelRef
    device: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A failure the worker foresaw and survived; `code` is for operators, never free text of a photo."""

    kind: ClassVar[str] = "failed"
    code: str


Outcome = Prepared | Segmented | Classified | Failed
_OUTCOMES: dict[str, type] = {cls.kind: cls for cls in (Prepared, Segmented, Classified, Failed)}
_NESTED: dict[str, Any] = {
    "boxes": lambda rows: tuple(_build(Box, row) for row in rows),
    "nearest_miss": lambda row: row and _build(Box, row),
    "views": lambda rows: tuple(_build(View, row) for row in rows),
    "attribution": lambda row: row and _build(Attribution, row),
    "condition": Condition,
    "model": lambda row: _build(ModelRef, row),
    "stripped": tuple,
    "stage": Stage,
    "reason": lambda value: value and Reason(value),
    "fault": lambda value: value and QualityFault(value),
    "no_box": lambda value: value and NoBox(value),
    "top": lambda value: value and Condition(value),
    "abstention": lambda value: value and Abstention(value),
}


def _build(cls: type, row: dict[str, Any]) -> Any:
    try:
        return cls(**{name: _NESTED.get(name, lambda v: v)(value) for name, value in row.items()})
    except (TypeError, ValueError, AttributeError) as error:
        raise ContractError(f"{cls.__name__}: {error}") from error


def pack_requests(requests: list[Request]) -> dict[str, Any]:
    """Return the keyword arguments of an inference task."""
    return {"contract": VERSION, "requests": [dataclasses.asdict(request) for request in requests]}


def unpack_requests(*, contract: int, requests: list[dict[str, Any]]) -> list[Request]:
    _check(contract)
    return [_build(Request, row) for row in requests]


def pack_outcome(request: Request, outcome: Outcome, worker: str) -> dict[str, Any]:
    """Return the keyword arguments of the `RECORD` task."""
    return {
        "contract": VERSION,
        "job": request.job,
        "attempt": request.attempt,
        "worker": worker,
        "kind": outcome.kind,
        "outcome": dataclasses.asdict(outcome),
    }


def unpack_outcome(*, contract: int, kind: str, outcome: dict[str, Any]) -> Outcome:
    _check(contract)
    if kind not in _OUTCOMES:
        raise ContractError(f"unknown outcome {kind!r}; known: {', '.join(_OUTCOMES)}")
    return _build(_OUTCOMES[kind], outcome)


def _check(contract: int) -> None:
    if contract not in (VERSION - 1, VERSION):
        raise ContractError(f"contract {contract}, this process speaks {VERSION}")
