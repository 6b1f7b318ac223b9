"""The figures of `training.zooms`: what becomes of masks and verdicts with the distance."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from training.evaluate import Figures
from training.statistics import bootstrap, figure, of_share, wilson

LOOKS = ("first", "both")
LESION_KEPT = 0.9  # goal: of the lesion IoU at 1x, at every zoom
BOX_TRUE = 0.95  # goal: of the best boxes that obey the rule in the true mask


def mask_figures(rows: list[dict]) -> Figures:
    """Return by source, look and zoom: overlap, lesion overlap as a share of that at 1x, crops found and crops true."""
    sources = sorted({row["source"] for row in rows})
    return {
        source: {look: _by_zoom([row for row in rows if row["source"] == source], look) for look in LOOKS}
        for source in sources
    }


def _by_zoom(rows: list[dict], look: str) -> Figures:
    at_one = {row["name"]: row for row in rows if row["zoom"] == 1}
    found = {}
    for zoom in sorted({row["zoom"] for row in rows}):
        own = [row for row in rows if row["zoom"] == zoom]
        judged = [row for row in own if row["true_crop"]]
        boxed = [row for row in own if row[f"{look}_box"] is not None]
        found[f"{zoom:g}"] = {
            "skin_iou": _mean(own, f"{look}_skin"),
            "lesion_iou": _mean(own, f"{look}_lesion"),
            "lesion_kept": kept_share(own, at_one, f"{look}_lesion"),
            "crop_found": _share(sum(row[f"{look}_box"] is not None for row in judged), len(judged)),
            "best_box_true": _share(sum(row[f"{look}_box"] for row in boxed), len(boxed)),
        }
    return found


def kept_share(rows: list[dict], at_one: dict[str, dict], column: str) -> Figures:
    """Return the mean of a column over the same photos' mean at 1x, resampled by group."""
    pairs = [(row[column], at_one[row["name"]][column], row["group"]) for row in rows]
    pairs = [pair for pair in pairs if None not in pair[:2] and np.isfinite(pair[:2]).all()]
    here, there = np.array([pair[:2] for pair in pairs]).reshape(-1, 2).T

    def ratio(i: np.ndarray) -> float:
        return float(here[i].mean() / there[i].mean()) if there[i].any() else np.nan

    return bootstrap(ratio, [pair[2] for pair in pairs]) if pairs else figure(np.nan, np.nan, np.nan, 0)


def _mean(rows: list[dict], column: str) -> Figures:
    known = [row for row in rows if row[column] is not None and np.isfinite(row[column])]
    values = np.array([row[column] for row in known])
    if not known:
        return figure(np.nan, np.nan, np.nan, 0)
    return bootstrap(lambda i: float(values[i].mean()), [row["group"] for row in known])


def _share(hits: int, n: int) -> Figures:
    return figure(hits / n if n else np.nan, *wilson(hits, n), n)


def by_name(rows: list[dict]) -> dict[str, list[dict]]:
    """Return the rows of each photo in the order in which they were made: farthest first."""
    photos = defaultdict(list)
    for row in rows:
        photos[row["name"]].append(row)
    return photos


# --- Verdicts ---------------------------------------------------------------------------------------------
FLIPS_AT_MOST = 0.15  # goal: of verdicts that differ from the one at 1x
HERPES_KEPT = 0.9  # goal: of the herpes alarm's sensitivity at 1x, at every zoom
ARMS = ("with crops", "whole photo only")
UNUSABLE, INCONCLUSIVE = "not usable", "inconclusive"


def verdict_figures(rows: list[dict]) -> Figures:
    """Return by arm: flips by class and zoom against 1x, flips from step to step, herpes sensitivity, shares of each verdict."""
    figures = {}
    for arm in ARMS:
        own = [row for row in rows if row["arm"] == arm]
        classes = sorted({row["class"] for row in own})
        herpes = [row for row in own if row["class"] == "HI"]
        lost = [row for row in _beside_one(herpes) if _rings(row["at_one"]) and not _rings(row["verdict"])]
        figures[arm] = {
            "flips": {name: flips_from_one([r for r in own if r["class"] == name]) for name in classes}
            | {"all": flips_from_one(own)},
            "flips_by_step": {name: flips_by_step([r for r in own if r["class"] == name]) for name in classes}
            | {"all": flips_by_step(own)},
            "alarm_lost": _by(
                _beside_one(own), lambda row: _rings(row["at_one"]) and not _rings(row["verdict"])
            ),
            "alarm_gained": _by(
                _beside_one(own), lambda row: _rings(row["verdict"]) and not _rings(row["at_one"])
            ),
            "herpes_sensitivity": _by(herpes, lambda row: row["herpes"]),
            "herpes_kept": _herpes_kept(herpes),
            "lost_with_crop": _by(lost, lambda row: row["boxes"] > 0),
            "inconclusive": _by(own, lambda row: row["verdict"] == INCONCLUSIVE),
            "not_usable": _by(own, lambda row: row["verdict"] == UNUSABLE),
            "alarm": _by(own, lambda row: _rings(row["verdict"])),
            "crop_found": _by(own, lambda row: row["boxes"] > 0),
        }
    return figures


def flips_from_one(rows: list[dict]) -> Figures:
    """Return how often the verdict differs from that of the same photo at 1x: at each zoom, and over all."""
    moved = [row | {"flipped": row["verdict"] != row["at_one"]} for row in _beside_one(rows)]
    return _by(moved, lambda row: row["flipped"]) | {"all": _boot(moved, lambda row: row["flipped"])}


def _beside_one(rows: list[dict]) -> list[dict]:
    """Return the rows of the other zooms, with the verdict on the same photo at 1x."""
    at_one = {row["name"]: row["verdict"] for row in rows if row["zoom"] == 1}
    return [row | {"at_one": at_one[row["name"]]} for row in rows if row["zoom"] != 1]


def _rings(verdict: str) -> bool:
    return verdict.startswith("alarm")


def flips_by_step(rows: list[dict]) -> Figures:
    """Return how often the verdict differs from that one zoom farther away."""
    steps = [
        near | {"flipped": near["verdict"] != far["verdict"]}
        for own in by_name(rows).values()
        for far, near in itertools.pairwise(own)
    ]
    return _boot(steps, lambda row: row["flipped"])


def _herpes_kept(rows: list[dict]) -> Figures:
    at_one = {row["name"]: row for row in rows if row["zoom"] == 1}
    zooms = sorted({row["zoom"] for row in rows})
    return {
        f"{zoom:g}": kept_share([row for row in rows if row["zoom"] == zoom], at_one, "herpes")
        for zoom in zooms
    }


def _by(rows: list[dict], hit: Callable[[dict], bool]) -> Figures:
    zooms = sorted({row["zoom"] for row in rows})
    return {f"{zoom:g}": _boot([row for row in rows if row["zoom"] == zoom], hit) for zoom in zooms}


def _boot(rows: list[dict], hit: Callable[[dict], bool]) -> Figures:
    """Return a share, resampled by group; where all or none hit, with Wilson's bounds, where a bootstrap has no width."""
    return of_share(np.array([bool(hit(row)) for row in rows]), [row["group"] for row in rows])
