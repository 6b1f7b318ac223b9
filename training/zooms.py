"""Does distance matter? Labelled photos shown from nearer and farther away, with the published networks.

    python -m training.zooms masks --manifest CSV --root DIR --use evaluate --json OUT
    python -m training.zooms verdicts --manifest CSV --root DIR --use evaluate --json OUT
    python -m training.zooms page --masks OUT --verdicts OUT --markdown docs/models/any_distance.md

A photo is made as large as the worker's analysis copy, and zoomed: below 1 it lies small before a drawn backdrop,
above 1 it is cut out around its lesion. `masks` also draws phantoms at the same distances, as a camera would see
them. Answers are kept in a file beside `--json`, named by the weights, so that a stopped run goes on.
"""

from __future__ import annotations

import argparse
import json
import logging
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from contract.alarms import Condition
from contract.distance import SCALES
from contract.messages import Box
from inference_worker.models import engine, weights
from inference_worker.models.classification import CLASSES, Classifier, crops_of, features_of
from inference_worker.models.cropping import boxes_of
from inference_worker.models.distance import verdict_code
from inference_worker.models.segmentation import LESION, Segmenter
from inference_worker.models.weights import Weights
from inference_worker.models.zoom import laid_into, middle_of, part_of, zoomed
from training import phantom
from training.data import Row, exit_on_manifest_error, measuring_rows, output, read_mask, read_photo, resize
from training.evaluate import ANALYSIS_LONG_SIDE
from training.mask_scores import LESION_SHARE, SKIN_SHARE, UNKNOWN, iou
from training.phantom import backdrop
from training.zoom_figures import ARMS, mask_figures, verdict_figures
from training.zoom_page import page

log = logging.getLogger(__name__)

ZOOMS = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.5)
PHANTOM_FIELD_CM = 30  # across the photo at 1x: 120 cm at .25x, 12 cm at 2.5x
FIRST_SEED = 8_000_000  # no training scene comes near
CONDITIONS = ("AD", "HI", "IM", "MF")
LOG_EVERY = 50
View = tuple[float, np.ndarray, np.ndarray]  # zoom, photo, true mask


