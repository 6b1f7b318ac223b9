"""Measures the check of drafts' photos: what patients are told of good photos and of photos spoilt on purpose.

    python -m training.photo_check --data ../shared/data --json runs/photo_check.json --out docs/models

Each photo goes through the worker's own functions: the quality of its pixels, then, without a fault, the advice of
its segmentation. What is measured is kept as it comes in a CSV beside `--json`, named by the weights, so that a
stopped run goes on. Then the page `photo_check.md` is written. The limits were set on other photos: `train` rows,
and scenes of other seeds.
"""

from __future__ import annotations

import argparse
import csv
import functools
import itertools
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from contract.photos import QualityFault
from inference_worker.models import engine, weights
from inference_worker.models.photo_advice import FAR_SHARE, NEAR_SHARE, describe
from inference_worker.models.quality import assess_quality
from inference_worker.models.segmentation import LESION, SKIN, Segmenter
from training import phantom, photo_check_page
from training.data import Row, held_out, output, read_mask, read_photo, read_rows
from training.phantom import backdrop, camera
from training.phantom.canvas import Canvas
from training.tone import typology_angle

log = logging.getLogger(__name__)

FIRST_SEED = 9_500_000  # no scene that trained or set a limit comes near
LONG_SIDE = 768
LOG_EVERY = 50
COLUMNS = ("source", "kind", "name", "light", "fault", "skin", "largest", "lesion", "tone")
DISEASES = ("AD", "HI", "IM", "MF", "OTHER")
LIGHTS = ("daylight", "warm", "cool")
NEAR_SIDE = 200  # px; a smaller photo is refused before anybody looks at it
NEAR_LESION = 0.95  # of a photo from too near
NEAR_CM = 6  # from where scenes show large lesions


class Wanted(NamedTuple):
    """One photo to measure: where it comes from, what was done to it, its name, and how it is made (None: it cannot be)."""

    source: str
    kind: str
    name: str
    make: Callable[[], np.ndarray | None]


# --- Spoiling ---------------------------------------------------------------------------------------------
def darkened(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the photo as in a dim room: 2 to 5 % of its light, with the noise of a phone that brightens it no more."""
    light = (photo / 255.0) ** 2.2 * rng.uniform(0.02, 0.05)
    return _pixels(light ** (1 / 2.2) + rng.normal(0, 0.01, photo.shape))


def blurred(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the photo out of focus by 0.7 to 1.2 % of its long side, or moved by 3 to 5 %."""
    side = max(photo.shape)
    if rng.random() < 0.5:
        return cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.007, 0.012) * side)
    length = round(rng.uniform(0.03, 0.05) * side)
    kernel = np.zeros((length, length), np.float32)
    turn = rng.uniform(0, np.pi)
    reach = np.array([np.cos(turn), np.sin(turn)]) * length / 2
    start, end = (tuple(int(v) for v in length / 2 + way * reach) for way in (-1, 1))
    cv2.line(kernel, start, end, 1)
    return cv2.filter2D(photo, -1, kernel / kernel.sum())


