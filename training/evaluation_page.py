"""An evaluation as one HTML page: plots, thirds of skin tone, the worst photos by name, and all figures.

The page needs nothing but itself. It holds no photo: the worst ones are shown from where they lie, by addresses
relative to the page, and only on a machine that has them. So it may be passed on where photos may not.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jinja2
import numpy as np

from contract.messages import Classified
from inference_worker.models.classification import CONDITIONS
from training import inline_plots
from training.arms import FOUR
from training.classification_figures import (
    BACKGROUND,
    POSITIVE,
    among_four,
    answered_share,
    answers,
    probabilities,
    rings,
    truths,
)
from training.data import Row
from training.statistics import Figures

if TYPE_CHECKING:  # it imports this module
    from training.evaluate import Judged, Measured

SHOWN = 24  # of the worst photos
SILENT = "no answer"


def classification_page(figures: Figures, judged: Judged, file: Path, arguments: list[str]) -> str:
    """Return the page of a classification; `file` is where it will lie, `arguments` what was asked for."""
    truth, named = truths(judged.rows), answers(judged.opinions)
    p = probabilities(judged.opinions)
    forced = np.array(CONDITIONS)[p.argmax(axis=1)]
    plots = [
        ("ROC among the four diseases; scores normalised over the four", _roc_of_four(truth, p)),
        ("ROC of each alarm against AD and OTHER; the dot is where it rings", _roc_of_alarms(truth, judged)),
        (
            "Reliability: of photos told so much, so many have it (Wilson intervals)",
            inline_plots.reliability(
                {name: (p[:, i], truth == name) for i, name in enumerate(CONDITIONS)},
            ),
        ),
    ]
    confusions = [
        ("What is named", _confusion(truth, np.where(named == "", SILENT, named), (*CONDITIONS, SILENT))),
        ("The likeliest, named or not", _confusion(truth, forced, CONDITIONS)),
        ("Which alarm rings", _alarm_table(truth, judged.opinions)),
    ]
    worst = sorted(range(len(truth)), key=lambda i: p[i, CONDITIONS.index(truth[i])])[:SHOWN]
    photos = [
        (judged.rows[i], [truth[i], named[i] or SILENT, forced[i], ", ".join(_ringing_of(judged.opinions[i])) or "-", f"{p[i, CONDITIONS.index(truth[i])]:.3f}"])
        for i in worst
    ]  # fmt: skip
    head = ["truth", "named", "likeliest", "alarms", "probability of the truth"]
    return _render(figures, file, arguments, plots, confusions, [("Least expected", head, photos)])


def segmentation_page(
    figures: Figures, rows: list[Row], measured: list[Measured], file: Path, arguments: list[str]
) -> str:
    """Return the page of a segmentation: how many photos stay below each overlap, and the lowest."""
    overlaps = {
        "skin or lesion": np.array([one.network.skin_iou for one in measured]),
        "lesion": np.array([one.network.lesion_iou for one in measured]),
        "lesion, colour alone": np.array([one.colour.lesion_iou for one in measured]),
    }
    below = {name: inline_plots.below_points(own) for name, own in overlaps.items()}
    plot = inline_plots.curves(below, {}, "overlap with the truth (IoU)", "share of photos not above it")
    worst = []
    for name in ("skin or lesion", "lesion"):
        own = overlaps[name]
        order = [i for i in np.argsort(own, kind="stable") if not np.isnan(own[i])][: SHOWN // 2]
        photos = [(rows[i], [rows[i].label, f"{own[i]:.3f}"]) for i in order]
        worst.append((f"Lowest overlap: {name}", ["label", "IoU"], photos))
    return _render(figures, file, arguments, [("Overlap by photo", plot)], [], worst)


def _roc_of_four(truth: np.ndarray, p: np.ndarray) -> str:
    four = np.isin(truth, FOUR)
    named = {"not AD": inline_plots.roc_points(1 - among_four(p[four], "AD"), truth[four] != "AD")}
    for name in POSITIVE:
        points = inline_plots.roc_points(among_four(p[four], name), truth[four] == name)
        named[f"{name} against the other three"] = points
    return inline_plots.curves(named, {}, "share of the others", "share of the positives")


def _roc_of_alarms(truth: np.ndarray, judged: Judged) -> str:
    named, marks = {}, {}
    for name in POSITIVE:
        score = np.array([alarm_score(opinion, name) for opinion in judged.opinions])
        ringing = np.array([rings(opinion, name) for opinion in judged.opinions])
        which = np.isin(truth, (name, *BACKGROUND))
        points = inline_plots.roc_points(score[which], truth[which] == name)
        if points and not np.isnan(score).any():
            named[name] = points
            marks[name] = (
                float(ringing[which & (truth != name)].mean()),
                float(ringing[truth == name].mean()),
            )
    return inline_plots.curves(named, marks, "false alarms among AD and OTHER", "rings for the condition")


def alarm_score(opinion: Classified, condition: str) -> float:
    """Return what the alarm of a condition is judged by; nan where the weights have no such alarm."""
    return next((alarm.score for alarm in opinion.alarms if alarm.condition == condition), np.nan)


def _ringing_of(opinion: Classified) -> list[str]:
    return [name for name in POSITIVE if rings(opinion, name)]


Table = dict[str, Any]


def _confusion(truth: np.ndarray, answer: np.ndarray, columns: tuple[str, ...]) -> Table:
    """Return how many photos of each truth (rows) got each answer (columns), and their number."""
    rows = [
        [name, *(int(((truth == name) & (answer == column)).sum()) for column in columns), int(own.sum())]
        for name in CONDITIONS
        if (own := truth == name).any()
    ]
    return {"head": ["truth", *columns, "n"], "rows": rows}


def _alarm_table(truth: np.ndarray, opinions: list[Classified]) -> Table:
    sent = dict.fromkeys(str(alarm.condition) for opinion in opinions for alarm in opinion.alarms)
    ringing = {name: np.array([rings(opinion, name) for opinion in opinions]) for name in sent}
    silent = np.array([not _ringing_of(opinion) for opinion in opinions])
    rows = [
        [name, *(int(hits[own].sum()) for hits in (*ringing.values(), silent)), int(own.sum())]
        for name in CONDITIONS
        if (own := truth == name).any()
    ]
    return {"head": ["truth", *ringing, "none", "n"], "rows": rows}


def _render(figures: Figures, file: Path, arguments: list[str], plots: list, confusions: list, worst: list) -> str:  # fmt: skip
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
    )
    thirds = figures.get("by_tone_third", {})
    return environment.get_template("evaluation.html").render(
        model=figures["model"],
        command=shlex.join(["python", "-m", "training.evaluate", *arguments]),
        plots=plots,
        confusions=confusions,
        thirds={"head": ["figure", *thirds], "rows": list(_side_by_side(thirds))},
        worst=[
            (title, head, [(row.name, _address(row.path, file), cells) for row, cells in photos])
            for title, head, photos in worst
        ],
        sections=list(_sections(figures)),
    )


def _address(photo: Path, page: Path) -> str:
    return quote(Path(os.path.relpath(photo, page.parent)).as_posix())


def _side_by_side(parts: dict[str, Figures]) -> Iterator[list[str]]:
    """Yield each figure with its value in every part; one that no part could measure is left out."""
    names = dict.fromkeys(name for own in parts.values() for name, one in own.items() if _is_figure(one))
    for name in names:
        cells = [_cell(own.get(name)) for own in parts.values()]
        if any(cell != "-" for cell in cells):
            yield [name, *cells]


def _cell(own: Figures | None) -> str:
    if own is None or own["value"] is None:
        return "-"
    return f"{own['value']:.3f} [{_bound(own['low'])}, {_bound(own['high'])}] {own['n']}"


def _bound(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _sections(figures: Figures) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield a title and the lines of all photos, then of each part."""
    yield "All photos", list(_lines(figures))
    for title, own in figures.items():
        if title.startswith("by_"):
            for part, its in own.items():
                yield f"{title.removeprefix('by_').replace('_', ' ')}: {part}", list(_lines(its))
        elif isinstance(own, dict) and not _is_figure(own):
            yield title.replace("_", " "), list(_lines(own))


def _lines(figures: Figures) -> Iterator[list[str]]:
    for name, own in figures.items():
        if _is_figure(own):
            answered = answered_share(name, figures)
            shares = [_bound(own[key]) for key in ("value", "low", "high")]
            yield [name, *shares, str(own["n"]), "" if answered is None else f"{answered:.3f}"]


def _is_figure(own: object) -> bool:
    return isinstance(own, dict) and "value" in own
