"""Results as a compromised or faulty worker would send them.

`FIELDS` names every field of every outcome with the kind of its value; `WRONG` has invalid values for each kind, whatever
the other fields contain.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hypothesis import strategies as st

from contract import messages
from contract.distance import SCALES
from contract.messages import Stage

CANARY = "canary7f3a"
HUGE = CANARY * 5000
HASH = "b" * 64
MODEL = {"name": "net", "version": "2026.1", "sha256": "a" * 64}
BOX = {"x": 10, "y": 20, "width": 100, "height": 100, "skin": 0.9, "lesion": 0.2}
FIGURE = {"value": 5.4, "low": 3.1, "high": 9.4, "n": 402}
ALARM = {"condition": "HI", "score": 0.4, "threshold": 0.3, "likelihood_ratio": FIGURE}
ALARM |= {"sensitivity": {"value": 0.7, "low": 0.59, "high": 0.79, "n": 91}, "likelihood_ratio_ad": FIGURE}
FOUND = {"AD": 0.7, "HI": 0.1, "IM": 0.1, "MF": 0.05, "OTHER": 0.05}
SIGNS = [
    {"name": "redness", "value": -3.5, "error": 1.5},
    {"name": "lesions", "value": 4.0, "error": 1.0},
]
SIDES = {"width": 800, "height": 600, "analysis_width": 800, "analysis_height": 600}
KINDS = {
    Stage.PREPARE: "prepared",
    Stage.FULL: "full_copy",
    Stage.ANALYSE: "analysed",
    Stage.CHECK: "checked",
    Stage.DISTANCE: "distance_reported",
    Stage.REANALYSE: "analysed",
}
# The stages whose results a stage reads.
EARLIER = {
    Stage.PREPARE: (),
    Stage.FULL: (Stage.PREPARE,),
    Stage.ANALYSE: (Stage.PREPARE,),
    Stage.CHECK: (Stage.PREPARE,),
    Stage.DISTANCE: (Stage.PREPARE, Stage.ANALYSE),
    Stage.REANALYSE: (Stage.PREPARE, Stage.ANALYSE),
}

Path = tuple[str | int, ...]


def outcome(stage: Stage, folder: str) -> dict[str, Any]:
    """Return a valid result of a stage as JSON; `folder` is the folder of the attempt."""
    keys = {name: f"{folder}/{name}.jpg" for name in ("display", "analysis", "thumbnail", "veiled")}
    prepared = {f"{name}_key": key for name, key in keys.items()} | SIDES
    prepared |= {f"{name}_sha256": HASH for name in keys}
    prepared |= {"format": "JPEG", "stripped": ["exif"], "quality": {"detail": 3.5}, "seconds": 0.5}
    segmented = {"mask_key": f"{folder}/mask.png", "skin": 0.8, "lesion": 0.2, "boxes": [BOX, BOX]}
    segmented |= {
        "mask_sha256": HASH,
        "no_box": None,
        "nearest_miss": BOX,
        "signs": SIGNS,
        "model": MODEL,
        "seconds": 0.5,
    }
    views = [{"box": None, "probabilities": FOUND}, {"box": 1, "probabilities": FOUND}]
    drawn = {"key": f"{folder}/attribution.png", "sha256": HASH, "condition": "AD", "box": 1}
    thresholds = {"AD": 0.6, "HI": 0.3, "conformal.HI": 0.05, "named": 0.6, "energy": 2.1}
    classified = {"probabilities": FOUND, "views": views, "thresholds": thresholds, "top": "AD"}
    classified |= {"abstention": None, "attribution": drawn, "demonstration": True, "model": MODEL}
    classified |= {"device": "cpu", "seconds": 0.5, "alarms": [ALARM]}
    checked = {"advice": "too_far", "skin": 0.05, "largest": 0.04, "lesion": 0.01}
    checked |= {"model": MODEL, "seconds": 0.5}
    looks = [
        {"scale": scale, "boxes": [BOX], "verdict": "alarm HI", "scores": {"HI": 0.4}} for scale in SCALES
    ]
    report = {"looks": looks, "x": 0.4, "y": 0.6, "thresholds": {"HI": 0.3}, "seconds": 7.5}
    report |= {"segmentation_model": MODEL, "classification_model": MODEL}
    made = {
        Stage.PREPARE: prepared | {"reason": None, "fault": None},
        Stage.FULL: {"full_key": f"{folder}/full.jpg", "full_sha256": HASH, "seconds": 0.5},
        Stage.ANALYSE: {"segmented": segmented, "classified": classified, "failure": None},
        Stage.CHECK: checked,
        Stage.DISTANCE: report,
        # Of one box, the one that was drawn.
        Stage.REANALYSE: {
            "segmented": segmented | {"boxes": [BOX]},
            "classified": classified
            | {"views": [views[0], views[1] | {"box": 0}], "attribution": drawn | {"box": 0}},
            "failure": None,
        },
    }
    return copy.deepcopy(made[stage])


# --- The kind of each field -------------------------------------------------------------------------------
def _of_box(*at: str | int) -> dict[Path, str]:
    whole = {(*at, name): "whole" for name in ("x", "y", "width", "height")}
    return whole | {(*at, name): "share" for name in ("skin", "lesion")}


def _of_figure(*at: str | int) -> dict[Path, str]:
    return {at: "object or none", (*at, "n"): "whole"} | {
        (*at, name): "number" for name in ("value", "low", "high")
    }


def _of_model(field: str = "model") -> dict[Path, str]:
    return {(field,): "object", (field, "sha256"): "sha256"} | {
        (field, name): "text" for name in ("name", "version")
    }


def _below(field: str, fields: dict[Path, str]) -> dict[Path, str]:
    return {(field, *path): kind for path, kind in fields.items()}


_OF_SEGMENTED: dict[Path, str] = {
    ("mask_key",): "key",
    ("mask_sha256",): "file sha256",
    ("skin",): "share",
    ("lesion",): "share",
    ("boxes",): "list",
    ("boxes", 0): "object",
    **_of_box("boxes", 1),
    ("no_box",): "code",
    ("nearest_miss",): "object or none",
    **_of_box("nearest_miss"),
    ("signs",): "list",
    ("signs", 0): "object",
    ("signs", 1, "name"): "code",
    ("signs", 1, "value"): "number",
    ("signs", 1, "error"): "number",
    **_of_model(),
    ("seconds",): "number",
}
_OF_CLASSIFIED: dict[Path, str] = {
    ("probabilities",): "object",
    ("probabilities", "HI"): "share",
    ("views",): "list",
    ("views", 0): "object",
    ("views", 1, "box"): "index",
    ("views", 1, "probabilities"): "object",
    ("views", 1, "probabilities", "MF"): "share",
    ("thresholds",): "object",
    ("thresholds", "HI"): "share",
    ("thresholds", "energy"): "number",
    ("top",): "code",
    ("abstention",): "code",
    ("attribution",): "object or none",
    ("attribution", "key"): "key",
    ("attribution", "sha256"): "file sha256",
    ("attribution", "condition"): "code",
    ("attribution", "box"): "index",
    ("demonstration",): "flag",
    ("alarms",): "list",
    ("alarms", 0): "object",
    ("alarms", 0, "condition"): "code",
    ("alarms", 0, "score"): "share",
    ("alarms", 0, "threshold"): "share",
    **_of_figure("alarms", 0, "sensitivity"),
    **_of_figure("alarms", 0, "likelihood_ratio"),
    **_of_figure("alarms", 0, "likelihood_ratio_ad"),
    **_of_model(),
    ("device",): "text",
    ("seconds",): "number",
}
FIELDS: dict[Stage, dict[Path, str]] = {
    Stage.PREPARE: {
        **{(f"{name}_key",): "key" for name in ("display", "analysis", "thumbnail")},
        ("veiled_key",): "key or none",
        **{(f"{name}_sha256",): "file sha256" for name in ("display", "analysis", "thumbnail", "veiled")},
        **{(name,): "side" for name in SIDES},
        ("format",): "text",
        ("stripped",): "list",
        ("stripped", 0): "text",
        ("quality",): "object",
        ("quality", "detail"): "number",
        ("reason",): "code",
        ("fault",): "code",
        ("seconds",): "number",
    },
    Stage.FULL: {("full_key",): "key", ("full_sha256",): "file sha256", ("seconds",): "number"},
    Stage.ANALYSE: {
        ("segmented",): "object",
        ("classified",): "object or none",
        ("failure",): "free code",
        **_below("segmented", _OF_SEGMENTED),
        **_below("classified", _OF_CLASSIFIED),
    },
    Stage.CHECK: {
        ("advice",): "code",
        **{(name,): "share" for name in ("skin", "largest", "lesion")},
        **_of_model(),
        ("seconds",): "number",
    },
    Stage.DISTANCE: {
        ("looks",): "list",
        ("looks", 0): "object",
        ("looks", 1, "scale"): "scale",
        ("looks", 2, "boxes"): "list",
        **_of_box("looks", 3, "boxes", 0),
        ("looks", 4, "verdict"): "code",
        ("looks", 5, "scores"): "object",
        ("looks", 6, "scores", "HI"): "share",
        ("x",): "share",
        ("y",): "share",
        ("thresholds",): "object",
        ("thresholds", "HI"): "share",
        **_of_model("segmentation_model"),
        **_of_model("classification_model"),
        ("seconds",): "number",
    },
}


FIELDS[Stage.REANALYSE] = {
    tuple(0 if step == 1 and "boxes" in path else step for step in path): kind
    for path, kind in FIELDS[Stage.ANALYSE].items()
}


# --- Invalid values for each kind -------------------------------------------------------------------------
NAN, INF = math.nan, math.inf
OF_OTHER_TYPES = [True, False, [], [[]], {"a": 1}]
WRONG: dict[str, list[Any]] = {
    "whole": [None, "3", 1.5, -1, -(2**40), 2**31, 10**400, NAN, INF, HUGE, *OF_OTHER_TYPES],
    "share": [None, "0.5", -0.001, 1.001, 10**400, -(10**400), NAN, INF, -INF, HUGE, *OF_OTHER_TYPES],
    "number": [None, "0.5", 10**400, NAN, INF, -INF, HUGE, *OF_OTHER_TYPES],
    "text": [None, 1, 1.5, HUGE, "a\0b", "a\nb", "<script>", "\u202e", "名", *OF_OTHER_TYPES],
    "sha256": [None, 1, "", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n", HUGE, *OF_OTHER_TYPES],
    "code": [1, 1.5, "", "gossip", CANARY, HUGE, "a\0b", *OF_OTHER_TYPES],
    "flag": [None, 0, 1, "true", "", [], {"a": 1}],
    "list": [None, 1, "ab", True, {"a": 1}, [[]], [1], [True], [None], [{}], [None] * 50_000],
    "object": [
        None,
        1,
        "ab",
        True,
        [],
        [1],
        {CANARY: HUGE},
        {"x" * 9000: 1},
        {str(n): 1 for n in range(999)},
    ],
    "index": ["0", 1.5, -1, 2, 63, 2**40, NAN, HUGE, *OF_OTHER_TYPES],
}
WRONG["file sha256"] = [value for value in WRONG["sha256"] if value != ""]  # of older workers
WRONG["free code"] = [value for value in WRONG["code"] if value not in ("gossip", CANARY)]
WRONG["scale"] = [0, 0.34, 0.51, 1, 2.6, 3, *WRONG["number"]]
WRONG["side"] = [0, *WRONG["whole"]]
WRONG["object or none"] = [value for value in WRONG["object"] if value is not None]


def wrong_keys(right: str, other: str) -> list[Any]:
    """Return invalid keys for an attempt: `right` is a valid one, `other` belongs to another person's photo."""
    folder, _slash, name = right.rpartition("/")
    photo, stage, attempt = folder.rsplit("/", 2)
    stem, _dot, ending = name.partition(".")
    elsewhere = [
        *(
            "/proc/self/environ",
            "/etc/passwd",
            "../secret-key",
            "photos/../../secret-key",
            "file:///etc/passwd",
        ),
        other,
        f"/{right}",
        f"{right}/",
        f"./{right}",
        f"x/{right}",
        f"{photo}/original/{'0' * 64}",
        f"{photo}/{stage}x/{attempt}/{name}",
        f"{photo}/{stage}/{int(attempt) + 1}/{name}",
        f"{photo}/{stage}/0{attempt}/{name}",
        f"{folder}/../{attempt}/{name}",
        f"{folder}//{name}",
        f"{folder}/deeper/{name}",
        f"{folder}/../../../../../secret-key",
        f"{folder.upper()}/{name}",
        folder,
        f"{folder}/",
    ]
    names = [
        "",
        ".",
        "..",
        stem,
        f".{name}",
        f"{stem}.svg",
        f"{stem}.html",
        f"{stem}.{ending}.html",
        f"{stem}.JPG",
    ]
    endings = [
        f"{right}\0",
        f"{right}\n",
        f"{right}%00",
        f"{right}?x",
        f"{right} ",
        f"{folder}/{HUGE}.{ending}",
    ]
    names = [f"{folder}/{each}" for each in names]
    return [*elsewhere, *names, *endings, "", None, 1, HUGE, "名", *OF_OTHER_TYPES]


