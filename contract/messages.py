"""The messages between the web and the inference workers, and their queues, tasks and time limits.

Standard library only: the web imports the contract and nothing of the worker.
Every message is JSON. A request names files by storage key; no pixel travels, and of health data only the outline that a
dermatologist drew.
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

from contract.alarms import Condition as Condition  # migrations name it here
from contract.common import ABox as ABox
from contract.common import Box as Box
from contract.common import Boxes, Model
from contract.common import ModelRef as ModelRef
from contract.distance import DistanceReport
from contract.drawn import ADrawn
from contract.drawn import Drawn as Drawn
from contract.fields import (
    Attempt,
    Code,
    InvalidMessageError,
    JobId,
    Key,
    Label,
    Measured,
    Seconds,
    Sha256,
    Share,
    Side,
    WorkerName,
    inside,
    mapping,
    one_of,
    optional,
    reader_of,
    several,
    text,
    whole,
)
from contract.findings import Abstention as Abstention
from contract.findings import Attribution as Attribution
from contract.findings import Classified, Segmented
from contract.findings import NoCropReason as NoCropReason
from contract.findings import Signs as Signs
from contract.findings import Thresholds as Thresholds
from contract.findings import View as View
from contract.findings import Views as Views
from contract.objects import ContractError, build, of, readers_of
from contract.photos import PhotoAdvice, QualityFault, Reason

VERSION = 1


class Stage(StrEnum):
    """In the order of dispatch.

    FULL makes the full-size copy that a dermatologist asked for. CHECK is of drafts alone, and waits while submitted
    photos wait. DISTANCE waits for all others, ten minutes at most. REANALYSE classifies a crop that a dermatologist
    drew, and waits for none.
    """

    PREPARE = "prepare"
    FULL = "full"
    ANALYSE = "analyse"
    CHECK = "check"
    DISTANCE = "distance"
    REANALYSE = "reanalyse"


# A drawn crop is read as the others are, from a queue of its own.
TASKS = {stage: f"inference_worker.{stage}" for stage in Stage} | {
    Stage.REANALYSE: "inference_worker.analyse"
}
QUEUES = {stage: f"inference.{stage}" for stage in Stage}
# Stages of the version before, which ANALYSE replaces. The version after this one no longer knows them.
OLDER_STAGES = ("segment", "classify")
OLDER_QUEUES = tuple(f"inference.{stage}" for stage in OLDER_STAGES)

# What workers send. A web of the version before does not take from this queue: it would lose what it cannot read.
RESULTS_QUEUE = "results.tasks"
STARTED = "teleder.task_started"  # (worker, work): no result after it is a crash, no result without it a lost message
RESULTS = "teleder.task_results"  # (worker, results): all results of one task
ENDED = "teleder.ended"  # (worker, work): it works on this no more; what has no result by now has crashed
# Every few seconds the sweeper asks these workers, and a child answers. In queues of their own: no photo's place is taken, and
# no worker of the version before meets the question.
PROBES = {stage: f"inference.probe.{stage}" for stage in (Stage.PREPARE, Stage.ANALYSE)}
PROBE = "inference_worker.probe"  # (stage)
ALIVE = "teleder.alive"  # (worker, stage)
# Beat's tasks, and what workers of the version before send: one message for each photo.
WEB_QUEUE = "results"
OLDER_STARTED = "teleder.started"  # (job, attempt, worker)
OLDER_RECORD = "teleder.record"

# One photo, one stage. A batch of n has n times as long.
SOFT_LIMIT_SECONDS = {
    Stage.PREPARE: 20,
    Stage.FULL: 20,
    Stage.ANALYSE: 30,
    Stage.CHECK: 25,
    Stage.REANALYSE: 30,
} | {
    Stage.DISTANCE: 120  # nine segmentations and eight classifications: 7 s on one core
}
HARD_LIMIT_SECONDS = {stage: seconds + 5 for stage, seconds in SOFT_LIMIT_SECONDS.items()}
BATCH_LIMIT = 8
ALONE = (Stage.PREPARE, Stage.FULL, Stage.DISTANCE, Stage.REANALYSE)  # one photo a message
# These stages decode the original and run no network, so they need no consent to AI.
FROM_ORIGINAL = (Stage.PREPARE, Stage.FULL)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One stage of work on one photo. `prefix` is where this attempt writes its files; `drawn` is of REANALYSE alone.

    `sha256` is of the source; of an original its key says it.
    `boxes` were for a stage of the version before, which still sends the field; the version after this one drops it.
    """

    stage: Annotated[Stage, one_of(Stage)]
    job: Label
    attempt: Attempt
    photo: Label
    source: Key
    prefix: Key
    boxes: Boxes = ()
    drawn: ADrawn = None
    sha256: Sha256 = ""


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
    display_sha256: Sha256 = ""
    analysis_sha256: Sha256 = ""
    thumbnail_sha256: Sha256 = ""
    veiled_key: Key = ""  # "" of a worker of the version before
    veiled_sha256: Sha256 = ""
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
class FullCopy:
    """All pixels of the original as an upright sRGB copy without metadata, long side at most `FULL_SIDE`."""

    kind: ClassVar[str] = "full_copy"
    full_key: Key
    full_sha256: Sha256 = ""
    seconds: Seconds = 0.0


