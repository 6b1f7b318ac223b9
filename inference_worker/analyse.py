"""The whole pipeline on local photos, without web or queue: `./run analyse PHOTO... --out DIR`.

For each photo DIR gets NAME.json (every outcome, as the web would receive it), NAME-overlay.png (contours of
skin and lesion, boxes with their shares), NAME-crop-N.png, and NAME-attribution.png with the parts that spoke
for the condition of an alarm, or the likeliest (yellow; NAME-attribution-crop-N.png for the crop that decided).
With `--distance` also NAME-distance.png: the photo shown from eight distances, the crops and the answer at each.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg

from contract.messages import Attribution, Box, Classified
from contract.photos import FILE_LIMIT_BYTES
from inference_worker import distance_strip
from inference_worker.decode.sandbox import DecoderLostError
from inference_worker.models import cropping, distance
from inference_worker.models.attribution import Attributor, decisive
from inference_worker.models.classification import Classifier
from inference_worker.models.engine import select_device
from inference_worker.models.segmentation import LESION, Segmenter
from inference_worker.models.signs import signs_of
from inference_worker.models.weights import WeightsError, published
from inference_worker.preparation import prepare

SKIN_COLOUR, LESION_COLOUR, BOX_COLOUR = (0, 200, 255), (255, 0, 200), (255, 255, 255)
TINT_COLOUR, TINT_OPACITY = (255, 220, 0), 0.7
REMEDY_OF_A_LOST_DECODER = (
    "that says nothing about the photo: try it again when the machine has memory and time to spare"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Analyse each photo.

    Return 0 also where one is rejected, 2 where a file cannot be read or weights are refused, 3 where a decoder was lost.
    """
    parser = argparse.ArgumentParser(prog="./run analyse", description=__doc__.split("\n\n")[0])
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print the JSON of each photo on one line")
    parser.add_argument(
        "--distance", action="store_true", help="also show the photo at eight distances: NAME-distance.png"
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    options = parser.parse_args(arguments)
    if absent := [str(path) for path in options.photos if not path.is_file()]:
        parser.error(f"no such file: {', '.join(absent)}")
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        analyst = Analyst(options.device, with_distance=options.distance)
    except WeightsError as error:
        parser.exit(2, f"{error}\n")
    lost = 0
    for path, name in zip(options.photos, names_of(options.photos), strict=True):
        try:
            row = analyst.analyse(path, options.out / name)
        except DecoderLostError as error:
            lost += 1
            print(
                f"{path}: not read, its decoder was lost ({error}); {REMEDY_OF_A_LOST_DECODER}",
                file=sys.stderr,
            )
            continue
        print(json.dumps(row, ensure_ascii=False) if options.json else _line(row), flush=True)
    return 3 if lost else 0


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return a plain file name for each photo; two of one name get a number."""
    names: list[str] = []
    for path in paths:
        plain = re.sub(r"[^\w-]+", "_", path.stem).strip("_") or "photo"
        used = sum(name == plain or name.startswith(f"{plain}~") for name in names)
        names.append(f"{plain}~{used + 1}" if used else plain)
    return names


class Analyst:
    """Holds the networks and takes one photo after the other."""

    def __init__(self, device: str, *, with_distance: bool = False) -> None:
        self.with_distance = with_distance
        engine = select_device(device)
        self.segmenter = Segmenter(published("segmentation"), engine)
        self.classifier = Classifier(published("classification"), engine)
        self.attributor = Attributor(self.classifier)

    def analyse(self, path: Path, target: Path) -> dict[str, Any]:
        """Write the files of one photo beside `target`; return what its JSON holds."""
        with path.open("rb") as file:
            preparation = prepare(file.read(FILE_LIMIT_BYTES + 1))
        row = {"photo": str(path), "prepared": _plain(preparation.outcome)}
        if preparation.copies:
            photo = simplejpeg.decode_jpeg(preparation.copies["analysis"], "RGB")
            (mask,) = self.segmenter([photo])
            signs = signs_of(photo, mask, self.segmenter)
            segmented = cropping.describe(mask, key="", model=self.segmenter.model, seconds=0, signs=signs)
            (classified,) = self.classifier([photo], [segmented.boxes])
            _write_png(_beside(target, "-overlay.png"), overlay(photo, mask, segmented.boxes))
            for number, box in enumerate(segmented.boxes, start=1):
                _write_png(_beside(target, f"-crop-{number}.png"), photo[_area(box)])
            explained = self._explain(photo, segmented.boxes, classified, target)
            row |= {"segmented": _plain(segmented), "classified": _plain(explained)}
            if self.with_distance:
                row["distance"] = self._distance(photo, target)
        _beside(target, ".json").write_text(json.dumps(row, indent=1, ensure_ascii=False), encoding="utf-8")
        return row

    def _distance(self, photo: np.ndarray, target: Path) -> dict[str, Any]:
        report, views = distance.report(photo, self.segmenter, self.classifier)
        _write_png(_beside(target, "-distance.png"), distance_strip.strip(report, views))
        summary = {"stability": report.stability, "is_stable": report.is_stable, "changes": report.changes}
        return dataclasses.asdict(report) | summary

    def _explain(
        self, photo: np.ndarray, boxes: tuple[Box, ...], found: Classified, target: Path
    ) -> Classified:
        condition, number = decisive(found)
        picture = self.attributor.picture(photo, boxes, found)
        shares = cv2.resize(picture, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR) / 255
        file = _beside(target, "-attribution.png")
        attribution = Attribution(key=file.name, condition=condition, box=number)
        _write_png(file, tinted(photo, shares[..., 0]))
        if number is not None:
            area = _area(boxes[number])
            file = _beside(target, f"-attribution-crop-{number + 1}.png")
            _write_png(file, tinted(photo[area], shares[..., 1][area]))
        return dataclasses.replace(found, attribution=attribution)


def overlay(photo: np.ndarray, mask: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Return a copy of the photo (H, W, 3) uint8 with contours of the class map and the boxes drawn on it."""
    drawn = photo.copy()
    thick = max(1, round(max(photo.shape) / 600))
    for values, colour in ((mask > 0, SKIN_COLOUR), (mask == LESION, LESION_COLOUR)):
        contours, _tree = cv2.findContours(values.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, contours, -1, colour, thick)
    for number, box in enumerate(boxes, start=1):
        cv2.rectangle(
            drawn, (box.x, box.y), (box.x + box.width - 1, box.y + box.height - 1), BOX_COLOUR, thick
        )
        text, size = f"{number}: skin {box.skin:.0%} lesion {box.lesion:.0%}", thick * 0.4
        (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
        x, y = min(box.x + 2 * thick, max(0, drawn.shape[1] - width)), box.y + height + 3 * thick
        cv2.rectangle(drawn, (x, y - height - thick), (x + width, y + below), (0, 0, 0), cv2.FILLED)
        cv2.putText(drawn, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, BOX_COLOUR, thick, cv2.LINE_AA)
    return drawn


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


def _plain(outcome: Any) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(outcome).items() if not name.endswith("_key")}


def _line(row: dict[str, Any]) -> str:
    prepared, photo = row["prepared"], row["photo"]
    if "segmented" not in row:
        return f"{photo}: rejected, {prepared['reason']}"
    segmented, classified = row["segmented"], row["classified"]
    boxes = f"{len(segmented['boxes'])} boxes" if segmented["boxes"] else f"no box ({segmented['no_box']})"
    ringing = [alarm["condition"] for alarm in classified["alarms"] if alarm["score"] >= alarm["threshold"]]
    said = f"alarm {', '.join(ringing)}" if ringing else f"no alarm ({classified['abstention']})"
    herpes = f"herpes {classified['probabilities']['HI']:.2f}"
    note = f", {prepared['reason']}: {prepared['fault']}" if prepared["fault"] else ""
    shares = f"skin {segmented['skin']:.0%}, lesion {segmented['lesion']:.0%}"
    if "distance" in row:
        note += f", the same answer at {row['distance']['stability']:.0%} of the other distances"
    return f"{photo}: {shares}, {boxes}, {said}, {herpes}{note}"


if __name__ == "__main__":
    sys.exit(main())
