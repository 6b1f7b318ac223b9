"""Does the method learn from real photos? Measured on photos that no shipped weights may see; nothing is kept.

    python -m training.experiment --manifest ../shared/data/cls/manifest.csv \
        --root ../shared/data/cls --json runs/experiment.json --markdown docs/models/experiment.md

Logistic regressions on the frozen ImageNet features, with the whole photo alone or with the automatic crops too (each
view on its own; herpes is the highest view's). Learnt from `use=experiment` rows: cross-validated by group (photos of
one scene are one group, also where their publisher did not say so), then tried on the `use=evaluate` rows as an
external test. The regressions live in memory and end with the command.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from inference_worker.models import weights
from inference_worker.models.classification import CLASSES, CONDITIONS, HI
from training import features
from training.classification_figures import among_four, balanced, share_of
from training.data import Row, exit_on_manifest_error, measuring_rows, output, read_photo
from training.duplicates import Print, print_of, same_photos
from training.evaluate import over, table
from training.statistics import Figures, auc, bootstrap, whole_folds

FOUR = ("AD", "HI", "IM", "MF")
SHARES = (0.1, 0.25, 0.5, 1.0)  # of the persons learnt from, for the learning curve
DRAWS = 5  # times that each smaller share is drawn
DRAWN_AGAIN = 1000  # times at most
FOLDS = 5
STRENGTH = 0.003  # inverse of the penalty; fixed beforehand, never tuned on these photos


@dataclass(frozen=True)
class Photos:
    """Photos as numbers: `views` (N, F) of all photos, `owner` (N,) which photo a view is of, its whole first."""

    rows: list[Row]
    views: np.ndarray
    owner: np.ndarray

    @property
    def groups(self) -> np.ndarray:
        return np.array([row.group for row in self.rows])

    @property
    def truth(self) -> np.ndarray:
        return np.array(["OTHER" if row.label == "NORMAL" else row.label for row in self.rows])

    def whole_only(self) -> Photos:
        first = np.flatnonzero(np.diff(self.owner, prepend=-1))
        return Photos(self.rows, self.views[first], self.owner[first])


def one_scene_one_group(rows: list[Row], prints: list[Print]) -> list[Row]:
    """Return the rows with photos of one scene under one group, whatever groups their publisher gave them."""
    group = {row.group: row.group for row in rows}
    for i, j in same_photos(prints, [row.group for row in rows]):
        one, other = group[rows[i].group], group[rows[j].group]
        group = {name: one if of == other else of for name, of in group.items()}
    return [dataclasses.replace(row, group=group[row.group]) for row in rows]


def learnt(photos: Photos, which: np.ndarray) -> object:
    """Return a regression fitted to the views of some photos; each photo counts the same."""
    chosen = np.isin(photos.owner, which)
    per_photo = np.bincount(photos.owner, minlength=len(photos.rows))
    judge = make_pipeline(
        StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000, class_weight="balanced")
    )
    owner = photos.owner[chosen]
    judge.fit(
        photos.views[chosen], photos.truth[owner], logisticregression__sample_weight=1 / per_photo[owner]
    )
    return judge


def probabilities(judge: object, photos: Photos, which: np.ndarray) -> np.ndarray:
    """Return (len(which), 5) in the order of CONDITIONS, aggregated as the pipeline does; unlearnt classes get 0."""
    by_view = np.zeros((len(photos.views), len(CONDITIONS)))
    by_view[:, [CONDITIONS.index(name) for name in judge.classes_]] = judge.predict_proba(photos.views)
    return np.array([aggregate(by_view[photos.owner == i]) for i in which])


def aggregate(by_view: np.ndarray) -> np.ndarray:
    """Return one distribution (5,) from that of the whole photo, row 0, and of its crops (1 + crops, 5).

    HI is the highest of all, the others are the mean over the crops, scaled to what HI leaves.
    """
    mean = (by_view[1:] if len(by_view) > 1 else by_view).mean(axis=0)
    herpes = by_view[:, HI].max()
    joint = mean * (1 - herpes) / max(1e-12, 1 - mean[HI])
    joint[HI] = herpes
    return joint


def cross_validated(photos: Photos) -> np.ndarray:
    """Return the probabilities (photos, 5) that each photo gets from those of other groups.

    nan where those of other groups lack a class: such a photo is not scored.
    """
    everyone, p = np.arange(len(photos.rows)), np.full((len(photos.rows), len(CONDITIONS)), np.nan)
    splits = GroupKFold(FOLDS).split(everyone, groups=photos.groups)
    for train, test in whole_folds(photos.truth, splits):
        p[test] = probabilities(learnt(photos, train), photos, test)
    return p


def not_ad(p: np.ndarray) -> np.ndarray:
    """Return the score of "not AD" among the four diseases."""
    return 1 - among_four(p, "AD")


def figures_of(photos: Photos, p: np.ndarray) -> Figures:
    """Return the figures of the photos that were scored."""
    scored = np.isfinite(p).all(axis=1)
    truth, groups, p = photos.truth[scored], list(photos.groups[scored]), p[scored]
    likeliest, score = np.array(CONDITIONS)[p.argmax(axis=1)], not_ad(p)
    four = np.isin(truth, FOUR)
    figures = {
        "auc_not_ad": over(four, groups, lambda i: auc(score[i], truth[i] != "AD")),
        "auc_hi": over(four, groups, lambda i: auc(p[i, CONDITIONS.index("HI")], truth[i] == "HI")),
        "balanced_accuracy": bootstrap(lambda i: balanced(truth[i], likeliest[i]), groups),
    }
    for name in sorted(set(truth)):
        figures[f"recall.{name}"] = share_of(truth == name, likeliest == name, groups)
    return figures


def gain(photos: Photos, one: np.ndarray, other: np.ndarray) -> dict:
    """Return by how much the AUC of "not AD" of the second exceeds that of the first, on the same draws of persons."""
    truth, first, second = photos.truth, not_ad(one), not_ad(other)
    four = np.isin(truth, FOUR)
    return over(
        four,
        list(photos.groups),
        lambda i: auc(second[i], truth[i] != "AD") - auc(first[i], truth[i] != "AD"),
    )


def learning_curve(learn: Photos, test: Photos) -> Figures:
    """Return the external AUC of "not AD" by the share of persons learnt from: mean, lowest and highest draw."""
    four, everyone, curve = np.isin(test.truth, FOUR), np.arange(len(test.rows)), {}
    for share in SHARES:
        chosen = list(_draws(learn, share))
        scores = [not_ad(probabilities(learnt(learn, some), test, everyone))[four] for some in chosen]
        values = [auc(score, test.truth[four] != "AD") for score in scores]
        point = {"value": np.mean(values), "low": min(values), "high": max(values)} if values else {}
        curve[f"{share:.0%}"] = {
            **{name: round(float(point[name]), 4) if point else None for name in ("value", "low", "high")},
            "n": round(np.mean([len(some) for some in chosen])) if chosen else 0,
        }
    return curve


def _draws(learn: Photos, share: float) -> Iterator[np.ndarray]:
    """Yield the photos of that share of the persons; draws without both AD and HI are drawn again.

    Too few persons have no such draw: then nothing is yielded.
    """
    persons = np.unique(learn.groups)
    for seed in range(1 if share == 1 else DRAWS):
        rng = np.random.default_rng(seed)
        for _ in range(DRAWN_AGAIN):
            some = np.flatnonzero(
                np.isin(learn.groups, rng.choice(persons, int(share * len(persons)), replace=False))
            )
            if {"AD", "HI"} <= set(learn.truth[some]):
                yield some
                break


def measure(learn: list[Row], test: list[Row]) -> Figures:
    """Return all figures, by what is looked at."""
    figures: Figures = {"cut_by": named("segmentation")}
    seen: dict[str, np.ndarray] = {}
    numbers = [photos_of(rows) for rows in (learn, test)]
    for look, (own, outside) in (("whole", [p.whole_only() for p in numbers]), ("crops", numbers)):
        p = probabilities(learnt(own, np.arange(len(learn))), outside, np.arange(len(test)))
        seen[look] = p
        figures[look] = {
            "cross_validated": figures_of(own, cross_validated(own)),
            "external": figures_of(outside, p),
            "learning_curve": learning_curve(own, outside),
        }
    figures["gain"] = {"crops over whole": gain(numbers[1], seen["whole"], seen["crops"])}
    return figures


def photos_of(rows: list[Row]) -> Photos:
    found = features.of_photos(rows)
    owner = np.repeat(np.arange(len(rows)), [len(photo) for photo in found])
    return Photos(rows, np.concatenate(found), owner)


@exit_on_manifest_error
def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    learn, test = (
        measuring_rows(argparse.Namespace(**vars(arguments), use=use), classes=CLASSES)
        for use in (arguments.learn, arguments.test)
    )
    learn = one_scene_one_group(learn, [print_of(read_photo(row.path)) for row in learn])
    figures = measure(learn, test)
    print(table(figures))
    arguments.json.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    if arguments.markdown:
        text = "\n".join(page(figures, len(learn), len(test))) + "\n"
        arguments.markdown.write_text(text, encoding="utf-8")


def named(name: str) -> str:
    """Return which published weights were at work."""
    own = weights.published(name)
    return f"{name} {own.version} {own.sha256[:12]}"


ARMS = ("whole", "crops")


def page(figures: Figures, learnt_from: int, tested_on: int) -> Iterator[str]:
    """Yield the lines of the figures as Markdown tables."""
    yield "# Does it learn from real photos?\n"
    yield "Written by `python -m training.experiment` (command in its docstring). Logistic regressions on"
    yield f"frozen features, learnt from {learnt_from} photos whose rights are unclear and thrown away with the command;"
    yield f"external test: {tested_on} photos. 95 % intervals by a bootstrap over persons. Labels are noisy, HI sits on lips"
    yield "and IM round the mouth, and clinics light their photos alike: a part of what is learnt is that."
    yield f"Crops by {figures['cut_by']}.\n"
    for part in ("external", "cross_validated"):
        yield f"## {part.replace('_', ' ').capitalize()}\n"
        yield "| figure | n | " + " | ".join(ARMS) + " |\n|---|---|" + "---|" * len(ARMS)
        for name, own in figures[ARMS[0]][part].items():
            cells = [_cell(figures[arm][part][name]) for arm in ARMS]
            yield f"| {name} | {own['n']} | " + " | ".join(cells) + " |"
        yield ""
    yield '## Learning curve: external AUC of "not AD"\n\nMean of five draws, lowest to highest.\n'
    yield "| persons | " + " | ".join(ARMS) + " |\n|---|" + "---|" * len(ARMS)
    for share in figures[ARMS[0]]["learning_curve"]:
        points = [figures[arm]["learning_curve"][share] for arm in ARMS]
        yield f"| {share} (about {points[0]['n']} photos) | " + " | ".join(_cell(p) for p in points) + " |"
    yield '\n## What crops add to the external AUC of "not AD"\n\nPaired, on the same persons.\n'
    yield "| comparison | gain | n |\n|---|---|---|"
    yield from (f"| {name} | {_cell(own)} | {own['n']} |" for name, own in figures["gain"].items())
    # What the intervals allow, so that nobody reads more into the tables.
    yield "\n## What is seen\n"
    best = max(ARMS, key=lambda arm: figures[arm]["external"]["auc_not_ad"]["value"])
    yield f"- With real photos the method learns: external AUC up to {_cell(figures[best]['external']['auc_not_ad'])} ({best})."
    for name, own in figures["gain"].items():
        verdict = (
            "helps"
            if own["low"] > 0
            else "harms"
            if own["high"] < 0
            else "makes no difference that these photos show"
        )
        yield f"- {name}: {verdict} ({_cell(own)})."
    whole, crops = (figures[look]["external"]["recall.HI"] for look in ("whole", "crops"))
    yield f"- Recall of HI from the whole photo {_cell(whole)}, with crops and herpes first {_cell(crops)}."
    yield "- Cross-validated figures are higher than external ones: photos of one source resemble each other."


def _cell(figure: dict) -> str:
    value, low, high = ("-" if figure[k] is None else f"{figure[k]:.3f}" for k in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--learn", default="experiment", help="`use` of the rows learnt from")
    parser.add_argument("--test", default="evaluate", help="`use` of the rows of the external test")
    parser.add_argument("--json", type=output, required=True)
    parser.add_argument("--markdown", type=output)
    return parser


if __name__ == "__main__":
    main()