@dataclass(frozen=True, kw_only=True)
class Analysed:
    """All that was found on one photo. Without a classification, `failure` says why: the boxes are kept all the same.

    Of a drawn crop: the mask with the drawn lesion, and the crop as its only box, or as `nearest_miss` where it does not obey
    the 80/10 rule; then the photo is classified without a crop.
    """

    kind: ClassVar[str] = "analysed"
    segmented: Annotated[Segmented, of(Segmented)]
    classified: Annotated[Classified | None, optional(of(Classified))] = None
    failure: Annotated[str | None, optional(reader_of(Code))] = None


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
AnalysisResult = Annotated[Analysed, of(Analysed)]


# The `code` of a `Failed` that fails no job: the web waits a while and sends the photo again.
STORAGE_UNAVAILABLE = "storage_unavailable"
# So does this one of a copy, which is made again meanwhile.
FILE_DAMAGED = "file_damaged"
FILE_MISSING = "file_missing"  # fails the job, as the next one, until the web finds the file whole
ORIGINAL_LOCKED = "original_locked"  # damaged, or sealed with a key that the worker has not


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A failure the worker foresaw and survived; `code` is for operators, never free text of a photo."""

    kind: ClassVar[str] = "failed"
    code: Code


# Workers of the version before send Segmented and Classified alone.
Outcome = Prepared | FullCopy | Analysed | Segmented | Classified | Checked | DistanceReport | Failed
_OUTCOMES: dict[str, type] = {
    cls.kind: cls
    for cls in (Prepared, FullCopy, Analysed, Segmented, Classified, Checked, DistanceReport, Failed)
}


# --- What a worker sends besides its results --------------------------------------------------------------
def _an_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidMessageError(": expected an object")
    return value


Work = Annotated[dict[str, int], mapping(reader_of(JobId), reader_of(Attempt), most=100)]  # {job: attempt}


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a result says of itself: whose it is."""

    job: JobId
    attempt: Attempt


@dataclass(frozen=True, kw_only=True)
class OlderReport(Report):
    """A worker of the version before has started an attempt; also the sender of its result."""

    worker: WorkerName


@dataclass(frozen=True, kw_only=True)
class Started:
    """A worker has started these attempts."""

    worker: WorkerName
    work: Work


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A worker no longer works on these attempts ({job: attempt}; None: on all that it had started)."""

    worker: WorkerName
    work: Annotated[dict[str, int] | None, optional(reader_of(Work))]


@dataclass(frozen=True, kw_only=True)
class Alive:
    """A child of a worker has answered a probe."""

    worker: WorkerName
    stage: Annotated[str, one_of(PROBES)]


@dataclass(frozen=True, kw_only=True)
class Results:
    """The results of one task, which `unpack_report(Report, …)` and `unpack_outcome` read one by one."""

    worker: WorkerName
    results: Annotated[tuple[dict[str, Any], ...], several(_an_object, BATCH_LIMIT)]


# --- Reading and writing ----------------------------------------------------------------------------------
def pack_requests(requests: list[Request]) -> dict[str, Any]:
    """Return the keyword arguments of an inference task."""
    return {"contract": VERSION, "requests": [_without_defaults(request) for request in requests]}


def unpack_requests(*, contract: int, requests: list[dict[str, Any]]) -> list[Request]:
    """Raises `ContractError` for whatever cannot be read: requests come from the web alone."""
    _check(contract)
    try:
        return [build(Request, row) for row in requests]
    except InvalidMessageError as error:
        raise ContractError(f"Request{error}") from None


def pack_outcome(request: Request, outcome: Outcome) -> dict[str, Any]:
    """Return the result of one photo, for `pack_results`."""
    row = _without_defaults(outcome)
    return {"job": request.job, "attempt": request.attempt, "kind": outcome.kind, "outcome": row}


def pack_results(results: list[dict[str, Any]], worker: str) -> dict[str, Any]:
    """Return the keyword arguments of the `RESULTS` task."""
    return {"contract": VERSION, "worker": worker, "results": results}


def _without_defaults(message: Any) -> dict[str, Any]:
    """Leave out fields that hold their default: the version before then reads what uses no new field."""
    row = dataclasses.asdict(message)
    for field in dataclasses.fields(message):
        if isinstance(value := getattr(message, field.name), Segmented | Classified):
            row[field.name] = _without_defaults(value)
        elif field.default is not dataclasses.MISSING and row[field.name] == field.default:
            del row[field.name]
    return row


def unpack_outcome(*, contract: int, kind: str, outcome: dict[str, Any]) -> Outcome:
    """Raises `ContractError` for another version's message, `InvalidMessageError` for a value that none writes."""
    inside("contract", whole(-9999, 9999), contract)
    _check(contract)
    if inside("kind", text(r"\w+", 40), kind) not in _OUTCOMES:
        raise ContractError(f"unknown kind of outcome; known: {', '.join(_OUTCOMES)}")
    return inside(kind, of(_OUTCOMES[kind]), outcome)


def unpack_report(cls: type, message: Mapping[str, Any]) -> Any:
    """Return a `Started`, `Ended`, … of the fields that are known here; other fields of a message are for newer versions."""
    known = {name: message[name] for name in readers_of(cls) if name in message}
    return inside(cls.__name__.lower(), of(cls), known)


def _check(contract: int) -> None:
    if type(contract) is not int or contract not in (VERSION - 1, VERSION):
        raise ContractError(f"written for another contract; this process speaks {VERSION}")
