"""Photos to learn from, and what is known about each of their pixels.

A manifest is a CSV beside its files. The column `use` is law here: whatever is not `train` is refused
when rows are chosen and once more when a file is opened, so that no path leads a measuring photo into
weights that ship.
"""

from __future__ import annotations

import argparse
import csv
import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import cv2
import numpy as np

LONG_SIDE = 512  # px in memory; a fifth of a million pixels a photo keeps 1,100 photos below 1 GB
HELD_OUT_EVERY = 8  # one group in eight never trains: it chooses thresholds and temperatures
WOUND_MARGIN = 0.05  # share of the long side around an outlined wound where lesion or not is unknown


# Individual typology angle in degrees: the classes of Chardon et al. 1991, named by its upper limit.
ROUNDED = 1e-4  # of shares that were written with four digits
Crop = tuple[float, float, float, float]  # left, top, width and height, as shares of the photo's sides

TONES = {"1 dark": -30, "2 brown": 10, "3 tan": 28, "4 intermediate": 41, "5 light": 55, "6 very light": 90}
DISTANCES = {"1 to 10 cm": 10, "2 to 30 cm": 30, "3 to 60 cm": 60, "4 farther": 1e9}


class ForbiddenRowError(ValueError):
    """A row that may not be trained on reached the training code."""


class ManifestError(ValueError):
    """A manifest, or a file that it names, cannot be used; the message says where and why."""


def exit_on_manifest_error(main: Callable) -> Callable:
    """Wrap a command so that a manifest which cannot be used ends it with a sentence instead of a traceback."""

    @functools.wraps(main)
    def guarded(argv: list[str] | None = None) -> None:
        try:
            main(argv)
        except ManifestError as error:
            raise SystemExit(str(error)) from error

    return guarded


