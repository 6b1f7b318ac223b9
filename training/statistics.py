"""Intervals for figures: Wilson for shares, a bootstrap that keeps the photos of one person together.

A bootstrap of 0 hits among n has no width, and neither has one of n hits: no draw differs. 0 of 80 would read "0.000
[0.000, 0.000]", which claims a certainty that 80 photos do not give. There the Wilson interval stands instead, with
persons for n, since photos of one person are no independent witnesses (`of_share`, `auc_figure`, `likelihood_ratio`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

Figures = dict[str, Any]

Z = 1.959964  # two-sided 95 %
RESAMPLES = 1000


def wilson(hits: float, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of hits among n; (0, 1) for n = 0.

    From 0 hits it begins at 0, with n hits it ends at 1: exactly, which the formula misses by a rounding error.
    """
    if not n:
        return 0.0, 1.0
    share, room = hits / n, Z**2 / n
    middle = (share + room / 2) / (1 + room)
    reach = Z * np.sqrt(share * (1 - share) / n + room / (4 * n)) / (1 + room)
    low = 0.0 if hits <= 0 else max(0.0, middle - reach)
    high = 1.0 if hits >= n else min(1.0, middle + reach)
    return float(low), float(high)


def bootstrap(measure: Callable[[np.ndarray], float], groups: list[str], seed: int = 1) -> dict[str, float]:
    """Return {"value", "low", "high", "n"} of a measure over photos, resampled by group.

    `measure` takes the indices of photos and may return nan when they do not allow it.
    """
    values = resampled(measure, groups, seed)
    low, high = np.nanquantile(values, [0.025, 0.975]) if np.isfinite(values).any() else (np.nan, np.nan)
    return figure(measure(np.arange(len(groups))), low, high, len(groups))


def of_share(hits: np.ndarray, groups: list[str]) -> dict[str, float]:
    """Return the share of photos that hit, (N,) bool or 0 and 1: resampled by group, Wilson where no draw differs."""
    if not hits.size:
        return figure(np.nan, np.nan, np.nan, 0)
    drawn, photos = _drawn_sums(np.stack([hits, np.ones(len(hits))], axis=1), groups).T
    low, high = np.quantile(drawn / photos, [0.025, 0.975])
    return widened(figure(hits.mean(), low, high, len(hits)), len(set(groups)))


def _drawn_sums(counts: np.ndarray, groups: list[str], seed: int = 1) -> np.ndarray:
    """Return the sums (RESAMPLES, K) of counts (N, K) over the same draws of whole groups as `resampled` makes.

    An evaluation has hundreds of shares: drawn all at once they cost seconds instead of minutes.
    """
    names, owner = np.unique(groups, return_inverse=True)
    by_group = np.zeros((len(names), counts.shape[1]))
    np.add.at(by_group, owner, counts)
    picks = np.random.default_rng(seed).integers(len(names), size=(RESAMPLES, len(names)))
    return by_group[picks].sum(axis=1)


def widened(own: dict[str, float], persons: int) -> dict[str, float]:
    """Return a figure between 0 and 1 with the Wilson interval of so many persons where no draw differed."""
    if own["value"] is None or (own["low"] is not None and own["low"] < own["high"]):
        return own
    return figure(own["value"], *wilson(own["value"] * persons, persons), own["n"])


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Return the chance that a positive outscores a negative; ties count half, nan without both."""
    high, low = score[positive], score[~positive]
    if not high.size or not low.size:
        return np.nan
    return float(((high[:, None] > low).mean() + (high[:, None] >= low).mean()) / 2)


def auc_figure(score: np.ndarray, positive: np.ndarray, groups: list[str]) -> dict[str, float]:
    """Return the AUC of scores (N,) for positives (N,) bool; null where a class is missing.

    A draw in which a class vanishes is not scored. Where no draw differs, as when every positive outscores every
    negative, the interval is that of a share among the persons of the rarer class.
    """
    if positive.all() or not positive.any():
        return figure(np.nan, np.nan, np.nan, 0)
    names = np.array(groups)
    persons = min(len(set(names[positive])), len(set(names[~positive])))
    return widened(bootstrap(lambda i: auc(score[i], positive[i]), groups), persons)


def likelihood_ratio(
    rings: np.ndarray, ill: np.ndarray, well: np.ndarray, groups: list[str]
) -> dict[str, float]:
    """Return LR+ = P(rings | ill) / P(rings | well) of an alarm; all three (N,) bool; n counts ill and well.

    Resampled by group. No false alarm counts as half a one, so that the ratio stays finite. Where nobody ill rings, or
    nobody well, no draw differs: the interval is what the bounds of the two shares allow.
    """
    own = np.flatnonzero(ill | well)
    if not ill.any() or not well.any():
        return figure(np.nan, np.nan, np.nan, 0)
    names = np.array(groups)
    if rings[ill].any() and rings[well].any():
        counts = np.stack([rings & ill, ill, rings & well, well], axis=1)[own]
        hits, of_ill, false, of_well = _drawn_sums(counts, list(names[own])).T
        scored = (of_ill > 0) & (of_well > 0)  # a draw in which a class vanishes is not
        drawn = (hits / of_ill.clip(1)) / (false.clip(0.5) / of_well.clip(1))
        low, high = np.quantile(drawn[scored], [0.025, 0.975])
        return figure(rings[ill].mean() / rings[well].mean(), low, high, len(own))
    hit, false = (of_share(rings[which], list(names[which])) for which in (ill, well))
    least = 0.5 / np.count_nonzero(well)
    low, high = hit["low"] / false["high"], hit["high"] / max(false["low"], least)
    return figure(hit["value"] / max(false["value"], least), low, high, len(own))


def whole_folds(
    truth: np.ndarray, splits: Iterable[tuple[np.ndarray, np.ndarray]]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the (train, test) indices of the folds that may be scored: each class of `truth` is in their training part.

    Where the only persons of a class are tested, nothing of it could be learned. Scoring such a fold once said of
    features that reach .83 that they separate nothing (training/LOG.md).
    """
    every = set(truth)
    return ((train, test) for train, test in splits if set(truth[train]) == every)


def resampled(measure: Callable[[np.ndarray], float], groups: list[str], seed: int = 1) -> list[float]:
    """Return a measure on each of RESAMPLES draws of whole groups."""
    members = [np.flatnonzero(np.array(groups) == group) for group in sorted(set(groups))]
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(len(members), size=len(members)) for _ in range(RESAMPLES))
    return [measure(np.concatenate([members[i] for i in picks])) for picks in drawn]


def resample_mean(measure: Callable[[np.ndarray], float], groups: list[str]) -> tuple[float, float]:
    """Return the mean over the resamples with 1.96 of its standard errors: an interval of the computing, not of
    the patients. It shrinks with more resamples; published tables may hold it, so it is printed to compare."""
    values = np.array(resampled(measure, groups))
    reach = Z * values.std() / np.sqrt(len(values))
    return float(values.mean() - reach), float(values.mean() + reach)


def figure(value: float, low: float, high: float, n: int) -> dict[str, float]:
    """Return a figure for JSON; what could not be measured is null."""
    rounded = [None if np.isnan(v) else round(float(v), 4) for v in (value, low, high)]
    return dict(zip(("value", "low", "high"), rounded, strict=True)) | {"n": n}
