"""The whole pipeline on local photos, without web or queue: `./run analyse PHOTO_OR_FOLDER... --out DIR`.

For each photo DIR gets NAME.json (every outcome, as the web would receive it), NAME-overlay.png (contours of
skin and lesion, boxes with their shares), NAME-crop-N.png, and NAME-attribution.png with the parts that spoke
for the condition of an alarm, or the likeliest (yellow; NAME-attribution-crop-N.png for the crop that decided). With
`--distance` also NAME-distance.png: the photo shown from eight distances, the crops and the answer at each.
`index.html` shows all photos with their verdict, to be chosen by reason, and `photos.csv` has a line for each.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg

from contract.messages import Attribution, Box, Classified
from contract.photos import FILE_LIMIT_BYTES
from inference_worker.decode.sandbox import DecoderLostError
from inference_worker.models import attribution, cropping, distance
from inference_worker.models.classification import Classifier, Evidence
from inference_worker.models.engine import select_engine
from inference_worker.models.segmentation import LESION, Segmenter
from inference_worker.models.signs import signs_of
from inference_worker.models.weights import WeightsError, published
from inference_worker.preparation import prepare
from training import analyse_report, distance_strip
from training.analyse_report import Analysed, Table
from training.photo_verdict import ringing, verdict

# What files of the accepted formats are called; only the worker's look at the bytes decides what they are.
PHOTO_ENDINGS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".heic", ".heif"})
# What an annotator's mask is called beside its photo: arm.jpg, arm_mask.png.
MASK_STEM = re.compile(
    r"(?P<photo>.+)[ ._-](?:mask|masks|seg|segmentation|label|labels|annotation)", re.IGNORECASE
)
GREY_OR_INDEXED = (0, 3)  # colour types of PNG, byte 25 of the file
PROGRESS_SECONDS = 10
LEFT_OUT_SHOWN = 5
THUMBNAIL_SIDE = 320  # px
SKIN_COLOUR, LESION_COLOUR = (0, 200, 255), (255, 0, 200)
# Of the boxes in turn: several lie over each other, and each must be told from the next.
BOX_COLOURS = (
    (255, 255, 255),
    (255, 225, 60),
    (130, 255, 130),
    (255, 160, 60),
    (150, 190, 255),
    (255, 150, 150),
)
TINT_COLOUR, TINT_OPACITY = (255, 220, 0), 0.7
REMEDY_OF_A_LOST_DECODER = (
    "that says nothing about the photo: try it again when the machine has memory and time to spare"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Analyse each photo. An error of one stops none of the others.

    Return 0 also where one is rejected, 2 where a path is missing or weights are refused, 3 where a photo could not
    be analysed: its decoder was lost, its file cannot be read, or the code failed.
    """
    parser = argparse.ArgumentParser(prog="./run analyse", description=__doc__.split("\n\n")[0])
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="or a folder of photos")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print the JSON of each photo on one line")
    parser.add_argument(
        "--distance", action="store_true", help="also show the photo at eight distances: NAME-distance.png"
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    options = parser.parse_args(arguments)
    if absent := [str(path) for path in options.photos if not path.exists()]:
        parser.error(f"no such file: {', '.join(absent)}")
    photos, left_out = photos_in(options.photos, options.out)
    for reason, files in left_out.items():
        shown = ", ".join(file.name for file in files[:LEFT_OUT_SHOWN])
        more = ", …" if len(files) > LEFT_OUT_SHOWN else ""
        print(f"left out, {reason}: {len(files)} ({shown}{more})", file=sys.stderr)
    if not photos:
        parser.error("no photo in the folders given")
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        analyst = Analyst(options.device, with_distance=options.distance)
    except WeightsError as error:
        parser.exit(2, f"{error}\n")
    done: list[Analysed] = []
    progress = Progress(len(photos))
    try:
        with (options.out / analyse_report.TABLE).open("w", newline="", encoding="utf-8") as file:
            table = Table(file)
            for path, name in zip(photos, names_of(photos), strict=True):
                one = attempt(analyst, path, name, options.out)
                done.append(one)
                table.add(one)
                if one.row is None:
                    print(f"{path}: {one.sentence}", file=sys.stderr)
                else:
                    print(
                        json.dumps(one.row, ensure_ascii=False) if options.json else _line(one.row),
                        flush=True,
                    )
                progress.step()
    finally:  # also when somebody stops it: what was done can be looked at
        (options.out / analyse_report.INDEX).write_text(analyse_report.page(done), encoding="utf-8")
    return 3 if any(one.row is None for one in done) else 0


def photos_in(paths: Sequence[Path], out: Path) -> tuple[list[Path], dict[str, list[Path]]]:
    """Return the photos among paths and below folders, in order, and by reason the files of folders that are none.

    A file that is named itself is always taken. Files below `out` are our own of an earlier run.
    """
    photos: list[Path] = []
    left_out: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        if path.is_file():
            photos.append(path)
            continue
        for file in sorted(path.rglob("*")):
            is_hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if not file.is_file() or is_hidden or file.resolve().is_relative_to(out.resolve()):
                continue
            if file.suffix.lower() not in PHOTO_ENDINGS:
                left_out["names that end like no photo's"].append(file)
            elif is_mask(file):
                left_out["masks of the photos beside them"].append(file)
            else:
                photos.append(file)
    return photos, left_out


def is_mask(file: Path) -> bool:
    """Whether a file is a grey or indexed PNG that is named as the mask of a photo in its folder."""
    name = MASK_STEM.fullmatch(file.stem)
    if name is None or file.suffix.lower() != ".png":
        return False
    with file.open("rb") as content:
        head = content.read(26)
    if len(head) < 26 or head[25] not in GREY_OR_INDEXED:
        return False
    return any(
        other.stem == name["photo"] and other.suffix.lower() in PHOTO_ENDINGS
        for other in file.parent.iterdir()
    )


def attempt(analyst: Analyst, path: Path, name: str, out: Path) -> Analysed:
    """Analyse one photo; whatever goes wrong is kept with it, so that the others are still analysed."""
    try:
        return Analysed(path, name, row=analyst.analyse(path, out / name))
    except DecoderLostError as error:
        return Analysed(path, name, error=f"its decoder was lost ({error}); {REMEDY_OF_A_LOST_DECODER}")
    except OSError as error:
        return Analysed(path, name, error=f"it cannot be read ({error.strerror or error})")
    except Exception as error:  # noqa: BLE001 one photo must not end a run of thousands
        return Analysed(path, name, error=f"{type(error).__name__}: {error}")


class Progress:
    """Prints every few seconds how many photos are done and how long the rest will take."""

    def __init__(self, total: int) -> None:
        self.total, self.count = total, 0
        self.started = self.printed = time.monotonic()

    def step(self) -> None:
        self.count += 1
        now = time.monotonic()
        if now - self.printed < PROGRESS_SECONDS or self.count == self.total:
            return
        self.printed = now
        left = (now - self.started) / self.count * (self.total - self.count)
        print(
            f"{self.count} of {self.total} photos, about {left / 60:.0f} min left",
            file=sys.stderr,
            flush=True,
        )


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return a plain file name for each photo; two of one name get a number."""
    used: Counter[str] = Counter()
    names: list[str] = []
    for path in paths:
        plain = re.sub(r"[^\w-]+", "_", path.stem).strip("_") or "photo"
        used[plain] += 1
        names.append(f"{plain}~{used[plain]}" if used[plain] > 1 else plain)
    return names


class Analyst:
    """Holds the networks and takes one photo after the other."""

    def __init__(self, device: str, *, with_distance: bool = False) -> None:
        self.with_distance = with_distance
        engine = select_engine(device)
        self.segmenter = Segmenter(published("segmentation"), engine)
        self.classifier = Classifier(published("classification"), engine)

    def analyse(self, path: Path, target: Path) -> dict[str, Any]:
        """Write the files of one photo beside `target`; return what its JSON holds."""
        with path.open("rb") as file:
            preparation = prepare(file.read(FILE_LIMIT_BYTES + 1))
        row = {"photo": str(path), "prepared": _plain(preparation.outcome)}
        found, alarms = verdict(preparation.outcome), ()
        if preparation.copies:
            photo = simplejpeg.decode_jpeg(preparation.copies["analysis"], "RGB")
            (mask,) = self.segmenter([photo])
            signs = signs_of(photo, mask, self.segmenter)
            segmented = cropping.describe(mask, key="", model=self.segmenter.model, seconds=0, signs=signs)
            ((classified, evidence),) = self.classifier.with_evidence([photo], [segmented.boxes])
            found, alarms = verdict(preparation.outcome, segmented, classified), ringing(classified)
            drawn = overlay(photo, mask, segmented.boxes)
            _write_png(_beside(target, "-overlay.png"), drawn)
            _write_thumbnail(_beside(target, analyse_report.THUMBNAIL), drawn)
            for number, box in enumerate(segmented.boxes, start=1):
                _write_png(_beside(target, f"-crop-{number}.png"), photo[_area(box)])
            explained = _explain(photo, segmented.boxes, classified, evidence, target)
            row |= {"segmented": _plain(segmented), "classified": _plain(explained)}
            if self.with_distance:
                row["distance"] = self._distance(photo, target)
        row["verdict"] = {**dataclasses.asdict(found), "alarms": [str(condition) for condition in alarms]}
        _beside(target, ".json").write_text(json.dumps(row, indent=1, ensure_ascii=False), encoding="utf-8")
        return row

    def _distance(self, photo: np.ndarray, target: Path) -> dict[str, Any]:
        report, views = distance.report(photo, self.segmenter, self.classifier, model=self.segmenter.model)
        _write_png(_beside(target, "-distance.png"), distance_strip.strip(report, views))
        summary = {"stability": report.stability, "is_stable": report.is_stable, "changes": report.changes}
        return dataclasses.asdict(report) | summary


def _explain(
    photo: np.ndarray, boxes: tuple[Box, ...], found: Classified, evidence: Evidence, target: Path
) -> Classified:
    condition, number = attribution.decisive(found)
    picture = attribution.picture(photo, boxes, found, evidence)
    shares = cv2.resize(picture, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR) / 255
    file = _beside(target, "-attribution.png")
    _write_png(file, tinted(photo, shares[..., 0]))
    if number is not None:
        area = _area(boxes[number])
        crop = _beside(target, f"-attribution-crop-{number + 1}.png")
        _write_png(crop, tinted(photo[area], shares[..., 1][area]))
    return dataclasses.replace(found, attribution=Attribution(key=file.name, condition=condition, box=number))


def overlay(photo: np.ndarray, mask: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Return a copy of the photo (H, W, 3) uint8 with contours of the class map and the boxes drawn on it."""
    drawn = photo.copy()
    thick = max(1, round(max(photo.shape) / 600))
    for values, colour in ((mask > 0, SKIN_COLOUR), (mask == LESION, LESION_COLOUR)):
        contours, _tree = cv2.findContours(values.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, contours, -1, colour, thick)
    colours = [BOX_COLOURS[number % len(BOX_COLOURS)] for number in range(len(boxes))]
    for box, colour in zip(boxes, colours, strict=True):
        cv2.rectangle(drawn, (box.x, box.y), (box.x + box.width - 1, box.y + box.height - 1), colour, thick)
    # Labels come last and keep clear of each other, so that no box hides what is written of another.
    taken: list[tuple[int, int, int, int]] = []
    for number, (box, colour) in enumerate(zip(boxes, colours, strict=True), start=1):
        text, size = f"{number}: skin {box.skin:.0%} lesion {box.lesion:.0%}", thick * 0.4
        (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
        x, y, width, height = place = _free_place(
            box, width + 2 * thick, height + below + 2 * thick, drawn.shape[1], taken
        )
        taken.append(place)
        cv2.rectangle(drawn, (x, y), (x + width - 1, y + height - 1), (0, 0, 0), cv2.FILLED)
        start = (x + thick, y + height - below - thick)
        cv2.putText(drawn, text, start, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)
    return drawn


def _free_place(
    box: Box, width: int, height: int, picture_width: int, taken: Sequence[tuple[int, int, int, int]]
) -> tuple[int, int, int, int]:
    """Return (x, y, width, height) of a label: as high in its box as no other is in the way, else at its top."""
    x = max(0, min(box.x, picture_width - width))
    for y in range(box.y, box.y + box.height - height + 1, height):
        if not any(
            x < left + wide and left < x + width and y < top + high and top < y + height
            for left, top, wide, high in taken
        ):
            return x, y, width, height
    return x, box.y, width, height


def tinted(photo: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the photo (H, W, 3) uint8 tinted by shares (H, W) 0..1."""
    opacity = TINT_OPACITY * shares[..., None]
    return (photo * (1 - opacity) + opacity * np.array(TINT_COLOUR)).astype(np.uint8)


def _area(box: Box) -> tuple[slice, slice]:
    return np.s_[box.y : box.y + box.height, box.x : box.x + box.width]


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(target.name + ending)


def _write_png(path: Path, photo: np.ndarray) -> None:
    _ok, png = cv2.imencode(".png", cv2.cvtColor(photo, cv2.COLOR_RGB2BGR))
    path.write_bytes(png.tobytes())


def _write_thumbnail(path: Path, photo: np.ndarray) -> None:
    scale = THUMBNAIL_SIDE / max(photo.shape)
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else photo
    _ok, jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    path.write_bytes(jpeg.tobytes())


def _plain(outcome: Any) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(outcome).items() if not name.endswith("_key")}


def _line(row: dict[str, Any]) -> str:
    photo, sentence = row["photo"], row["verdict"]["sentence"]
    if "segmented" not in row:
        return f"{photo}: rejected. {sentence}"
    prepared, segmented = row["prepared"], row["segmented"]
    boxes = f"{len(segmented['boxes'])} boxes" if segmented["boxes"] else f"no box ({segmented['no_box']})"
    herpes = f"herpes {row['classified']['probabilities']['HI']:.2f}"
    note = f", {prepared['reason']}: {prepared['fault']}" if prepared["fault"] else ""
    shares = f"skin {segmented['skin']:.0%}, lesion {segmented['lesion']:.0%}"
    if "distance" in row:
        note += f", the same answer at {row['distance']['stability']:.0%} of the other distances"
    return f"{photo}: {shares}, {boxes}, {herpes}{note}. {sentence}"


if __name__ == "__main__":
    sys.exit(main())
