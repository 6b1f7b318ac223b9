"""What is each measured sign worth as a hint, and how far can it be trusted?

    python -m training.signs --manifest CSV --root DIR --use evaluate --json OUT --markdown docs/models/signs.md

For each sign: its median and its error by class, and the area under the curve (AUC) with which it tells one disease
from the other three and from AD alone. Below .5 the disease has less of it. Intervals are 95 % of a bootstrap over
persons. What was measured is kept beside `--json`, named by weights and code, so that a stopped run goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from contract.signs import SignName
from inference_worker.models import engine, signs, weights
from inference_worker.models.classification import CLASSES
from inference_worker.models.segmentation import Segmenter
from training.data import Row, exit_on_manifest_error, measuring_rows, output, read_photo
from training.evaluate import ANALYSIS_LONG_SIDE
from training.statistics import Figures, auc, bootstrap, figure
from training.zoom_page import cell
from training.zooms import counted, drawn_of_each, kept, kept_file, write_json

FOUR = ("AD", "HI", "IM", "MF")
MEANING = {
    SignName.LESION_SHARE: "lesion, as a share of all visible skin in the photo (lesion and own skin)",
    SignName.REDNESS: "CIELAB a* (green to red) of the lesion less that of own skin, in units of a*",
    SignName.YELLOW_CRUST: "share of the lesion that is yellower than own skin",
    SignName.DARK_CRUST: "share of the lesion that is much darker than own skin",
    SignName.LESIONS: "number of separate lesions",
    SignName.LESION_SIZE: "median area of one lesion, as a share of all visible skin in the photo",
    SignName.EDGE: "colour difference (CIE 1976, ΔE) between the two sides of the lesion's edge: below 5 a soft edge, above 12 a sharp one",
}
# AUC against the other three in the trial that issue 16 names, by sign and condition.
TRIAL = {(SignName.YELLOW_CRUST, "IM"): 0.8, (SignName.LESION_SIZE, "MF"): 0.8}
UNCERTAIN_SHARE = 0.5  # an error above this share of the value: the page calls it uncertain


def sign_rows(row: Row, segmenter: Segmenter) -> list[dict]:
    """Return one row with the values and errors of a photo's signs."""
    photo = read_photo(row.path, ANALYSIS_LONG_SIDE)
    found = signs.signs_of(photo, segmenter([photo])[0], segmenter)
    about = {"name": row.name, "class": row.label, "group": row.group}
    return [about | {"signs": {sign.name.value: [sign.value, sign.error] for sign in found}}]


def figures_of(rows: list[dict]) -> Figures:
    """Return for each sign what it measures by class, and how well it tells the four diseases apart."""
    return {name.value: _of_sign(rows, name.value) for name in SignName}


def _of_sign(rows: list[dict], name: str) -> Figures:
    known = [row for row in rows if name in row["signs"]]
    value, error = np.array([row["signs"][name] for row in known]).reshape(-1, 2).T
    label, groups = np.array([row["class"] for row in known]), [row["group"] for row in known]
    four = np.isin(label, FOUR)

    def auc_of(one: str, others: np.ndarray) -> Figures:
        own = np.flatnonzero((label == one) | others)
        if not (label[own] == one).any() or not others.any():
            return figure(np.nan, np.nan, np.nan, 0)
        return bootstrap(lambda i: auc(value[own[i]], label[own[i]] == one), [groups[k] for k in own])

    def median(which: np.ndarray, values: np.ndarray) -> Figures:
        own = np.flatnonzero(which)
        if not own.size:
            return figure(np.nan, np.nan, np.nan, 0)
        return bootstrap(lambda i: float(np.median(values[own[i]])), [groups[k] for k in own])

    doubtful = (error > UNCERTAIN_SHARE * np.abs(value)).astype(float)
    return {
        "measured": figure(len(known) / max(1, len(rows)), np.nan, np.nan, len(rows)),
        "median": {one: median(label == one, value) for one in sorted(set(label))},
        "median_error": median(np.ones(len(known), bool), error),
        "uncertain": bootstrap(lambda i: float(doubtful[i].mean()), groups) if known else None,
        "auc_against_the_other_three": {one: auc_of(one, four & (label != one)) for one in FOUR},
        "auc_against_ad": {one: auc_of(one, label == "AD") for one in FOUR[1:]},
    }


def page(figures: Figures) -> str:
    return "\n".join(_page(figures)) + "\n"


