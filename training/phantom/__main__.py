"""Write phantoms to a folder: photos (JPEG), masks (PNG) and manifest.csv.

python -m training.phantom --out DIR --count 20 --seed 1 --condition HI --distance-cm 20 --tone 30
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
from pathlib import Path

import cv2

from training import phantom


def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "manifest.csv").open("w", newline="") as file:
        writer = None
        for index in range(arguments.count):
            row = _write(arguments, arguments.seed + index)
            writer = writer or csv.DictWriter(file, row)
            if not index:
                writer.writeheader()
            writer.writerow(row)
    print(f"{arguments.count} phantoms in {arguments.out}")


def _write(arguments: argparse.Namespace, seed: int) -> dict[str, object]:
    """Draw one scene, write its files and return its line of the manifest."""
    wishes = {"condition": arguments.condition, "distance_cm": arguments.distance_cm, "tone": arguments.tone}
    scene = phantom.draw(seed, **wishes, site=arguments.site, long_side=arguments.size)
    name = f"{scene.parameters.condition.lower()}_{seed:06d}"
    quality = [cv2.IMWRITE_JPEG_QUALITY, scene.parameters.jpeg]
    cv2.imwrite(str(arguments.out / f"{name}.jpg"), scene.photo[..., ::-1], quality)
    cv2.imwrite(str(arguments.out / f"{name}.png"), scene.mask)
    parameters = dataclasses.asdict(scene.parameters)
    files = {
        "image": f"{name}.jpg",
        "mask": f"{name}.png",
        "file": f"{name}.jpg",
        "class": parameters.pop("condition"),
    }
    origin = {
        "group": f"phantom{seed}",
        "use": "train",
        "source": "phantom",
        "licence": "drawn by this project",
    }
    return {**files, "kinds_labelled": "bg+skin+lesion", **origin, **parameters}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.phantom", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1, help="of the first scene; the next ones count up")
    parser.add_argument("--condition", choices=phantom.CONDITIONS)
    parser.add_argument("--distance-cm", type=float, help="from camera to skin")
    parser.add_argument(
        "--tone", type=float, help="individual typology angle, -60 (dark) to 70 (light) degrees"
    )
    parser.add_argument("--site", choices=phantom.SITES)
    parser.add_argument("--size", type=int, default=phantom.LONG_SIDE, help="long side in px")
    return parser


if __name__ == "__main__":
    main()
