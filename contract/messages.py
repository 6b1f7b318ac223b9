"""The messages between the web and the inference workers, and their queues, tasks and time limits.

Standard library only: the web imports the contract and nothing of the worker.
Every message is JSON. A request names files by storage key; no pixel and no health data travels.
A message of an unknown contract version, kind or field raises `ContractError`: during a deploy an old process must return it
to the queue instead of guessing. The previous version is understood: a new field has a default, any other change raises `VERSION` by two.

What a worker sends is untrusted input. Each field declares beside its type how it is read: length, range and alphabet.
A value that no version writes raises `InvalidMessageError`: it is refused for good, and no other process is asked.
Whether keys, boxes and kind belong to the job is for the web to check, which knows the job.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from contract.alarms import Alarms, Condition
from contract.common import BOXES_AT_MOST, ABox, Boxes, Model
from contract.common import Box as Box
from contract.common import ModelRef as ModelRef
from contract.distance import DistanceReport
from contract.fields import (
    Attempt,
    Code,
    InvalidMessageError,
    JobId,
    Key,
    Label,
    Measured,
    Seconds,
    Share,
    Side,
    WorkerName,
    flag,
    inside,
    mapping,
    number,
    one_of,
    optional,
    reader_of,
    several,
    text,
    whole,
)
from contract.objects import ContractError, build, of, readers_of
from contract.photos import PhotoAdvice, QualityFault, Reason
from contract.signs import MeasuredSign, SignName

VERSION = 1


class Stage(StrEnum):
    """In the order of dispatch.

    CHECK is of drafts alone, and waits while submitted photos wait. DISTANCE waits for all others, ten
    minutes at most.
    """

    PREPARE = "prepare"
    SEGMENT = "segment"
    CLASSIFY = "classify"
    CHECK = "check"
    DISTANCE = "distance"


TASKS = {stage: f"inference_worker.{stage}" for stage in Stage}
QUEUES = {stage: f"inference.{stage}" for stage in Stage}
RESULTS_QUEUE = "results"
STARTED = "teleder.started"  # (job, attempt, worker): no result after it is a crash, no result without it a lost message
RECORD = "teleder.record"
ENDED = "teleder.ended"  # (worker, work): it works on this no more; what has no result by now has crashed

# One photo, one stage. A batch of n has n times as long.
SOFT_LIMIT_SECONDS = {Stage.PREPARE: 20, Stage.SEGMENT: 25, Stage.CLASSIFY: 25, Stage.CHECK: 25} | {
    Stage.DISTANCE: 120  # nine segmentations and eight classifications: 7 s on one core
}
HARD_LIMIT_SECONDS = {stage: seconds + 5 for stage, seconds in SOFT_LIMIT_SECONDS.items()}
BATCH_LIMIT = 8
ALONE = (Stage.PREPARE, Stage.DISTANCE)  # one photo a message


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


# --- What the fields may hold -----------------------------------------------------------------------------
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
class Request:
    """One stage of work on one photo. `prefix` is where this attempt writes its files."""

    stage: Annotated[Stage, one_of(Stage)]
    job: Label
    attempt: Attempt
    photo: Label
    source: Key
    prefix: Key
    boxes: Boxes = ()


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Upright sRGB copies without metadata, or a reason why there are none.

    With `POOR_QUALITY` the copies exist: the patient may send the photo anyway.
    `quality` holds what was measured (sharpness, brightness, ...).
    """

    kind: ClassVar[str] = "prepared"
    display_key: Key = ""
    analysis_key: Key = ""
    thumbnail_key: Key = ""
    width: Side = 0
    height: Side = 0
    analysis_width: Side = 0
    analysis_height: Side = 0
    format: Label = ""
    stripped: Annotated[tuple[str, ...], several(text(r"[\w .:-]*", 60), 100)] = ()
    quality: Measured
    reason: Annotated[Reason | None, optional(one_of(Reason))] = None
    fault: Annotated[QualityFault | None, optional(one_of(QualityFault))] = None
    seconds: Seconds = 0.0


