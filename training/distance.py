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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from inference_worker.models import engine, weights
from inference_worker.models.classification import Classifier
from inference_worker.models.cropping import boxes_of
from inference_worker.models.segmentation import Segmenter
from inference_worker.models.weights import Weights
from training import phantom
from training.arms import ARMS, AUTOMATIC, FOUR, HERPES_FIRST, ORIGINAL, TRUE_CROP, answer, looks
from training.data import output
from training.evaluate import Figures, over
from training.paper_table import MARGIN, Answers
from training.paper_table import figures_of as table_figures
from training.paper_table import page as table_page
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
    known = {(row["seed"], row["condition"], row["field"]): row for row in read_answers(path)}
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


def answers_file(json_file: Path, own: Sequence[Weights]) -> Path:
    """Return where the answers of these weights to these drawings are kept."""
    made_by = "-".join([*(one.sha256[:8] for one in own), f"phantoms{phantom.VERSION}"])
    return json_file.with_suffix(f".{made_by}.csv")


def read_answers(path: Path) -> list[dict]:
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = csv.DictReader(
        line for line in lines if line.endswith("\n")
    )  # a killed run may leave half a line
    numbers = {"seed": int, "field": int, "true_boxes": int, "boxes": int, "lesion": float}
    return [{k: numbers.get(k, str)(v) for k, v in row.items()} for row in whole]


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


def claim(figures: Figures) -> dict[str, str]:
    """Say what becomes of the paper's two claims. The rules were set beforehand.

    "As good" is confirmed when no figure is inferior by the margin, and refuted when one surely is. "Better at any
    distance" is confirmed when the paired gain is above 0 at every field of view, and refuted when it is surely below
    at one.
    """
    pair = figures["table"]["non_inferiority"][f"{AUTOMATIC} against {TRUE_CROP}"]
    verdicts = {own["verdict"] for own in pair.values()}
    gains = {f: own for f, own in figures["gain"][f"{AUTOMATIC} over {ORIGINAL}"].items() if own["n"]}
    better = [f for f, own in gains.items() if own["low"] > 0]
    worse = [f for f, own in gains.items() if own["high"] < 0]
    return {
        "The automatic crop is as good as a true crop": _judged(
            verdicts <= {"better", "not inferior"}, "inferior" in verdicts
        )
        + " "
        + "; ".join(f"{name} {own['verdict']}" for name, own in pair.items()),
        "It is better than the original at any distance": _judged(len(better) == len(gains), bool(worse))
        + f" better at {_fields(better)}; worse at {_fields(worse)}",
    }


def _judged(is_confirmed: bool, is_refuted: bool) -> str:
    return "**confirmed**:" if is_confirmed else "**refuted**:" if is_refuted else "**not shown**:"


def _fields(fields: list[str]) -> str:
    return f"{', '.join(fields)} cm" if fields else "no distance"


def page(figures: Figures, source: str) -> str:
    return "\n".join(_page(figures, source)) + "\n"


def _page(figures: Figures, source: str) -> Iterator[str]:
    yield "# The controlled experiment\n"
    yield f"Written by `python -m training.distance --scenes {figures['scenes']}`; {source}."
    yield f"{figures['scenes']} drawn scenes, {figures['scenes'] // len(FIELDS_CM)} persons of {', '.join(FOUR)}, each at"
    yield f"{len(FIELDS_CM)} fields of view ({FIELDS_CM[0]} to {FIELDS_CM[-1]} cm across). Phantoms: the demonstration model"
    yield "was trained on such scenes (of other seeds), so these figures say what distance does to the method, and nothing"
    yield "about how well it reads patients.\n"
    yield "## What becomes of the claim\n"
    yield f"Margin {figures['table']['margin']:.2f} of recall, set beforehand; intervals are 95 %.\n"
    yield from (f"- {name}: {said}." for name, said in claim(figures).items())
    yield "\n![Accuracy by field of view](controlled_accuracy.svg)\n"
    yield "## Accuracy by field of view\n"
    yield from field_table({arm: figures["accuracy"][arm] for arm in ARMS})
    yield "\nThe same persons compared; a negative gain is a loss:\n"
    yield from field_table(figures["gain"])
    yield "\n## Recall by class\n\n![Recall by class](controlled_classes.svg)\n"
    yield "## A crop is found\n\n![Crop found](controlled_crops.svg)\n"
    yield from field_table(
        {f"{name}, automatic": own for name, own in figures["crop_found"]["boxes"].items()}
    )
    yield "\n## The answer flips from one distance to the next\n"
    yield "From each field of view to the next. To lose the crop, or find it again, is a flip too.\n"
    yield "| arm | persons | all | " + " | ".join(FOUR) + " |\n|---|---|---|" + "---|" * len(FOUR)
    for arm, own in figures["flips"].items():
        cells = [cell(own), *(cell(figures["flips_by_class"][arm][name]) for name in FOUR)]
        yield f"| {arm} | {own['n']} | " + " | ".join(cells) + " |"
    yield "\n![Flips by class](controlled_flips.svg)"
    yield from _herpes(figures["herpes"])
    yield "\n" + table_page(figures["table"], "The table over all distances").replace("# The", "## The", 1)