def put(row: Any, path: Path, value: Any) -> None:
    """Set one field of nested JSON, unless a field around it has been forged before."""
    for step in path[:-1]:
        if not _has(row, step):
            return
        row = row[step]
    if isinstance(row, dict) or _has(row, path[-1]):
        row[path[-1]] = value


def _has(row: Any, step: str | int) -> bool:
    if isinstance(row, list):
        return isinstance(step, int) and step < len(row)
    return isinstance(row, dict) and step in row


def at(row: Any, path: Path) -> Any:
    for step in path:
        row = row[step]
    return row


def wrong_for(stage: Stage, path: Path, right: Any, other: str) -> list[Any]:
    kind = FIELDS[stage][path]
    if kind == "key or none":  # "" of a worker of the version before
        return [value for value in wrong_keys(right, other) if value != ""]
    return wrong_keys(right, other) if kind == "key" else WRONG[kind]


def one_by_one(stage: Stage, folder: str, other: str) -> Iterable[dict[str, Any]]:
    """Yield valid results with one invalid field each."""
    for path in FIELDS[stage]:
        for value in wrong_for(stage, path, at(outcome(stage, folder), path), other):
            row = outcome(stage, folder)
            put(row, path, value)
            yield row


# --- Generated by hypothesis ------------------------------------------------------------------------------
def _strange(text: str) -> bool:
    return any(not 32 <= ord(letter) < 127 for letter in text)


