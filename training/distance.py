"""The controlled experiment: the same drawn rash from 4 to 120 cm, by each arm, with a truth that nobody disputes.

    python -m training.distance --scenes 2000 --json runs/distance.json --out docs/models
    python -m training.distance --json runs/distance.json --out docs/models   # goes on, or draws again

Each person is drawn at every field of view: the same body, rash, light and camera. The answers are kept as they
come, in a CSV beside `--json` that is named by the weights and the drawing, so that a stopped run goes on and new
weights begin anew. Then the page `controlled_experiment.md` and its plots are written. `--seed` draws other persons.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from inference_worker.models import engine, weights
from inference_worker.models.classification import Classifier
from inference_worker.models.cropping import boxes_of
from inference_worker.models.segmentation import Segmenter
from training import phantom
from training.arms import ARMS, AUTOMATIC, FOUR, HERPES_FIRST, ORIGINAL, TRUE_CROP, answer, looks
from training.data import output
from training.evaluate import Figures, over
from training.paper_table import MARGIN, Answers
from training.paper_table import figures_of as table_figures
from training.statistics import bootstrap, figure, wilson

log = logging.getLogger(__name__)

FIELDS_CM = (4, 6, 9, 13, 20, 30, 44, 65, 95, 120)  # across the long side of the photo
SITES = {"AD": ("limb", "face"), "HI": ("face", "limb"), "IM": ("face", "limb"), "MF": ("trunk", "limb")}
FIRST_SEED = 9_000_000  # no training or calibration scene comes near
LONG_SIDE = 768
LOG_EVERY = 100
Scene = tuple[int, str, int]  # seed, condition, field in cm
FLAGGED = "herpes first, raised"  # HI as soon as it reaches its own low threshold
UNIONS = (HERPES_FIRST, FLAGGED)
COLUMNS = ("seed", "condition", "field", "true_boxes", "boxes", "lesion", *ARMS, FLAGGED)


def scenes(count: int, first_seed: int = FIRST_SEED) -> Iterator[Scene]:
    """Yield (seed, condition, field in cm): whole persons only, each at every field."""
    for person in range(count // len(FIELDS_CM)):
        for field in FIELDS_CM:
            yield first_seed + person, FOUR[person % len(FOUR)], field


def look_at(seed: int, condition: str, field: int, segmenter: Segmenter, classifier: Classifier) -> dict:
    """Draw one scene and return what each arm answers."""
    sites = SITES[condition]
    scene = phantom.draw(
        seed,
        condition=condition,
        distance_cm=field / phantom.VIEW_PER_DISTANCE,
        site=sites[seed // len(FOUR) % len(sites)],
        long_side=LONG_SIDE,
    )
    true, boxes = boxes_of(scene.mask)[0], boxes_of(segmenter([scene.photo])[0])[0]
    look = looks(scene.photo, true, boxes, classifier)
    seen = {
        "seed": seed,
        "condition": condition,
        "field": field,
        "true_boxes": len(true),
        "boxes": len(boxes),
    }
    seen["lesion"] = round(float((scene.mask == 2).mean()), 5)
    raised = answer(look[HERPES_FIRST], classifier.weights.thresholds["HI"])
    return seen | {arm: answer(look[arm]) for arm in ARMS} | {FLAGGED: raised}


def collect(wanted: list[Scene], path: Path, models: tuple[Segmenter, Classifier]) -> list[dict]:
    """Return the answers to the wanted scenes; those already in the file are read from it."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    whole = (line for line in lines if line.endswith("\n"))  # a killed run may leave half a line
    numbers = {"seed": int, "field": int, "true_boxes": int, "boxes": int, "lesion": float}
    rows = [{k: numbers.get(k, str)(v) for k, v in row.items()} for row in csv.DictReader(whole)]
    known = {(row["seed"], row["condition"], row["field"]): row for row in rows}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(known.values())
        for count, scene in enumerate(wanted, start=1):
            if scene in known:
                continue
            known[scene] = look_at(*scene, *models)
            writer.writerow(known[scene])
            file.flush()
            if not count % LOG_EVERY:
                log.info("%d of %d scenes", count, len(wanted))
    return [known[scene] for scene in wanted]


def figures_of(rows: list[dict], margin: float) -> Figures:
    """Return the table over all distances, the curves by field, the flips and the herpes account."""
    told = {arm: np.array([row[arm] for row in rows]) for arm in ARMS}
    groups = [str(row["seed"]) for row in rows]
    return {
        "scenes": len(rows),
        "table": table_figures(Answers(np.array([row["condition"] for row in rows]), groups, told), margin),
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
            for one, other in ((AUTOMATIC, ORIGINAL), (AUTOMATIC, TRUE_CROP), (HERPES_FIRST, ORIGINAL))
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
    """Return what the 80/10 rule costs herpes, and what the union with the whole photo wins back."""
    herpes = _of(rows, "HI")
    groups, all_of_them = [str(row["seed"]) for row in herpes], np.ones(len(herpes), bool)

    def recall(arm: str, own: list[dict]) -> Figures:
        return _share(sum(row[arm] == "HI" for row in own), len(own))

    without = [row for row in herpes if not row["true_boxes"]]
    lost = np.array([float(row[AUTOMATIC] != "HI") for row in herpes])
    won = {
        arm: np.array([float(row[AUTOMATIC] != "HI" and row[arm] == "HI") for row in herpes])
        for arm in UNIONS
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
            arm: _share(sum(row[arm] == "HI" for row in others), len(others)) for arm in (AUTOMATIC, *UNIONS)
        },
    }


def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    own = weights.published("segmentation"), weights.published("classification")
    chosen = engine.pick(arguments.device)
    models = Segmenter(own[0], chosen), Classifier(own[1], chosen)
    wanted = list(scenes(arguments.scenes, arguments.seed))
    # The answers of these weights to these drawings have a file of their own.
    made_by = "-".join([*(one.sha256[:8] for one in own), f"phantoms{phantom.VERSION}"])
    rows = collect(wanted, arguments.json.with_suffix(f".{made_by}.csv"), models)
    figures = figures_of(rows, arguments.margin)
    figures["model"] = ", ".join(f"{w.name} {w.version} {w.sha256[:12]}" for w in own)
    arguments.json.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    from training import distance_page  # it reads this module; and Matplotlib is slow to load

    distance_page.write(figures, arguments.out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument(
        "--seed", type=int, default=FIRST_SEED, help="of the first person; default %(default)s"
    )
    parser.add_argument(
        "--margin", type=float, default=MARGIN, help="set before looking; default %(default)s"
    )
    parser.add_argument("--json", type=output, required=True, help="figures; the answers are kept beside it")
    parser.add_argument("--out", type=Path, required=True, help="folder for the page and its plots")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    return parser


if __name__ == "__main__":
    main()
