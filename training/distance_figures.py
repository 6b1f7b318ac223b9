"""The figures of the controlled experiment: accuracy, crops, flips and the herpes account by field of view."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from training.arms import ARMS, AUTOMATIC, FOUR, JOINT, ORIGINAL, TRUE_CROP
from training.evaluate import over
from training.paper_table import Answers
from training.paper_table import figures_of as table_figures
from training.statistics import Figures, bootstrap, figure, wilson

FIELDS_CM = (4, 6, 9, 13, 20, 30, 44, 65, 95, 120)  # across the long side of the photo
FLAGGED = "joint, alarm"  # HI as soon as it reaches its alarm line
WITH_WHOLE = (JOINT, FLAGGED)


def figures_of(rows: list[dict], margin: float) -> Figures:
    """Return the table over all distances, the curves by field, the flips and the herpes account."""
    named = {arm: np.array([row[arm] for row in rows]) for arm in ARMS}
    groups = [str(row["seed"]) for row in rows]
    return {
        "scenes": len(rows),
        # Of a drawn scene the truth is always known.
        "table": table_figures(
            Answers(
                np.array([row["condition"] for row in rows]),
                groups,
                named,
                has_truth=np.ones(len(rows), bool),
            ),
            margin,
        ),
        "accuracy": {arm: by_field(rows, lambda row, a=arm: row[a] == row["condition"]) for arm in ARMS},
        "by_class": {
            arm: {
                name: by_field(_of(rows, name), lambda row, a=arm: row[a] == row["condition"])
                for name in FOUR
            }
            for arm in (*ARMS, FLAGGED)
        },
        "crop_found": {
            kind: {name: by_field(_of(rows, name), lambda row, k=kind: row[k] > 0) for name in FOUR}
            for kind in ("true_boxes", "boxes")
        },
        "flips": {arm: flips(rows, arm) for arm in ARMS},
        "flips_by_class": {arm: {name: flips(_of(rows, name), arm) for name in FOUR} for arm in ARMS},
        "flips_by_field": {
            name: {arm: flips_by_field(_of(rows, name), arm) for arm in ARMS} for name in FOUR
        },
        "herpes": herpes_account(rows),
        "gain": {
            f"{one} over {other}": {
                str(field): _gain([row for row in rows if row["field"] == field], one, other)
                for field in FIELDS_CM
            }
            for one, other in ((AUTOMATIC, ORIGINAL), (AUTOMATIC, TRUE_CROP), (JOINT, ORIGINAL))
        },
    }


def _of(rows: list[dict], condition: str) -> list[dict]:
    return [row for row in rows if row["condition"] == condition]


def by_field(rows: list[dict], hit: Callable[[dict], bool]) -> Figures:
    """Return the share of rows that hit at each field of view, with its Wilson interval."""
    found = {}
    for field in FIELDS_CM:
        hits = [hit(row) for row in rows if row["field"] == field]
        found[str(field)] = _share(sum(hits), len(hits))
    return found


def _share(hits: int, n: int) -> Figures:
    return figure(hits / n if n else np.nan, *wilson(hits, n), n)


def _gain(rows: list[dict], one: str, other: str) -> Figures:
    """Return the paired difference of accuracy at one field of view."""
    if not rows:
        return figure(np.nan, np.nan, np.nan, 0)
    gain = np.array([(row[one] == row["condition"]) - float(row[other] == row["condition"]) for row in rows])
    return bootstrap(lambda i: float(gain[i].mean()), [str(row["seed"]) for row in rows])


def flips(rows: list[dict], arm: str) -> Figures:
    """Return how often the answer changes from one field of view to the next, with the person the same.

    To find no crop any more, or one again, is a change too.
    """
    persons = by_person(rows, arm)
    if not persons:
        return figure(np.nan, np.nan, np.nan, 0)
    changes = [np.mean([a != b for a, b in zip(own, own[1:], strict=False)]) for own in persons.values()]
    return bootstrap(lambda i: float(np.mean(np.array(changes)[i])), [str(seed) for seed in persons])


def flips_by_field(rows: list[dict], arm: str) -> Figures:
    """Return at each field of view but the first the share of persons answered otherwise than one step nearer."""
    steps = zip(*by_person(rows, arm).values(), strict=True)
    changes = [[a != b for a, b in zip(near, far, strict=True)] for near, far in itertools.pairwise(steps)]
    return {
        str(field): _share(sum(own), len(own)) for field, own in zip(FIELDS_CM[1:], changes, strict=False)
    }


def by_person(rows: list[dict], arm: str) -> dict[int, list[str]]:
    """Return what an arm answers about each person, nearest first."""
    persons = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["field"]):
        persons[row["seed"]].append(row[arm])
    return persons


def herpes_account(rows: list[dict]) -> Figures:
    """Return what the 80/10 rule costs herpes, and what looking at the whole photo too wins back."""
    herpes = _of(rows, "HI")
    groups, all_of_them = [str(row["seed"]) for row in herpes], np.ones(len(herpes), bool)

    def recall(arm: str, own: list[dict]) -> Figures:
        return _share(sum(row[arm] == "HI" for row in own), len(own))

    without = [row for row in herpes if not row["true_boxes"]]
    lost = np.array([float(row[AUTOMATIC] != "HI") for row in herpes])
    won = {
        arm: np.array([float(row[AUTOMATIC] != "HI" and row[arm] == "HI") for row in herpes])
        for arm in WITH_WHOLE
    }
    others = [row for row in rows if row["condition"] != "HI"]
    return {
        "no_true_crop": _share(len(without), len(herpes)),
        "no_automatic_crop": _share(sum(not row["boxes"] for row in herpes), len(herpes)),
        "recall": {arm: recall(arm, herpes) for arm in (*ARMS, FLAGGED)},
        "recall_without_true_crop": {arm: recall(arm, without) for arm in (*ARMS, FLAGGED)},
        "missed_by_automatic_crop": over(all_of_them, groups, lambda i: float(lost[i].mean())),
        "of_all_won_back": {
            arm: over(all_of_them, groups, lambda i, own=own: float(own[i].mean()))
            for arm, own in won.items()
        },
        "others_called_herpes": {
            arm: _share(sum(row[arm] == "HI" for row in others), len(others))
            for arm in (AUTOMATIC, *WITH_WHOLE)
        },
    }