@dataclass(frozen=True, kw_only=True)
class Segmented:
    """Class map of the analysis copy (PNG: 0 background, 1 skin, 2 lesion) and the boxes cut from it.

    Without a box there is the reason (`no_box`), and the rejected square that comes nearest to the rule (`nearest_miss`).
    `signs` are those that could be measured.
    """

    kind: ClassVar[str] = "segmented"
    mask_key: Key
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


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What the segmentation of a draft's photo suggests (None: nothing), and the shares of the photo that decided.

    `skin` counts lesion too; `largest` is the largest connected area of it. It writes no files.
    """

    kind: ClassVar[str] = "checked"
    advice: Annotated[PhotoAdvice | None, optional(one_of(PhotoAdvice))] = None
    skin: Share
    largest: Share
    lesion: Share
    model: Model
    seconds: Seconds = 0.0


CheckResult = Annotated[Checked, of(Checked)]


# The `code` of a `Failed` that fails no job: the web waits a while and sends the photo again.
STORAGE_UNAVAILABLE = "storage_unavailable"


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A failure the worker foresaw and survived; `code` is for operators, never free text of a photo."""

    kind: ClassVar[str] = "failed"
    code: Code


Outcome = Prepared | Segmented | Classified | Checked | DistanceReport | Failed
_OUTCOMES: dict[str, type] = {
    cls.kind: cls for cls in (Prepared, Segmented, Classified, Checked, DistanceReport, Failed)
}


# --- What a worker sends besides its results --------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class Started:
    """A worker has started an attempt; also the sender of a result."""

    job: JobId
    attempt: Attempt
    worker: WorkerName


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A worker no longer works on these attempts ({job: attempt}; None: on all that it had started)."""

    worker: WorkerName
    work: Annotated[dict[str, int] | None, optional(mapping(reader_of(JobId), reader_of(Attempt), most=100))]


# --- Reading and writing ----------------------------------------------------------------------------------
def pack_requests(requests: list[Request]) -> dict[str, Any]:
    """Return the keyword arguments of an inference task."""
    return {"contract": VERSION, "requests": [dataclasses.asdict(request) for request in requests]}


def unpack_requests(*, contract: int, requests: list[dict[str, Any]]) -> list[Request]:
    """Raises `ContractError` for whatever cannot be read: requests come from the web alone."""
    _check(contract)
    try:
        return [build(Request, row) for row in requests]
    except InvalidMessageError as error:
        raise ContractError(f"Request{error}") from None


def pack_outcome(request: Request, outcome: Outcome, worker: str) -> dict[str, Any]:
    """Return the keyword arguments of the `RECORD` task.

    A field that holds its default is left out: a web of the version before then reads what uses no new field.
    """
    row = dataclasses.asdict(outcome)
    for field in dataclasses.fields(outcome):
        if field.default is not dataclasses.MISSING and row[field.name] == field.default:
            del row[field.name]
    return {
        "contract": VERSION,
        "job": request.job,
        "attempt": request.attempt,
        "worker": worker,
        "kind": outcome.kind,
        "outcome": row,
    }


def unpack_outcome(*, contract: int, kind: str, outcome: dict[str, Any]) -> Outcome:
    """Raises `ContractError` for another version's message, `InvalidMessageError` for a value that none writes."""
    inside("contract", whole(-9999, 9999), contract)
    _check(contract)
    if inside("kind", text(r"\w+", 40), kind) not in _OUTCOMES:
        raise ContractError(f"unknown kind of outcome; known: {', '.join(_OUTCOMES)}")
    return inside(kind, of(_OUTCOMES[kind]), outcome)


def unpack_report(cls: type, message: Mapping[str, Any]) -> Any:
    """Return a `Started` or `Ended` of the fields that are known here; other fields of a message are for newer versions."""
    known = {name: message[name] for name in readers_of(cls) if name in message}
    return inside(cls.__name__.lower(), of(cls), known)


def _check(contract: int) -> None:
    if type(contract) is not int or contract not in (VERSION - 1, VERSION):
        raise ContractError(f"written for another contract; this process speaks {VERSION}")