_scalars = st.booleans() | st.text(max_size=50).filter(_strange)
_lists = st.lists(_scalars | st.integers(), max_size=5)
_objects = st.dictionaries(
    st.text(max_size=5).filter(_strange), _scalars | st.integers(), min_size=1, max_size=5
)
_no_number = _scalars | _lists | _objects
_beyond = st.floats(allow_nan=True).filter(lambda x: not -(10.0**9) <= x <= 10.0**9)
INVENTED: dict[str, st.SearchStrategy] = {
    "whole": _no_number | st.floats() | st.integers(max_value=-1) | st.integers(min_value=2**31),
    "share": _no_number | st.floats().filter(lambda x: not 0 <= x <= 1) | st.integers(max_value=-1),
    "number": _no_number | _beyond,
    "text": st.text().filter(_strange)
    | st.text(min_size=301, max_size=400)
    | st.integers()
    | _lists
    | _objects,
    "code": st.text().filter(_strange) | st.integers() | st.floats() | _lists | _objects,
    "flag": st.integers() | st.text() | st.floats() | _lists | _objects,
    "list": _scalars | st.integers() | _objects | st.lists(_scalars | st.integers(), min_size=1),
    "object": _scalars | st.integers() | _lists | _objects,
    "index": _no_number | st.floats() | st.integers(max_value=-1) | st.integers(min_value=2),
}
INVENTED["free code"] = INVENTED["code"]
INVENTED["scale"] = _no_number | st.floats().filter(lambda x: x != SCALES[1])
INVENTED["side"] = INVENTED["whole"]
for _kind in ("sha256", "file sha256", "key", "key or none"):
    INVENTED[_kind] = INVENTED["text"]