def output(path: str) -> Path:
    """Return a path to write to; its folder is made now, not found missing after an hour of measuring."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Path(path)


class Known(IntEnum):
    """What a label says about a pixel; the first three are the classes of the network."""

    BACKGROUND = 0
    SKIN = 1
    LESION = 2
    SKIN_OR_LESION = 3  # people sets: skin, and nobody looked for lesions
    NOT_LESION = 4  # wound sets: far from the outlined wound
    NOTHING = 255


@dataclass(frozen=True)
class Row:
    """One line of a manifest; `label` is the class (cls) or the disease (seg), `kinds` what its mask labels."""

    name: str
    path: Path
    mask: Path | None
    label: str
    use: str
    source: str
    licence: str
    group: str
    kinds: str
    fitzpatrick: str
    tone: str = ""  # band of the individual typology angle, where the manifest has `tone` (phantoms)
    distance: str = ""  # band of the camera's distance, where the manifest has `distance_cm` (phantoms)
    tier: str = ""  # `licence_tier`: open, nc (non-commercial) or unclear
    crop: Crop | None = None  # that a dermatologist drew


@dataclass
class Sample:
    """An RGB photo (H, W, 3) uint8 and its `Known` codes (H, W) uint8."""

    photo: np.ndarray
    known: np.ndarray


def read_rows(manifest: Path, root: Path) -> list[Row]:
    """Read a segmentation (`image,mask`) or classification (`file,class`) manifest with paths below `root`.

    Raises ManifestError.
    """
    try:
        with Path(manifest).open(
            newline="", encoding="utf-8-sig"
        ) as file:  # Excel begins with a byte order mark
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{manifest}: not a CSV in UTF-8 ({error})") from error
    if not lines or not ({"image", "mask"} <= lines[0].keys() or {"file", "class"} <= lines[0].keys()):
        raise ManifestError(f"{manifest}: needs the columns image,mask or file,class and at least one line")
    rows = []
    for number, line in enumerate(lines, start=2):
        try:
            rows.append(_row({key: (value or "").strip() for key, value in line.items() if key}, Path(root)))
        except ValueError as error:
            raise ManifestError(f"{manifest}, line {number}: {error}") from error
    return rows


def _row(line: dict[str, str], root: Path) -> Row:
    name = line.get("image") or line.get("file")
    if not name:
        raise ValueError("names no file")
    return Row(
        name=name,
        path=root / name,
        mask=root / line["mask"] if line.get("mask") else None,
        label=line.get("class") or line.get("label") or "",
        use=line.get("use", ""),
        source=line.get("source", ""),
        licence=line.get("license") or line.get("licence") or "",
        group=line.get("group") or name,  # a photo without a group is a group of its own
        kinds=line.get("kinds_labelled", ""),
        fitzpatrick=line.get("fitzpatrick", ""),
        tone=band(line.get("tone"), TONES),
        distance=band(line.get("distance_cm"), DISTANCES),
        tier=line.get("licence_tier", ""),
        crop=crop_of(line.get("crop", "")),
    )


def crop_of(text: str) -> Crop | None:
    """Return the crop that "left top width height" names, None for no text; raises ValueError where it lies in no photo."""
    if not text:
        return None
    left, top, width, height = (float(part) for part in text.split())
    is_inside = all(
        start >= 0 and side > 0 and start + side <= 1 + ROUNDED
        for start, side in ((left, width), (top, height))
    )
    if not is_inside:
        raise ValueError(f"crop {text!r} lies in no photo")
    return left, top, width, height


def band(value: str | None, bands: dict[str, float]) -> str:
    """Return the first band whose upper limit is not below the value; nothing for no value."""
    return next((name for name, limit in bands.items() if float(value) <= limit), "") if value else ""


def measuring_rows(
    arguments: argparse.Namespace,
    *,
    masks: bool = False,
    classes: Collection[str] = (),
    only: Collection[str] = (),
) -> list[Row]:
    """Return the rows of `--manifest` that have the wished `--use`, if one is, and a class of `only`, if given.

    All is looked at before anything is measured: raises ManifestError where a file is missing, where `masks` are
    needed and none is named, or where a class is none of `classes`.
    """
    manifest, rows = arguments.manifest, read_rows(arguments.manifest, arguments.root)
    uses = sorted({row.use for row in rows})
    rows = [row for row in rows if arguments.use in (None, row.use)]
    _require(rows, f"{manifest}: no line of use {arguments.use!r}; it has {uses}")
    unknown = Counter(row.label for row in rows if classes and row.label not in classes)
    listed = ", ".join(f"{name!r} ({lines} lines)" for name, lines in sorted(unknown.items()))
    _require(not unknown, f"{manifest}: classes are {', '.join(classes)}; it has {listed}")
    rows = [row for row in rows if not only or row.label in only]
    _require(rows, f"{manifest}: no row of {', '.join(only)} to measure")
    rows = [row for row in rows if row.mask or not masks]
    _require(rows, f"{manifest}: no line names a mask")
    missing = [path for row in rows for path in (row.path, row.mask) if path and not path.is_file()]
    _require(not missing, f"{manifest}: {len(missing)} files are missing, first {next(iter(missing), None)}")
    return rows


def _require(fulfilled: object, otherwise: str) -> None:
    if not fulfilled:
        raise ManifestError(otherwise)


def training_rows(manifest: Path, root: Path) -> list[Row]:
    """Return the rows that shipped weights may learn from."""
    return [require_train(row) for row in read_rows(manifest, root) if row.use == "train"]


def phantom_rows(folder: Path | None) -> list[Row]:
    """Return the scenes that `python -m training.phantom --out FOLDER` wrote; none for no folder."""
    return training_rows(folder / "manifest.csv", folder) if folder else []


def require_train(row: Row) -> Row:
    if row.use != "train":
        raise ForbiddenRowError(
            f"{row.path.name}: use is {row.use!r}; only rows of use 'train' may be learnt from"
        )
    return row


def held_out(row: Row) -> bool:
    """Return whether this row's group is kept from training, the same way in every run and for every manifest."""
    digest = hashlib.blake2b(f"{row.source}/{row.group}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) % HELD_OUT_EVERY == 0


def read_photo(path: Path, long_side: int | None = None) -> np.ndarray:
    """Return an RGB photo (H, W, 3) uint8, made smaller (never larger) to `long_side`."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ManifestError(f"{path}: missing or not an image")
    photo = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return resize(photo, long_side, cv2.INTER_AREA) if long_side and max(photo.shape) > long_side else photo


def read_mask(path: Path) -> np.ndarray:
    """Return a mask (H, W) uint8: 0 background, 1 skin, 2 lesion, 255 unknown."""
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise ManifestError(f"{path}: missing or not an image")
    strange = sorted(set(np.flatnonzero(np.bincount(mask.ravel()))) - {0, 1, 2, 255})
    if strange:
        values = ", ".join(str(value) for value in strange[:5])
        raise ManifestError(f"{path}: a mask has 0, 1, 2 and 255 (unknown); this one has {values}")
    return mask


def resize(pixels: np.ndarray, long_side: int, interpolation: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = long_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=interpolation)


def load_sample(row: Row) -> Sample:
    """Open a training photo with its mask translated to `Known` codes."""
    require_train(row)
    photo = read_photo(row.path, LONG_SIDE)
    height, width = photo.shape[:2]
    mask = cv2.resize(read_mask(row.mask), (width, height), interpolation=cv2.INTER_NEAREST)
    return Sample(photo, known_pixels(mask, row.kinds))


def known_pixels(mask: np.ndarray, kinds: str) -> np.ndarray:
    """Translate a mask (0 background, 1 skin, 2 lesion, 255 unknown) by what its makers labelled."""
    known = mask.copy()
    if kinds == "lesion":
        apart = cv2.distanceTransform((mask != Known.LESION).astype(np.uint8), cv2.DIST_L2, 3)
        far = apart > WOUND_MARGIN * max(mask.shape)
        known[(mask != Known.LESION) & far] = Known.NOT_LESION
    elif kinds == "bg+skin":
        known[mask == Known.SKIN] = Known.SKIN_OR_LESION
    elif kinds not in ("bg", "bg+skin+lesion"):
        raise ValueError(f"unknown kinds_labelled {kinds!r}; known: lesion, bg+skin, bg, bg+skin+lesion")
    return known
