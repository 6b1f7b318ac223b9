"""Plots inside an evaluation's page: SVG written by hand, the same bytes each time, without a library to load."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from training.statistics import wilson

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000")  # Okabe and Ito 2008
SIDE, LEFT, TOP, BELOW, LINE = 240, 44, 10, 40, 15  # px: plot, margins, a line of the legend
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
BINS = 8  # of about the same number of photos each

Point = tuple[float, float]


def roc_points(score: np.ndarray, positive: np.ndarray) -> list[Point]:
    """Return (share of negatives, share of positives) at or above each score (N,), from (0, 0) to (1, 1).

    Nothing without both classes.
    """
    if positive.all() or not positive.any():
        return []
    steps = sorted(set(score), reverse=True)
    return [(0.0, 0.0)] + [
        (float((score[~positive] >= step).mean()), float((score[positive] >= step).mean())) for step in steps
    ]


def below_points(values: np.ndarray) -> list[Point]:
    """Return (value, share of the values that are not above it), values (N,) in 0..1; nan is left out."""
    known = np.sort(values[~np.isnan(values)])
    return [(float(v), (i + 1) / len(known)) for i, v in enumerate(known)]


def reliability_points(p: np.ndarray, hits: np.ndarray) -> list[tuple[Point, tuple[float, float]]]:
    """Return for each bin of about as many photos (mean of p, share of hits) and the share's Wilson interval."""
    bins = [own for own in np.array_split(np.argsort(p, kind="stable"), BINS) if own.size]
    return [
        ((float(p[own].mean()), float(hits[own].mean())), wilson(int(hits[own].sum()), len(own)))
        for own in bins
    ]


def curves(named: dict[str, list[Point]], marks: dict[str, Point], x_label: str, y_label: str) -> str:
    """Draw curves in the unit square, a colour each, and on them single points of the same colour."""
    body, legend = [], []
    for (name, points), colour in zip(named.items(), COLOURS, strict=False):
        if not points:
            continue
        legend.append((name, colour))
        body.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{_path(points)}"/>')
        if name in marks:
            body.append(_dot(marks[name], colour))
    return _square(body, legend, x_label, y_label)


def reliability(named: dict[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """Draw for each name the share of hits (N,) bool against the predicted probability (N,), with intervals."""
    body, legend = [], []
    for (name, (p, hits)), colour in zip(named.items(), COLOURS, strict=False):
        if not hits.any():  # a class that no photo has would be a line at 0
            continue
        found = reliability_points(p, hits)
        legend.append((name, colour))
        points = [point for point, _ in found]
        body.append(f'<polyline fill="none" stroke="{colour}" points="{_path(points)}"/>')
        for (x, _y), (low, high) in found:
            body.append(
                f'<polyline stroke="{colour}" stroke-opacity=".4" points="{_path([(x, low), (x, high)])}"/>'
            )
        body += [_dot(point, colour) for point in points]
    return _square(body, legend, "predicted probability", "share that has it")


def _square(body: Iterable[str], legend: Sequence[tuple[str, str]], x_label: str, y_label: str) -> str:
    height = TOP + SIDE + BELOW + LINE * len(legend)
    width = LEFT + SIDE + 16
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-size="10" font-family="sans-serif">',
            *_axes(x_label, y_label),
            *body,
            *(
                f'<text x="{LEFT}" y="{TOP + SIDE + BELOW + LINE * (i + 0.6):.0f}" fill="{colour}">{html.escape(name)}</text>'
                for i, (name, colour) in enumerate(legend)
            ),
            "</svg>",
        ]
    )  # fmt: skip


def _axes(x_label: str, y_label: str) -> Iterator[str]:
    yield f'<rect x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#888"/>'
    yield f'<polyline stroke="#bbb" stroke-dasharray="3 3" points="{_path([(0, 0), (1, 1)])}"/>'
    for tick in TICKS:
        x, y = _place((tick, tick))
        yield f'<text x="{x}" y="{TOP + SIDE + 13}" text-anchor="middle">{tick:g}</text>'
        yield f'<text x="{LEFT - 5}" y="{float(y) + 3:.1f}" text-anchor="end">{tick:g}</text>'
    yield f'<text x="{LEFT + SIDE / 2}" y="{TOP + SIDE + 28}" text-anchor="middle">{html.escape(x_label)}</text>'
    yield (
        f'<text transform="translate(11 {TOP + SIDE / 2}) rotate(-90)" text-anchor="middle">'
        f"{html.escape(y_label)}</text>"
    )


def _place(point: Point) -> tuple[str, str]:
    return f"{LEFT + SIDE * point[0]:.1f}", f"{TOP + SIDE * (1 - point[1]):.1f}"


def _path(points: Iterable[Point]) -> str:
    return " ".join(",".join(_place(point)) for point in points)


def _dot(point: Point, colour: str) -> str:
    x, y = _place(point)
    return f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>'