INVENTED["object or none"] = INVENTED["object"]


@st.composite
def several_at_once(draw: Callable, stages: Sequence[Stage], folders: dict[Stage, str], other: str) -> Any:
    """Draw (stage, a result of it with one to four invalid fields)."""
    stage = draw(st.sampled_from(stages))
    row = outcome(stage, folders[stage])
    for path in draw(st.lists(st.sampled_from(list(FIELDS[stage])), min_size=1, max_size=4, unique=True)):
        known = wrong_for(stage, path, at(outcome(stage, folders[stage]), path), other)
        put(row, path, draw(st.sampled_from(known) | INVENTED[FIELDS[stage][path]]))
    return stage, row


# --- Envelopes and other messages -------------------------------------------------------------------------
SOMEBODY = "00000000-0000-0000-0000-000000000000"
WRONG_WHOSE: dict[str, list[Any]] = {
    "job": [None, 1, True, "", "j", "../x", "0" * 36, HUGE, [], {}, "A" * 8 + "-aaaa-aaaa-aaaa-" + "A" * 12],
    "attempt": [None, "1", True, 1.0, -1, 2**40, 10**400, NAN, [], {}],
    "worker": [None, 1, True, HUGE, "a b", "a\nb", "<b>", "名", [], {}],
}
WRONG_WORK: list[Any] = [1, True, "x", [], [1], {"j": 1}, {"j" * 9000: 1}]
WRONG_WORK += [{SOMEBODY: value} for value in ("1", True, None, -1, 10**400, [])]
WRONG_CONTRACTS: list[Any] = [None, "1", True, 1.0, NAN, [], {}, 10**400, HUGE]
WRONG_KINDS: list[Any] = [None, 1, True, "", "a b", HUGE, [], {}, ["prepared"]]


def message(job: str, attempt: int, kind: str, row: Any, /, **changed: Any) -> dict[str, Any]:
    """Return the keyword arguments of the task that records the results of a task: here, one.

    What is changed is of the one that it stands in.
    """
    result = {"job": job, "attempt": attempt, "kind": kind, "outcome": row}
    result |= {name: changed.pop(name) for name in list(changed) if name in result}
    return {"contract": messages.VERSION, "worker": "w@forged", "results": [result]} | changed


def older_message(job: str, attempt: int, kind: str, row: Any, /, **changed: Any) -> dict[str, Any]:
    """Return the keyword arguments of the task that records the result of a worker of the version before."""
    envelope = {"contract": messages.VERSION, "job": job, "attempt": attempt, "worker": "w@forged"}
    return envelope | {"kind": kind, "outcome": row} | changed
