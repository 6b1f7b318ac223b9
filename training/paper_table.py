"""The table of the paper, made again on photos of one's own, with intervals that can be compared.

    python -m training.paper_table --manifest CSV --root DIR --markdown OUT.md --json OUT.json
    python -m training.paper_table ... --crops BOXES.csv    # a dermatologist's crops

Columns `file,class` (AD, HI, IM, MF; other rows are left out), `group`, and `mask` for the true crops, or BOXES.csv
with `file,x,y,width,height`: a line without numbers says that the dermatologist found nothing to cut out. "Positive"
is not AD: sensitivity says that a complication is called one, specificity that AD is called AD. A photo in which an
arm finds no crop is answered wrongly by that arm; "answered" leaves it out.

The true crop is judged on the photos that have a mask or stand in BOXES.csv, and compared on these alone. Where none
has, that arm and its comparisons are left out: without truth its sensitivity would read 0, and any other arm "better".

Three intervals stand beside each figure: Wilson; a bootstrap over persons; and the mean over resamples with its
standard error, which is far too narrow and is printed because published tables may hold that one.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from contract.messages import Box
from inference_worker.models import engine, weights
from inference_worker.models.classification import Classifier
from inference_worker.models.cropping import boxes_of
from inference_worker.models.segmentation import Segmenter
from training.arms import ARMS, AUTOMATIC, FOUR, JOINT, ORIGINAL, TRUE_CROP, Looks, answer, looks
from training.data import Row, exit_on_manifest_error, measuring_rows, output, read_mask, read_photo
from training.evaluate import ANALYSIS_LONG_SIDE, share
from training.mask_scores import UNKNOWN
from training.statistics import Figures, bootstrap, figure, of_share, resample_mean, wilson

NO_TRUTH = "no photo has a true mask or a dermatologist's crop"
MARGIN = 0.05  # of recall that a crop may lose and still be called as good; set before looking
PREVALENCES = (
    0.2,
    0.05,
    0.01,
    0.0001,
)  # true complications among photos: selected, worried, weekly, MF in AD
SIDES = ("x", "y", "width", "height")  # px of the photo
COMPARED = ((AUTOMATIC, TRUE_CROP), (AUTOMATIC, ORIGINAL), (JOINT, TRUE_CROP))
PHOTOS = 1000  # that the base-rate table speaks of


@dataclasses.dataclass(frozen=True)
class Answers:
    """What each arm answers to each photo ("" without a crop), and the truth.

    `has_truth` (N,) bool marks the photos that have a true mask or a dermatologist's word.
    """

    truth: np.ndarray
    groups: list[str]
    named: dict[str, np.ndarray]
    has_truth: np.ndarray

    def judged(self, *arms: str) -> np.ndarray:
        """Return (N,) bool: the photos on which all of these arms can be judged."""
        return self.has_truth if TRUE_CROP in arms else np.ones(len(self.truth), bool)


def answers_of(
    rows: list[Row], crops: dict[str, list[Box]] | None, models: tuple[Segmenter, Classifier]
) -> Answers:
    seen = [_looks(row, crops, *models) for row in rows]
    named = {arm: np.array([answer(look[arm]) for look in seen]) for arm in ARMS}
    has_truth = [row.name in crops if crops is not None else row.mask is not None for row in rows]
    return Answers(
        np.array([row.label for row in rows]), [row.group for row in rows], named, np.array(has_truth)
    )


def _looks(
    row: Row, crops: dict[str, list[Box]] | None, segmenter: Segmenter, classifier: Classifier
) -> Looks:
    photo = read_photo(row.path)
    own = crops.get(row.name, []) if crops is not None else true_boxes(row, photo.shape)
    if max(photo.shape) > ANALYSIS_LONG_SIDE:
        scale = ANALYSIS_LONG_SIDE / max(photo.shape)
        photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        own = [
            dataclasses.replace(
                box,
                x=int(box.x * scale),
                y=int(box.y * scale),
                width=max(1, int(box.width * scale)),
                height=max(1, int(box.height * scale)),
            )
            for box in own
        ]
    return looks(photo, own, boxes_of(segmenter([photo])[0])[0], classifier)


def true_boxes(row: Row, shape: tuple[int, ...]) -> list[Box]:
    """Return the squares of the row's mask that obey the rule, in pixels of its photo; none without a mask."""
    if row.mask is None:
        return []
    mask = cv2.resize(read_mask(row.mask), (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
    return boxes_of(np.where(mask == UNKNOWN, 0, mask))[0]


def read_crops(path: Path) -> dict[str, list[Box]]:
    """Return the boxes of a CSV `file,x,y,width,height` by file; a line without numbers names a file without a box."""
    crops: dict[str, list[Box]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8-sig") as file:
        for line in csv.DictReader(file):
            own = crops[line["file"]]
            if any(line[name] for name in SIDES):
                own.append(Box(**{name: int(line[name]) for name in SIDES}, skin=1.0, lesion=1.0))
    return dict(crops)


def figures_of(answers: Answers, margin: float) -> Figures:
    """Return everything that the table prints."""
    arms: dict[str, Figures] = {arm: {} for arm in answers.named if answers.judged(arm).any()}
    for arm, own in arms.items():
        named, judged = answers.named[arm], answers.judged(arm)
        for name, about in measures(answers.truth).items():
            which = about & judged
            hits, answered = right(name, answers.truth, named)[which], (named != "")[which]
            groups = [g for g, w in zip(answers.groups, which, strict=True) if w]
            n_hits, n = int(hits.sum()), int(answered.sum())
            own[name] = three_intervals(hits, groups) | {
                "answered": figure(share(n_hits, n), *wilson(n_hits, n), n),
                "no_crop": int((~answered).sum()),
            }
    return {
        "arms": arms,
        "non_inferiority": {
            f"{one} against {other}": _compared(answers, one, other, margin)
            for one, other in COMPARED
            if answers.judged(one, other).any()
        },
        "left_out": {} if answers.has_truth.any() else {TRUE_CROP: NO_TRUTH},
        "true_crop_photos": int(answers.has_truth.sum()),
        "margin": margin,
        "base_rates": {arm: _base_rates(own) for arm, own in arms.items()},
        "photos": {name: int((answers.truth == name).sum()) for name in FOUR},
    }


def measures(truth: np.ndarray) -> dict[str, np.ndarray]:
    """Return which photos each figure is about."""
    return {"sensitivity": truth != "AD", "specificity": truth == "AD"} | {
        f"recall.{name}": truth == name for name in FOUR
    }


def right(name: str, truth: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Return which photos are answered rightly, in the sense of that figure."""
    if name == "sensitivity":
        return np.isin(named, FOUR[1:]) & (truth != "AD")
    return named == truth


def three_intervals(hits: np.ndarray, groups: list[str]) -> Figures:
    """Return a share with its three intervals; nulls for no photo."""
    if not hits.size:
        return figure(np.nan, np.nan, np.nan, 0) | {"wilson": [None, None], "resample_mean": [None, None]}
    return of_share(hits, groups) | {
        "wilson": [round(v, 4) for v in wilson(int(hits.sum()), len(hits))],
        "resample_mean": [round(v, 4) for v in resample_mean(lambda i: float(hits[i].mean()), groups)],
    }


def _compared(answers: Answers, one: str, other: str, margin: float) -> Figures:
    """Return for each figure the paired difference and what it says of the margin."""
    found = {}
    judged = answers.judged(one, other)
    for name, about in measures(answers.truth).items():
        which = about & judged
        if not which.any():
            continue
        hits = [right(name, answers.truth, answers.named[arm])[which].astype(float) for arm in (one, other)]
        groups = [g for g, w in zip(answers.groups, which, strict=True) if w]
        gain = bootstrap(lambda i, a=hits[0], b=hits[1]: float((a[i] - b[i]).mean()), groups)
        found[name] = gain | {"verdict": verdict(gain, margin, len(set(groups)))}
    return found


def verdict(gain: Figures, margin: float, persons: int) -> str:
    """Say what the interval of a difference allows: better, not inferior, inferior, or open.

    Where no answer differs the bootstrap has no width, however few were asked. n persons without a difference still
    allow one in about 3/n of all (rule of three), so too few persons leave it open.
    """
    if gain["low"] == gain["high"] and persons < 3 / margin:
        return "open"
    if gain["low"] > 0:
        return "better"
    if gain["low"] > -margin:
        return "not inferior"
    return "inferior" if gain["high"] < -margin else "open"


def _base_rates(arm: Figures) -> list[Figures]:
    """Return what sensitivity and specificity come to among a thousand photos."""
    if not (arm["sensitivity"]["n"] and arm["specificity"]["n"]):
        return []
    found, cleared = arm["sensitivity"]["value"], arm["specificity"]["value"]
    rows = []
    for prevalence in PREVALENCES:
        hits, false = PHOTOS * prevalence * found, PHOTOS * (1 - prevalence) * (1 - cleared)
        ppv = round(share(hits, hits + false), 4) if hits + false else None
        rows.append(
            {
                "prevalence": prevalence,
                "flagged": round(hits + false, 1),
                "ppv": ppv,
                "missed": round(PHOTOS * prevalence * (1 - found), 2),
            }
        )
    return rows


def page(figures: Figures, title: str) -> str:
    """Return the tables as Markdown."""
    return "\n".join(_page(figures, title)) + "\n"


def _page(figures: Figures, title: str) -> Iterator[str]:
    counts = ", ".join(f"{name} {n}" for name, n in figures["photos"].items())
    yield f"# {title}\n"
    yield f"Written by `python -m training.paper_table`. Photos: {counts}. Model: {figures.get('model', '-')}."
    yield "Positive = not AD. Without a crop counts as wrong; `answered` leaves those photos out (their number in brackets)."
    yield "The answer is the likeliest of the four diseases, as published. The model card's forced answers are of five conditions, OTHER too."
    yield f"Photos with a true mask or a dermatologist's crop: {figures['true_crop_photos']}."
    yield from (f"Left out: {arm}, as {why}." for arm, why in figures["left_out"].items())
    yield ""
    yield "| arm | figure | n | value | persons drawn 95 % | Wilson 95 % | mean of resamples | answered | no crop |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for arm, own in figures["arms"].items():
        yield from (_line(arm, name, one) for name, one in own.items())
    yield f"\n## Is one as good as another? Margin {figures['margin']:.2f}, set beforehand\n"
    yield "| comparison | figure | n | difference, 95 % | verdict |\n|---|---|---|---|---|"
    for pair, own in figures["non_inferiority"].items():
        for name, gain in own.items():
            yield f"| {pair} | {name} | {gain['n']} | {_value(gain)} [{_pair(gain['low'], gain['high'])}] | {gain['verdict']} |"
    yield f"\n## Among {PHOTOS} photos\n"
    yield "| arm | true complications | flagged | of the flagged are true | missed |\n|---|---|---|---|---|"
    for arm, own in figures["base_rates"].items():
        for row in own:
            ppv = "-" if row["ppv"] is None else f"{row['ppv']:.3f}"
            yield f"| {arm} | {row['prevalence']:.2%} | {row['flagged']:.0f} | {ppv} | {row['missed']:.2f} |"


def _line(arm: str, name: str, own: Figures) -> str:
    answered = f"{_value(own['answered'])} ({own['answered']['n']})"
    return (
        f"| {arm} | {name} | {own['n']} | {_value(own)} | {_pair(own['low'], own['high'])} | "
        f"{_pair(*own['wilson'])} | {_pair(*own['resample_mean'])} | {answered} | {own['no_crop']} |"
    )


def _value(own: Figures) -> str:
    return "-" if own["value"] is None else f"{own['value']:.3f}"


def _pair(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.3f} to {high:.3f}"


@exit_on_manifest_error
def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    rows = measuring_rows(arguments, only=FOUR)
    crops = read_crops(arguments.crops) if arguments.crops else None
    own = weights.published("segmentation"), weights.published("classification")
    chosen = engine.select_engine(arguments.device)
    answers = answers_of(rows, crops, (Segmenter(own[0], chosen), Classifier(own[1], chosen)))
    figures = figures_of(answers, arguments.margin)
    figures["model"] = ", ".join(f"{w.name} {w.version} {w.sha256[:12]}" for w in own)
    text = page(figures, arguments.title)
    print(text)
    arguments.markdown.write_text(text, encoding="utf-8")
    arguments.json.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--crops", type=Path, help="a dermatologist's boxes instead of the true mask's")
    parser.add_argument("--use", help="only rows of this use, e.g. evaluate")
    parser.add_argument("--margin", type=float, default=MARGIN)
    parser.add_argument("--title", default="Original photo, true crop, automatic crop")
    parser.add_argument("--markdown", type=output, required=True)
    parser.add_argument("--json", type=output, required=True)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    return parser


if __name__ == "__main__":
    main()
