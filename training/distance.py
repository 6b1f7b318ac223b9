"""The controlled experiment: the same drawn rash from 4 to 120 cm, by each arm, with a truth that nobody disputes.

    python -m training.distance --scenes 2000 --json runs/distance.json --out docs/models
    python -m training.distance --json runs/distance.json --out docs/models   # goes on, or draws again

Each person is drawn at every field of view: the same body, rash, light and camera. The answers are kept as they
come, in a CSV beside `--json` that is named by the weights and the drawing, so that a stopped run goes on and new
weights start again. Then the page `controlled_experiment.md` and its plots are written. `--seed` draws other persons.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from inference_worker.models import engine, weights
from inference_worker.models.classification import Classifier
from inference_worker.models.cropping import boxes_of
from inference_worker.models.segmentation import Segmenter
from inference_worker.models.weights import Weights
from training import phantom
from training.arms import ARMS, FOUR, JOINT, answer, looks
from training.data import output
from training.distance_figures import FIELDS_CM, FLAGGED, figures_of
from training.distance_page import page
from training.paper_table import MARGIN
from training.statistics import Figures

log = logging.getLogger(__name__)

SITES = {"AD": ("limb", "face"), "HI": ("face", "limb"), "IM": ("face", "limb"), "MF": ("trunk", "limb")}
FIRST_SEED = 9_000_000  # no training or calibration scene comes near
LONG_SIDE = 768
LOG_EVERY = 100
Scene = tuple[int, str, int]  # seed, condition, field in cm
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
    raised = answer(look[JOINT], classifier.weights.thresholds["HI"])
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


def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    own = weights.published("segmentation"), weights.published("classification")
    chosen = engine.select_device(arguments.device)
    models = Segmenter(own[0], chosen), Classifier(own[1], chosen)
    wanted = list(scenes(arguments.scenes, arguments.seed))
    rows = collect(wanted, answers_file(arguments.json, own), models)
    figures = figures_of(rows, arguments.margin)
    figures["model"] = ", ".join(f"{w.name} {w.version} {w.sha256[:12]}" for w in own)
    figures["table"]["model"] = figures["model"]
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