def zoomed_mask(mask: np.ndarray, zoom: float, *, centre: tuple[float, float]) -> np.ndarray:
    """Return the class map (H, W) uint8 of a photo zoomed the same way; what comes into view is background."""
    height, width = mask.shape
    if zoom >= 1:
        part = mask[part_of(height, zoom, centre[1]), part_of(width, zoom, centre[0])]
        return cv2.resize(part, (width, height), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(mask, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_NEAREST)
    return laid_into(np.zeros_like(mask), small)


def enlarged(photo: np.ndarray) -> np.ndarray:
    """Return a photo at the size of the worker's analysis copy, which a phone's photo is made smaller to."""
    is_smaller = max(photo.shape) > ANALYSIS_LONG_SIDE
    return resize(photo, ANALYSIS_LONG_SIDE, cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR)


def photo_views(row: Row, zooms: Iterable[float]) -> Iterator[View]:
    """Yield a labelled photo at each zoom. Unlabelled pixels of the photo stay `UNKNOWN`."""
    photo, truth = enlarged(read_photo(row.path)), read_mask(row.mask)
    truth = cv2.resize(truth, photo.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    centre, behind = middle_of(truth == LESION), backdrop_of(row.name, photo.shape[:2])
    for zoom in zooms:
        yield (
            zoom,
            zoomed(photo, zoom, centre=centre, backdrop=behind),
            zoomed_mask(truth, zoom, centre=centre),
        )


def backdrop_of(name: str, shape: tuple[int, int]) -> np.ndarray:
    """Return the drawn backdrop (H, W, 3) uint8 that a photo of this name always gets."""
    return backdrop.picture(np.random.default_rng(zlib.crc32(name.encode())), shape)


def phantom_views(person: int, zooms: Iterable[float]) -> Iterator[View]:
    """Yield one drawn person from each distance."""
    for zoom in zooms:
        scene = phantom.draw(
            FIRST_SEED + person,
            condition=CONDITIONS[person % len(CONDITIONS)],
            distance_cm=PHANTOM_FIELD_CM / zoom / phantom.VIEW_PER_DISTANCE,
            long_side=ANALYSIS_LONG_SIDE,
        )
        yield zoom, scene.photo, scene.mask


def score(photo: np.ndarray, truth: np.ndarray, segmenter: Segmenter) -> dict[str, object]:
    """Return how well one and two looks find skin and lesion; None where the true mask cannot show it.

    `box` is whether the best square of the found mask obeys the 80/10 rule in the true one.
    """
    first = segmenter.first_look([photo])
    found = {"first": first[0], "both": segmenter.second_look([photo], first)[0]}
    known = truth != UNKNOWN
    is_whole = known.all()  # else lesions alone were outlined
    row: dict[str, object] = {"true_crop": bool(boxes_of(truth)[0]) if is_whole else None}
    for look, mask in found.items():
        row[f"{look}_skin"] = iou(mask > 0, truth > 0) if is_whole else None
        row[f"{look}_lesion"] = iou(mask == LESION, truth == LESION)
        boxes = boxes_of(mask)[0] if is_whole else []
        row[f"{look}_box"] = obeys(truth, boxes[0]) if boxes else None
    return row


def obeys(truth: np.ndarray, box: Box) -> bool:
    part = truth[box.y : box.y + box.height, box.x : box.x + box.width]
    return bool((part > 0).mean() > SKIN_SHARE and (part == LESION).mean() > LESION_SHARE)


# --- Answers that are kept --------------------------------------------------------------------------------
def kept(path: Path, jobs: Iterable[tuple[str, Callable[[], list[dict]]]]) -> list[dict]:
    """Return the rows of all jobs (name, what makes its rows); what the file holds of them is not made again."""
    known: dict[str, list[dict]] = {}
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        known = dict(
            json.loads(line) for line in lines if line.endswith("\n")
        )  # a killed run leaves half a line
    rows = []
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in known.items())
        for count, (name, make) in enumerate(jobs, start=1):
            if name not in known:
                known[name] = make()
                file.write(json.dumps((name, known[name])) + "\n")
                file.flush()
            rows += known[name]
            if not count % LOG_EVERY:
                log.info("%d photos", count)
    return rows


def kept_file(json_file: Path, *made_by: str) -> Path:
    """Return where the answers of these weights (sha256, or another name) are kept."""
    return json_file.with_suffix(f".{'-'.join(name[:8] for name in made_by)}.jsonl")


# --- Verdicts ---------------------------------------------------------------------------------------------
def verdict_rows(row: Row, segmenter: Segmenter, heads: dict[str, Classifier]) -> list[dict]:
    """Return what each head says about a photo at each scale of the distance report, with its crops and without.

    The heads read the features of one network, which is asked once.
    """
    photo = enlarged(read_photo(row.path))
    at_one = segmenter([photo])[0]
    centre, backdrop = middle_of(at_one == LESION), backdrop_of(row.name, photo.shape[:2])
    shown = [zoomed(photo, scale, centre=centre, backdrop=backdrop) for scale in SCALES]
    others = [view for scale, view in zip(SCALES, shown, strict=True) if scale != 1]
    masks = segmenter(others)
    masks.insert(SCALES.index(1), at_one)
    rows = []
    for scale, view, mask in zip(SCALES, shown, masks, strict=True):
        boxes = boxes_of(mask)[0]
        features = features_of(next(iter(heads.values())).feature_maps(crops_of(view, boxes)))
        about = {"name": row.name, "class": row.label, "group": row.group, "zoom": scale, "boxes": len(boxes)}
        for name, head in heads.items():
            for arm, used in zip(ARMS, (features, features[:1]), strict=True):
                found = head.classify(used)
                herpes = any(alarm.rings for alarm in found.alarms if alarm.condition == Condition.HI)
                answer = {"verdict": verdict_code(found, has_skin=bool(mask.any())), "herpes": herpes}
                rows.append(about | {"head": name, "arm": arm, "score": found.probabilities["HI"]} | answer)
    return rows


def drawn_of_each(rows: list[Row], per_class: int | None, seed: int) -> list[Row]:
    """Return so many rows of each class, drawn by the seed, or all for None; fewer are a part of more."""
    by_class: dict[str, list[Row]] = {}
    for row in rows:
        by_class.setdefault(row.label, []).append(row)
    rng, drawn = np.random.default_rng(seed), []
    for own in by_class.values():
        drawn += [own[i] for i in rng.permutation(len(own))[:per_class]]
    return drawn


def counted(drawn: list[Row], rows: list[Row]) -> dict[str, str]:
    """Return by class how many photos were measured, and of how many where that is not all."""
    here, of = (Counter(row.label for row in some) for some in (drawn, rows))
    return {
        name: f"{here[name]}" + (f" of {of[name]}" if here[name] < of[name] else "") for name in sorted(here)
    }


# --- The commands -----------------------------------------------------------------------------------------
def masks(arguments: argparse.Namespace) -> None:
    rows = measuring_rows(arguments, masks=True)
    rows = [row for row in rows if arguments.source in (None, row.source)]
    own = weights.published("segmentation")
    segmenter = Segmenter(own, engine.select_engine(arguments.device))

    def scored(about: dict[str, str], views: Iterator[View]) -> Callable[[], list[dict]]:
        return lambda: [
            about | {"zoom": zoom} | score(photo, truth, segmenter) for zoom, photo, truth in views
        ]

    def jobs() -> Iterator[tuple[str, Callable[[], list[dict]]]]:
        for row in rows:
            about = {"name": row.name, "source": row.source, "group": row.group}
            yield row.name, scored(about, photo_views(row, ZOOMS))
        for person in range(arguments.phantoms):
            name = f"phantom {person}"
            about = {"name": name, "source": "phantom", "group": name}
            yield name, scored(about, phantom_views(person, ZOOMS))

    answers = kept(kept_file(arguments.json, own.sha256, f"phantom{phantom.VERSION}"), jobs())
    figures = mask_figures(answers)
    figures["model"] = f"{own.name} {own.version} {own.sha256[:12]}"
    write_json(arguments.json, figures)


def verdicts(arguments: argparse.Namespace) -> None:
    rows = measuring_rows(arguments, classes=CLASSES)
    drawn = drawn_of_each(rows, arguments.per_class, arguments.seed)
    segmentation, *own = weights.published("segmentation"), *heads_of(weights.in_force())
    chosen = engine.select_engine(arguments.device)
    segmenter, heads = Segmenter(segmentation, chosen), {one.name: Classifier(one, chosen) for one in own}
    answers = kept(
        kept_file(arguments.json, segmentation.sha256, *(one.sha256 for one in own)),
        ((row.name, partial(verdict_rows, row, segmenter, heads)) for row in drawn),
    )
    figures = {
        "heads": {name: verdict_figures([row for row in answers if row["head"] == name]) for name in heads},
        "model": ", ".join(f"{one.name} {one.version} {one.sha256[:12]}" for one in (segmentation, *own)),
        "classes": counted(drawn, rows),
    }
    write_json(arguments.json, figures)


def heads_of(models: dict[str, Weights]) -> list[Weights]:
    """Return the classification in force, and the others that read the features of the same network."""
    first = models["classification"]
    others = [one for one in models.values() if one.name != "segmentation" and one.sha256 != first.sha256]
    return [first, *(one for one in others if first.base and one.base == first.base)]


def write_page(arguments: argparse.Namespace) -> None:
    measured = (arguments.masks, arguments.verdicts)
    found = [json.loads(path.read_text(encoding="utf-8")) if path else {} for path in measured]
    arguments.markdown.write_text(page(*found), encoding="utf-8")


def write_json(path: Path, figures: dict) -> None:
    path.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@exit_on_manifest_error
def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    arguments.run(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    of_masks = commands.add_parser("masks", help="what one look and two looks find, by zoom")
    of_masks.set_defaults(run=masks)
    of_masks.add_argument("--phantoms", type=int, default=16, help="drawn persons; default %(default)s")
    of_masks.add_argument("--source", help="only rows of this source, e.g. handdrawn_dev")
    of_verdicts = commands.add_parser("verdicts", help="how often the verdict changes with the zoom")
    of_verdicts.set_defaults(run=verdicts)
    of_verdicts.add_argument(
        "--per-class", type=int, help="only so many photos of each class, drawn by --seed"
    )
    of_verdicts.add_argument("--seed", type=int, default=1, help="of the draw; default %(default)s")
    for command in (of_masks, of_verdicts):
        command.add_argument("--manifest", type=Path, required=True)
        command.add_argument(
            "--root", type=Path, required=True, help="folder the manifest's paths start from"
        )
        command.add_argument("--use", help="only rows of this use, e.g. evaluate")
        command.add_argument("--json", type=output, required=True)
        command.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    of_page = commands.add_parser("page", help="the page of both")
    of_page.set_defaults(run=write_page)
    of_page.add_argument("--masks", type=Path, required=True)
    of_page.add_argument("--verdicts", type=Path, help="left out: the page says that they are not measured")
    of_page.add_argument("--markdown", type=output, required=True)
    return parser


if __name__ == "__main__":
    main()
