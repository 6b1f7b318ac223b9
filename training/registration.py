"""Is the same place of skin known again, and how well is the change of a lesion's area measured?

    python -m training.registration --manifest CSV --root DIR --use evaluate --per-class 20 --phantoms 60 --json OUT

Each photo, and each drawn scene, is photographed again by `training.revisits`: other light, camera and distance, skin
that moved, a lesion that grew or shrank by a known factor, in half of them a part of the place missing. Its first photo
is compared with its second (the same place), with the second of the next person's (another place), and its one half
with a second photo of the other half. Drawn scenes are drawn twice, under two lamps.

`given` masks are the true ones of scenes and, of photos, those that the network finds in the first picture, warped with
it: what the registration adds to the error. `network` masks are found in both photos, each in two looks, one of them
mirrored: what a reader would get. Shares have Wilson's 95 % interval. Answers are kept beside `--json`, named by the
weights and the code, so that a stopped run goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from inference_worker.models import engine, weights
from inference_worker.models.segmentation import LESION, Segmenter
from registration import alignment, area
from registration.alignment import DETECTORS, NotComparable, align, working_copy
from registration.area import Change, area_change
from training import phantom, revisits
from training.data import exit_on_manifest_error, measuring_rows, output, read_photo
from training.revisits import phone, revisit
from training.statistics import Figures, figure, wilson
from training.zooms import drawn_of_each, enlarged, kept, kept_file, write_json

FIRST_SEED = 9_500_000  # no training scene comes near; the limits were set on those from 9,000,000
LAMPS = ("daylight", "warm")
LONG_SIDE = 1024  # px; what the worker analyses
WITH_LESION = ("AD", "HI", "IM", "MF", "OTHER")  # normal skin has nothing whose area changes
TOLERANCE = 0.1  # of the true ratio of areas
GOALS = {"accepted": 0.8, "within_tolerance": 0.9, "refused": 0.95}
Place = tuple[
    np.ndarray, np.ndarray, np.ndarray
]  # the first photo, the picture the second is made from, class map


def drawn_place(number: int) -> Place:
    """Return a drawn scene under two lamps, with its true class map."""
    condition = phantom.CONDITIONS[number % (len(phantom.CONDITIONS) - 1)]  # all but normal skin
    first, later = (
        phantom.draw(FIRST_SEED + number, condition=condition, light=lamp, long_side=LONG_SIDE)
        for lamp in LAMPS
    )
    return first.photo, later.photo, first.mask


def photo_place(path: Path, segmenter: Segmenter) -> Place:
    """Return a photo as a second phone stores it, the photo, and the class map found in it."""
    photo = enlarged(read_photo(path))
    first = phone(np.random.default_rng(zlib.crc32(path.name.encode())), photo.astype(np.float32) / 255)
    return first, photo, segmenter([first])[0]


def rows_of(
    name: str, group: str, own: Callable[[], Place], other: Callable[[], Place], look: Callable
) -> list[dict]:
    """Return what is answered for a place: its own second photo, that of another place, and that of its other half."""
    first, picture, mask = own()
    about = {"name": name, "group": group}
    if np.count_nonzero(working_copy(first, mask)[1] == LESION) < area.LEAST_LESION:
        return [about | {"pair": "without lesion"}]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    again = revisit(rng, picture, mask)
    facts = {"pair": "same", "true": again.growth, "part_missing": again.part_missing}
    same = [
        about
        | facts
        | {"masks": "given", "detector": detector}
        | answer(first, again.photo, [mask], [again.mask], detector)
        for detector in DETECTORS
    ]
    found = answer(first, again.photo, look(first), look(again.photo), DETECTORS[0])
    same.append(about | facts | {"masks": "network", "detector": DETECTORS[0]} | found)
    _first, picture, other_mask = other()
    elsewhere = revisit(rng, picture, other_mask)
    return [
        *same,
        *(
            about
            | {"pair": "other", "detector": detector}
            | aligned(first, mask, elsewhere.photo, elsewhere.mask, detector)
            for detector in DETECTORS
        ),
        about | {"pair": "halves", "detector": DETECTORS[0]} | halves(rng, first, mask),
    ]


def halves(rng: np.random.Generator, photo: np.ndarray, mask: np.ndarray) -> dict:
    """Compare one half of a photo with a second photo of its other half: same person and light, another place."""
    axis = int(np.argmax(mask.shape))
    middle = mask.shape[axis] // 2
    (one, one_mask), (other, other_mask) = (
        (np.take(photo, where, axis=axis), np.take(mask, where, axis=axis))
        for where in (range(middle), range(middle, mask.shape[axis]))
    )
    again = revisit(rng, other, other_mask)
    return aligned(one, one_mask, again.photo, again.mask, DETECTORS[0])


def aligned(
    first: np.ndarray, mask: np.ndarray, second: np.ndarray, second_mask: np.ndarray, detector: str
) -> dict:
    found = align(*_in_turns(working_copy(first, mask), working_copy(second, second_mask)), detector)
    return {"reason": str(found) if isinstance(found, NotComparable) else None}


def _in_turns(one: tuple, other: tuple) -> tuple:
    return one[0], other[0], one[1], other[1]


def answer(first: np.ndarray, second: np.ndarray, masks: list, second_masks: list, detector: str) -> dict:
    started, cpu = time.perf_counter(), time.process_time()
    found = area_change(first, second, masks, second_masks, detector)
    took = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
    if not isinstance(found, Change):
        return {"reason": str(found)} | took
    return {
        "reason": None,
        "ratio": found.ratio,
        "low": found.low,
        "high": found.high,
        "seen": found.seen,
    } | took


def two_looks(segmenter: Segmenter, photo: np.ndarray) -> list[np.ndarray]:
    straight, mirrored = segmenter([photo, np.ascontiguousarray(photo[:, ::-1])])
    return [straight, mirrored[:, ::-1]]


# --- Figures ----------------------------------------------------------------------------------------------
def figures_of(rows: list[dict]) -> Figures:
    """Return by detector and masks how often the same place was accepted and how right the answers were."""
    found: Figures = {"without_lesion": sum(row["pair"] == "without lesion" for row in rows)}
    for detector, masks in [*((one, "given") for one in DETECTORS), (DETECTORS[0], "network")]:
        same = [row for row in rows if (row.get("masks"), row.get("detector")) == (masks, detector)]
        found[f"same, {masks} masks, {detector}"] = _of_same(same)
        for missing, words in ((True, "part missing"), (False, "whole place")):
            some = [row for row in same if row["part_missing"] is missing]
            found[f"same, {masks} masks, {detector}, {words}"] = _of_same(some)
    for pair, detector in [*(("other", one) for one in DETECTORS), ("halves", DETECTORS[0])]:
        some = [row for row in rows if (row["pair"], row.get("detector")) == (pair, detector)]
        refused = [row["reason"] is not None for row in some]
        found[f"{pair}, {detector}"] = {"refused": _share(refused), "reasons": _reasons(some)}
    return found


def _of_same(rows: list[dict]) -> Figures:
    answered = [row for row in rows if row["reason"] is None]
    errors = np.array([abs(row["ratio"] - row["true"]) / max(row["true"], 1e-6) for row in answered])
    spent = {
        f"{kind}_{name}": round(float(np.quantile([row[kind] for row in rows], share)), 2) if rows else None
        for kind in ("seconds", "cpu")
        for name, share in (("median", 0.5), ("p95", 0.95))
    }
    return {
        "accepted": _share([row["reason"] is None for row in rows]),
        "within_tolerance": _share(list(errors <= TOLERANCE)),
        "median_error": round(float(np.median(errors)), 4) if len(errors) else None,
        "in_error_bar": _share([row["low"] <= row["true"] <= row["high"] for row in answered]),
        "median_bar": round(float(np.median([row["high"] / row["ratio"] - 1 for row in answered])), 4)
        if answered
        else None,
        "reasons": _reasons(rows),
    } | spent


def _share(hits: list) -> dict:
    low, high = wilson(sum(hits), len(hits))
    return figure(float(np.mean(hits)) if hits else np.nan, low, high, len(hits))


def _reasons(rows: list[dict]) -> dict[str, int]:
    return dict(sorted(Counter(row["reason"] for row in rows if row["reason"]).items()))


def table(figures: dict[str, Figures]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    yield "| set | pairs | accepted or refused | within 10 % of those answered | in the error bar | median error | median bar | CPU s | refused because |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, own in figures.items():
        for pairs, one in own.items():
            if not isinstance(one, dict):
                continue
            reasons = ", ".join(f"{reason} {count}" for reason, count in one["reasons"].items())
            if "refused" in one:
                yield f"| {name} | {pairs} | refused {_said(one['refused'])} | | | | | | {reasons} |"
            else:
                yield (
                    f"| {name} | {pairs} | accepted {_said(one['accepted'])} | {_said(one['within_tolerance'])} | "
                    f"{_said(one['in_error_bar'])} | {one['median_error']} | ±{one['median_bar']} | "
                    f"{one['cpu_median']}, p95 {one['cpu_p95']} | {reasons} |"
                )


def _said(one: dict) -> str:
    return (
        "–"
        if one["value"] is None
        else f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}] ({one['n']})"
    )


# --- The command ------------------------------------------------------------------------------------------
@exit_on_manifest_error
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--manifest", type=Path, help="photos; left out: drawn scenes alone")
    parser.add_argument("--root", type=Path, help="folder the manifest's paths start from")
    parser.add_argument("--use", help="only rows of this use, e.g. evaluate")
    parser.add_argument("--per-class", type=int, default=20, help="photos of each class; default %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of the draw; default %(default)s")
    parser.add_argument("--phantoms", type=int, default=60, help="drawn scenes; default %(default)s")
    parser.add_argument("--json", type=output, required=True)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    arguments = parser.parse_args(argv)
    own = weights.published("segmentation")
    segmenter = Segmenter(own, engine.select_engine(arguments.device))
    code = "".join(inspect.getsource(module) for module in (alignment, area, revisits)) + phantom.VERSION
    version = hashlib.sha256(code.encode()).hexdigest()
    places = {
        "drawn": [(f"drawn {i}", f"drawn {i}", partial(drawn_place, i)) for i in range(arguments.phantoms)]
    }
    if arguments.manifest:
        rows = drawn_of_each(measuring_rows(arguments, only=WITH_LESION), arguments.per_class, arguments.seed)
        places["photos"] = [(row.name, row.group, partial(photo_place, row.path, segmenter)) for row in rows]
    figures = {}
    for kind, some in places.items():
        path = kept_file(arguments.json.with_stem(f"{arguments.json.stem}-{kind}"), own.sha256, version)
        figures[kind] = figures_of(kept(path, _jobs(some, partial(two_looks, segmenter))))
    write_json(arguments.json, {"figures": figures, "goals": GOALS, "model": f"{own.name} {own.version}"})
    print("\n".join(table(figures)))


def _jobs(places: list[tuple], look: Callable) -> Iterator[tuple[str, Callable[[], list[dict]]]]:
    """Yield the work on each place; the other place is the next one of another person."""
    for index, (name, group, own) in enumerate(places):
        others = [*places[index + 1 :], *places[:index]]
        other = next((third for _name, its_group, third in others if its_group != group), own)
        yield name, partial(rows_of, name, group, own, other, look)


if __name__ == "__main__":
    main()