def with_glare(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the photo with the light of a flash on 8 to 16 % of it, fading at the rim, away from the border."""
    height, width = photo.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    radius = np.sqrt(rng.uniform(0.08, 0.16) * height * width / np.pi)
    radius = min(radius, 0.4 * min(height, width))
    at_x, at_y = (rng.uniform(1.15 * radius, side - 1.15 * radius) for side in (width, height))
    away = np.hypot(x - at_x, y - at_y) / radius
    shine = np.clip((1.15 - away) / 0.15, 0, 1)[..., None]
    return _pixels(photo / 255.0 * (1 - shine) + shine)


def far_away(photo: np.ndarray, rng: np.random.Generator, behind: np.ndarray) -> np.ndarray:
    """Return a room that holds the photo's view at an eighth to a fifth of the room's long side."""
    scale = rng.uniform(1 / 8, 1 / 5) * max(behind.shape) / max(photo.shape)
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture, (height, width) = behind.copy(), small.shape[:2]
    top, left = (
        int(rng.uniform(0.2, 0.8) * (room - own))
        for room, own in zip(behind.shape[:2], (height, width), strict=True)
    )
    picture[top : top + height, left : left + width] = small
    return picture


def too_near(photo: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """Return the largest square that is nearly all lesion, uncut in sharpness; None without one of NEAR_SIDE px."""
    total = cv2.integral((mask == LESION).astype(np.uint8))
    for side in range(min(mask.shape), NEAR_SIDE - 1, -16):
        inside = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
        y, x = np.unravel_index(int(inside.argmax()), inside.shape)
        if inside[y, x] >= NEAR_LESION * side * side:
            return np.ascontiguousarray(photo[y : y + side, x : x + side])
    return None


def is_good(mask: np.ndarray) -> bool:
    """Whether a drawn scene is a good photo by its true mask; some are drawn from too near or too far."""
    skin, lesion = float((mask > 0).mean()), float((mask == LESION).mean())
    return skin >= FAR_SHARE and 0 < lesion <= NEAR_SHARE


def _pixels(photo: np.ndarray) -> np.ndarray:
    return (np.clip(photo, 0, 1) * 255 + 0.5).astype(np.uint8)


SPOILT = {"dark": darkened, "blurred": blurred, "glare": with_glare}


# --- Which photos -----------------------------------------------------------------------------------------
def scenes(count: int) -> Iterator[Wanted]:
    """Yield drawn photos: `count` good ones, each of them spoilt, as many rooms, and as many from too near."""
    for number in range(count):
        seed, condition = FIRST_SEED + number, DISEASES[number % len(DISEASES)]

        def photo(seed: int = seed, condition: str = condition) -> np.ndarray:
            return _drawn(seed, condition).photo

        def good(seed: int = seed, condition: str = condition) -> np.ndarray | None:
            scene = _drawn(seed, condition)
            return scene.photo if is_good(scene.mask) else None

        def room(seed: int = seed) -> np.ndarray:
            return _drawn_room(seed)

        def near(seed: int = seed) -> np.ndarray | None:
            condition = ("AD", "MF", "OTHER")[seed % 3]
            scene = phantom.draw(seed, condition=condition, distance_cm=NEAR_CM, light="daylight", blur=0)
            return too_near(scene.photo, scene.mask)

        yield Wanted("phantom", "good", str(seed), good)
        yield from _spoilt("phantom", str(seed), photo, room)
        yield Wanted("phantom", "room", str(seed), room)
        yield Wanted("phantom", "near", str(seed), near)


@functools.lru_cache(maxsize=1)  # it is spoilt in four ways
def _drawn(seed: int, condition: str) -> phantom.Scene:
    return phantom.draw(seed, condition=condition, light=LIGHTS[seed % len(LIGHTS)], blur=0.3)


def _drawn_room(seed: int) -> np.ndarray:
    """Return a backdrop in focus: behind a body it is blurred, and would rightly be called that."""
    rng = np.random.default_rng([seed, 1])
    canvas = Canvas(rng, (LONG_SIDE, LONG_SIDE * 3 // 4), rng.uniform(0.5, 2), (0.5, 0.5, 0.5))
    kind = list(backdrop.BACKDROPS)[seed % len(backdrop.BACKDROPS)]
    light = np.clip(backdrop.BACKDROPS[kind](canvas), 0.002, 1).astype(np.float32)
    return camera.take(rng, light ** (1 / 2.2), 0, 0.01, 90)


def real_photos(data: Path, count: int, spoilt: int) -> Iterator[Wanted]:
    """Yield `count` photos of use `evaluate` as good ones, and `spoilt` of them spoilt."""
    rooms = _held_out_rooms(data)
    photos = _rows(data / "cls", "evaluate")
    order = np.random.default_rng(FIRST_SEED).permutation(len(photos))[:count]
    for place, index in enumerate(order):
        row, room = photos[index], rooms[place % len(rooms)]

        def photo(row: Row = row) -> np.ndarray:
            return read_photo(row.path, LONG_SIDE)

        def behind(room: Row = room) -> np.ndarray:
            return read_photo(room.path, LONG_SIDE)

        yield Wanted("photo", "good", row.name, photo)
        if place < spoilt:
            yield from _spoilt("photo", row.name, photo, behind)


def real_rooms(data: Path) -> Iterator[Wanted]:
    for row in _held_out_rooms(data):
        yield Wanted("photo", "room", row.name, lambda row=row: read_photo(row.path, LONG_SIDE))


def real_near(data: Path) -> Iterator[Wanted]:
    """Yield the photos of use `evaluate` with a true mask, from too near."""
    for row in _rows(data / "seg", "evaluate"):
        yield Wanted("photo", "near", row.name, lambda row=row: _near(row))


def _held_out_rooms(data: Path) -> list[Row]:
    """Return the rooms that the segmentation never learned from."""
    return [row for row in _rows(data / "seg", "train") if row.kinds == "bg" and held_out(row)]


def _rows(folder: Path, use: str) -> list[Row]:
    return [row for row in read_rows(folder / "manifest.csv", folder) if row.use == use]


def _near(row: Row) -> np.ndarray | None:
    photo, mask = read_photo(row.path), read_mask(row.mask)
    return too_near(photo, mask) if photo.shape[:2] == mask.shape else None


def _spoilt(
    source: str, name: str, photo: Callable[[], np.ndarray], room: Callable[[], np.ndarray]
) -> Iterator[Wanted]:
    seed = int.from_bytes(name.encode()[-8:])
    for kind, spoil in SPOILT.items():
        rng = np.random.default_rng([seed, len(kind)])
        yield Wanted(source, kind, name, lambda spoil=spoil, rng=rng: spoil(photo(), rng))
    rng = np.random.default_rng([seed, 99])
    yield Wanted(source, "far", name, lambda: far_away(photo(), rng, room()))


# --- Measuring --------------------------------------------------------------------------------------------
def look_at(wanted: Wanted, segmenter: Segmenter) -> dict[str, str]:
    """Return what the worker measures in one photo; `fault` is "none there" for a photo that cannot be made."""
    row = {"source": wanted.source, "kind": wanted.kind, "name": wanted.name}
    photo = wanted.make()
    if photo is None:
        return row | dict.fromkeys(COLUMNS[3:], "") | {"fault": photo_check_page.ABSENT}
    row["light"] = f"{_light(photo):.4f}"
    fault: QualityFault | None = assess_quality(photo)[1]
    if fault is not None and wanted.kind != "good":
        return row | dict.fromkeys(COLUMNS[4:], "") | {"fault": str(fault)}
    (score,) = segmenter.scores([photo])
    mask = score.argmax(axis=0)
    found = describe(mask, model=segmenter.model, seconds=0)
    shares = {name: f"{getattr(found, name):.5f}" for name in ("skin", "largest", "lesion")}
    return row | {"fault": str(fault or "")} | shares | {"tone": f"{_tone(photo, mask):.1f}"}


def _light(photo: np.ndarray) -> float:
    """Return the light of the median pixel, 0 black to 1 white, linear as in `darkened`."""
    return float((np.median(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)) / 255) ** 2.2)


def _tone(photo: np.ndarray, mask: np.ndarray) -> float:
    """Return the typology angle of what was found as skin; where that is too little, of the middle of the photo.

    A photo whose skin is not found must not leave the third of tones that it belongs to.
    """
    small = cv2.resize(photo, mask.shape[::-1], interpolation=cv2.INTER_AREA)
    angle = typology_angle(small, mask == SKIN)
    if not np.isnan(angle):
        return angle
    middle = np.zeros(mask.shape, bool)
    height, width = mask.shape
    middle[height // 4 : -height // 4, width // 4 : -width // 4] = True
    return typology_angle(small, middle)


def collect(wanted: list[Wanted], path: Path, segmenter: Segmenter) -> list[dict[str, str]]:
    """Return what is measured of each photo; what is in the file already is read from it."""
    known = {(row["source"], row["kind"], row["name"]): row for row in _read(path)}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(known.values())
        for count, each in enumerate(wanted, start=1):
            if each[:3] not in known:
                known[each[:3]] = look_at(each, segmenter)
                writer.writerow(known[each[:3]])
                file.flush()
            if count % LOG_EVERY == 0:
                log.info("%d of %d photos", count, len(wanted))
    return [known[each[:3]] for each in wanted]


def _in_turn(*kinds: Iterator[Wanted]) -> list[Wanted]:
    """Take one of each in turn, so that the first half of a run has something of all."""
    rounds = itertools.zip_longest(*kinds)
    return [each for taken in rounds for each in taken if each is not None]


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]  # a killed run may leave half a line
    return list(csv.DictReader(whole))


def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    own = weights.published("segmentation")
    segmenter = Segmenter(own, engine.select_engine(arguments.device))
    real = real_photos(arguments.data, arguments.photos, arguments.spoilt)
    wanted = _in_turn(real, scenes(arguments.scenes), real_near(arguments.data), real_rooms(arguments.data))
    rows = collect(
        wanted, arguments.json.with_suffix(f".{own.sha256[:8]}-phantoms{phantom.VERSION}.csv"), segmenter
    )
    figures = photo_check_page.figures_of(rows)
    figures["model"] = f"{own.name} {own.version} {own.sha256[:12]}"
    figures["options"] = (
        f"--scenes {arguments.scenes} --photos {arguments.photos} --spoilt {arguments.spoilt}"
    )
    arguments.json.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (arguments.out / "photo_check.md").write_text(photo_check_page.page(figures), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with cls/ and seg/ and their manifests"
    )
    parser.add_argument("--scenes", type=int, default=200, help="drawn photos of each kind")
    parser.add_argument("--photos", type=int, default=240, help="good photos of use `evaluate`")
    parser.add_argument("--spoilt", type=int, default=100, help="how many of them are spoilt, too")
    parser.add_argument(
        "--json", type=output, required=True, help="figures; what is measured is kept beside it"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the page")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    return parser


if __name__ == "__main__":
    main()