def _page(figures: Figures) -> Iterator[str]:
    yield "# Signs without a diagnosis\n"
    yield f"Written by `python -m training.signs`; {figures['model']}; photos: {figures['photos']}. Figures with 95 %"
    yield "interval over persons, (n). `inference_worker/models/signs.py` defines each sign; its bounds are not fitted.\n"
    yield "An AUC of .5 tells nothing; below .5 the disease has less of the sign. Herpes photos here are mostly of lips and"
    yield "impetigo of faces, and the lesion is the network's: a sign can tell a body site or a fault of segmentation.\n"
    yield "| sign | what it is |\n|---|---|"
    yield from (f"| {name} | {meaning} |" for name, meaning in MEANING.items())
    yield "\n## What is seen\n"
    yield from _seen(figures)
    yield "\n## How well each tells one disease from the other three\n"
    yield "| sign | " + " | ".join(FOUR) + " |\n|---|" + "---|" * len(FOUR)
    for name in SignName:
        own = figures[name.value]["auc_against_the_other_three"]
        yield f"| {name} | " + " | ".join(cell(own[one]) for one in FOUR) + " |"
    yield "\n## From AD alone\n"
    yield "| sign | " + " | ".join(FOUR[1:]) + " |\n|---|" + "---|" * len(FOUR[1:])
    for name in SignName:
        own = figures[name.value]["auc_against_ad"]
        yield f"| {name} | " + " | ".join(cell(own[one]) for one in FOUR[1:]) + " |"
    yield "\n## What is measured, and how far it can be repeated\n"
    yield "*Error*: the largest change when the photo is segmented again, mirrored and from a little nearer. *Uncertain*:"
    yield f"photos whose error is above {UNCERTAIN_SHARE:.0%} of the value; the review page says so.\n"
    yield (
        "| sign | measured in | median error | uncertain | "
        + " | ".join(f"median {one}" for one in FOUR)
        + " |"
    )
    yield "|---|---|---|---|" + "---|" * len(FOUR)
    for name in SignName:
        own = figures[name.value]
        medians = " | ".join(_number(own["median"].get(one)) for one in FOUR)
        uncertain = cell(own["uncertain"]) if own["uncertain"] else "-"
        measured = f"{own['measured']['value']:.0%} of {own['measured']['n']}"
        yield f"| {name} | {measured} | {_number(own['median_error'])} | {uncertain} | {medians} |"


def _seen(figures: Figures) -> Iterator[str]:
    """Yield what the intervals allow to say, and what became of the trial."""
    for one in FOUR:
        sure = [
            f"{name} {cell(own)}"
            for name in SignName
            if (own := figures[name.value]["auc_against_the_other_three"][one])["value"] is not None
            and not own["low"] <= 0.5 <= own["high"]
        ]
        yield f"- {one}: {'; '.join(sure) or 'no sign has an interval without .5'}."
    for (name, one), value in TRIAL.items():
        own = figures[name.value]["auc_against_the_other_three"][one]
        if own["value"] is None:
            continue
        is_found = own["low"] <= value <= own["high"]
        doubt = figures[name.value]["uncertain"]["value"]
        yield (
            f"- The trial's {value:.2f} for {name} and {one} is {'inside' if is_found else '**not inside**'} the interval: "
            f"{cell(own)}. In {doubt:.0%} of photos its error is above half of its value."
        )


def _number(own: Figures | None) -> str:
    """Return a figure of any size with three significant digits."""
    if own is None or own["value"] is None:
        return "-"
    return f"{own['value']:.3g} [{own['low']:.3g}, {own['high']:.3g}] ({own['n']})"


@exit_on_manifest_error
def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    rows = measuring_rows(arguments, classes=CLASSES, only=FOUR)
    drawn = drawn_of_each(rows, arguments.per_class, arguments.seed)
    own = weights.published("segmentation")
    segmenter = Segmenter(own, engine.select_engine(arguments.device))
    code = hashlib.sha256(inspect.getsource(signs).encode()).hexdigest()
    measured = kept(
        kept_file(arguments.json, own.sha256, code),
        ((row.name, partial(sign_rows, row, segmenter)) for row in drawn),
    )
    figures = figures_of(measured)
    figures["model"] = f"{own.name} {own.version} {own.sha256[:12]}"
    figures["photos"] = ", ".join(f"{name} {n}" for name, n in counted(drawn, rows).items())
    write_json(arguments.json, figures)
    arguments.markdown.write_text(page(figures), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True, help="folder the manifest's paths start from")
    parser.add_argument("--use", help="only rows of this use, e.g. evaluate")
    parser.add_argument("--per-class", type=int, help="only so many photos of each class, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1, help="of the draw; default %(default)s")
    parser.add_argument("--json", type=output, required=True)
    parser.add_argument("--markdown", type=output, required=True)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    return parser


if __name__ == "__main__":
    main()