def _herpes(own: Figures) -> Iterator[str]:
    yield "\n## What the 80/10 rule costs herpes\n"
    yield f"- Scenes of herpes in which no square of the *true* mask obeys the rule: {cell(own['no_true_crop'])}; of the"
    yield f"  network's mask: {cell(own['no_automatic_crop'])} (n {own['no_true_crop']['n']})."
    yield f"- Missed by the automatic crop alone: {cell(own['missed_by_automatic_crop'])} of all scenes of herpes."
    wrong = own["others_called_herpes"]
    for arm in UNIONS:
        back = cell(own["of_all_won_back"][arm])
        yield f"- *{arm.capitalize()}* wins back {back} of all scenes of herpes; the price: {cell(wrong[arm])} of the"
        yield f"  other three are called herpes (automatic crop alone: {cell(wrong[AUTOMATIC])}; n {wrong[arm]['n']})."
    yield "\n| arm | recall of HI | where the true mask has no crop | n |\n|---|---|---|---|"
    for arm in own["recall"]:
        rare = own["recall_without_true_crop"][arm]
        yield f"| {arm} | {cell(own['recall'][arm])} | {cell(rare)} | {rare['n']} |"


def field_table(curves: dict[str, Figures]) -> Iterator[str]:
    yield "| field, cm | n | " + " | ".join(curves) + " |\n|---|---|" + "---|" * len(curves)
    for field in map(str, FIELDS_CM):
        points = [own[field] for own in curves.values()]
        yield f"| {field} | {points[0]['n']} | " + " | ".join(cell(point) for point in points) + " |"


def cell(own: Figures) -> str:
    if own["value"] is None:
        return "-"
    return f"{own['value']:.3f} [{own['low']:.3f}, {own['high']:.3f}]"


def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    own = weights.published("segmentation"), weights.published("classification")
    chosen = engine.pick(arguments.device)
    models = Segmenter(own[0], chosen), Classifier(own[1], chosen)
    wanted = list(scenes(arguments.scenes, arguments.seed))
    rows = collect(wanted, answers_file(arguments.json, own), models)
    figures = figures_of(rows, arguments.margin)
    figures["model"] = ", ".join(f"{w.name} {w.version} {w.sha256[:12]}" for w in own)
    arguments.json.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    write(figures, arguments.out)


def write(figures: Figures, out: Path) -> None:
    from training import plots  # Matplotlib is slow to load

    out.mkdir(parents=True, exist_ok=True)
    (out / "controlled_experiment.md").write_text(page(figures, figures["model"]), encoding="utf-8")
    plots.by_field(out / "controlled_accuracy.svg", {"all classes": figures["accuracy"]}, "answered rightly")
    classes = {name: {arm: figures["by_class"][arm][name] for arm in figures["by_class"]} for name in FOUR}
    plots.by_field(out / "controlled_classes.svg", classes, "recall")
    found = {
        name: {
            "automatic": figures["crop_found"]["boxes"][name],
            "true mask": figures["crop_found"]["true_boxes"][name],
        }
        for name in FOUR
    }
    plots.by_field(out / "controlled_crops.svg", found, "a crop is found")
    plots.by_field(
        out / "controlled_flips.svg", figures["flips_by_field"], "answered otherwise than one step nearer"
    )


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
