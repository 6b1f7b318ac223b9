"""Intervals for figures: Wilson for shares, a bootstrap that keeps the photos of one person together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Z = 1.959964  # two-sided 95 %
RESAMPLES = 1000


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of hits among n; (0, 1) for n = 0."""
    if not n:
        return 0.0, 1.0
    share, room = hits / n, Z**2 / n
    middle = (share + room / 2) / (1 + room)
    reach = Z * np.sqrt(share * (1 - share) / n + room / (4 * n)) / (1 + room)
    return float(max(0.0, middle - reach)), float(min(1.0, middle + reach))


def bootstrap(measure: Callable[[np.ndarray], float], groups: list[str], seed: int = 1) -> dict[str, float]:
    """Return {"value", "low", "high", "n"} of a measure over photos, resampled by group.

    `measure` takes the indices of photos and may return nan when they do not allow it.
    """
    values = resampled(measure, groups, seed)
    low, high = np.nanquantile(values, [0.025, 0.975]) if np.isfinite(values).any() else (np.nan, np.nan)
    return figure(measure(np.arange(len(groups))), low, high, len(groups))


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
