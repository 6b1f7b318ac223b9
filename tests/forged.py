"""Results as a worker that was taken over, or is faulty, would send them.

`FIELDS` names every field of every outcome with what kind of value it takes; `WRONG` has values that are wrong for each
kind, whatever stands in the other fields.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hypothesis import strategies as st

from contract import messages
from contract.messages import Stage

CANARY = "canary7f3a"
HUGE = CANARY * 5000
MODEL = {"name": "net", "version": "2026.1", "sha256": "a" * 64}
BOX = {"x": 10, "y": 20, "width": 100, "height": 100, "skin": 0.9, "lesion": 0.2}
FOUND = {"AD": 0.7, "HI": 0.1, "IM": 0.1, "MF": 0.05, "OTHER": 0.05}
SIGNS = [
    {"name": "redness", "value": -3.5, "error": 1.5},
    {"name": "lesions", "value": 4.0, "error": 1.0},
]
SIDES = {"width": 800, "height": 600, "analysis_width": 800, "analysis_height": 600}
KINDS = {Stage.PREPARE: "prepared", Stage.SEGMENT: "segmented", Stage.CLASSIFY: "classified"}

Path = tuple[str | int, ...]


def outcome(stage: Stage, folder: str) -> dict[str, Any]:
    """Return a right result of a stage as JSON; `folder` is the attempt's own."""
    keys = {name: f"{folder}/{name}.jpg" for name in ("display", "analysis", "thumbnail")}
    prepared = {f"{name}_key": key for name, key in keys.items()} | SIDES
    prepared |= {"format": "JPEG", "stripped": ["exif"], "quality": {"detail": 3.5}, "seconds": 0.5}
    segmented = {"mask_key": f"{folder}/mask.png", "skin": 0.8, "lesion": 0.2, "boxes": [BOX, BOX]}
    segmented |= {"no_box": None, "nearest_miss": BOX, "signs": SIGNS, "model": MODEL, "seconds": 0.5}
    views = [{"box": None, "probabilities": FOUND}, {"box": 1, "probabilities": FOUND}]
    drawn = {"key": f"{folder}/attribution.png", "condition": "AD", "box": 1}
    thresholds = {"AD": 0.6, "HI": 0.3, "conformal.HI": 0.05, "named": 0.6, "energy": 2.1}
    classified = {"probabilities": FOUND, "views": views, "thresholds": thresholds, "top": "AD"}
    classified |= {"abstention": None, "attribution": drawn, "demonstration": True, "model": MODEL}
    classified |= {"device": "cpu", "seconds": 0.5}
    made = {
        Stage.PREPARE: prepared | {"reason": None, "fault": None},
        Stage.SEGMENT: segmented,
        Stage.CLASSIFY: classified,
    }
    return copy.deepcopy(made[stage])


# --- Which field takes what -------------------------------------------------------------------------------
def _of_box(*at: str | int) -> dict[Path, str]:
    whole = {(*at, name): "whole" for name in ("x", "y", "width", "height")}
    return whole | {(*at, name): "share" for name in ("skin", "lesion")}


def _of_model() -> dict[Path, str]:
    return {("model",): "object", ("model", "sha256"): "sha256"} | {
        ("model", name): "text" for name in ("name", "version")
    }


FIELDS: dict[Stage, dict[Path, str]] = {
    Stage.PREPARE: {
        **{(f"{name}_key",): "key" for name in ("display", "analysis", "thumbnail")},
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
    Stage.SEGMENT: {
        ("mask_key",): "key",
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
    },
    Stage.CLASSIFY: {
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
        ("attribution", "condition"): "code",
        ("attribution", "box"): "index",
        ("demonstration",): "flag",
        **_of_model(),
        ("device",): "text",
        ("seconds",): "number",
    },
}


# --- What is wrong for it ---------------------------------------------------------------------------------
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
WRONG["side"] = [0, *WRONG["whole"]]
WRONG["object or none"] = [value for value in WRONG["object"] if value is not None]


def wrong_keys(right: str, other: str) -> list[Any]:
    """Return what is no key of an attempt: `right` is one, `other` is of somebody else's photo."""
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
    """Set one field of nested JSON; where a field around it was forged before, it stays so."""
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
    return wrong_keys(right, other) if kind == "key" else WRONG[kind]


def one_by_one(stage: Stage, folder: str, other: str) -> Iterable[dict[str, Any]]:
    """Yield a right result again and again, each time with one field that is wrong."""
    for path in FIELDS[stage]:
        for value in wrong_for(stage, path, at(outcome(stage, folder), path), other):
            row = outcome(stage, folder)
            put(row, path, value)
            yield row


# --- What hypothesis thinks of ----------------------------------------------------------------------------
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
INVENTED["side"] = INVENTED["whole"]
INVENTED["sha256"] = INVENTED["key"] = INVENTED["text"]
INVENTED["object or none"] = INVENTED["object"]


@st.composite
def several_at_once(draw: Callable, stages: Sequence[Stage], folders: dict[Stage, str], other: str) -> Any:
    """Draw (stage, a result of it in which one to four fields are wrong)."""
    stage = draw(st.sampled_from(stages))
    row = outcome(stage, folders[stage])
    for path in draw(st.lists(st.sampled_from(list(FIELDS[stage])), min_size=1, max_size=4, unique=True)):
        known = wrong_for(stage, path, at(outcome(stage, folders[stage]), path), other)
        put(row, path, draw(st.sampled_from(known) | INVENTED[FIELDS[stage][path]]))
    return stage, row


# --- What is said around results --------------------------------------------------------------------------
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


def message(job: str, attempt: int, kind: str, row: Any, **changed: Any) -> dict[str, Any]:
    """Return the keyword arguments of the task that records a result."""
    told = {"contract": messages.VERSION, "job": job, "attempt": attempt, "worker": "w@forged"}
    return told | {"kind": kind, "outcome": row} | changed
