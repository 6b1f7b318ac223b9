"""Hand-drawn outlines of skin and lesions on the few clinical photos that may be trained on (`outlines.toml`).

They were drawn for this project, by looking at each photo, and not by a dermatologist. What is doubtful, such as an
ill-defined edge, is left unknown.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.data import LONG_SIDE, Known, Row, Sample, read_photo, require_train

FILE = Path(__file__).with_suffix(".toml")
EVERYWHERE = "0,0 100,0 100,100 0,100"
DOT_REACH = 0.03  # of the width: redness and darkness are compared with the skin this far around
DOT_CONTRAST = 1.2  # standard deviations of that difference
CLOSED = 0.04  # of the width: glare and crusts inside a red area belong to it


@cache
def outlines() -> dict[str, dict[str, Any]]:
    """Return the outlines of each photo, by its name in the classification manifest."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def outlined(rows: list[Row]) -> list[Row]:
    """Return those rows of which outlines exist."""
    return [row for row in rows if row.name in outlines()]


def load_outlined(row: Row) -> Sample:
    """Open an outlined training photo with its `Known` codes."""
    require_train(row)
    photo = read_photo(row.path, LONG_SIDE)
    return Sample(photo, known_of(photo, outlines()[row.name]))


def known_of(photo: np.ndarray, drawn: dict[str, Any]) -> np.ndarray:
    """Return the `Known` codes (H, W) uint8 of an RGB photo (H, W, 3); later kinds cover earlier ones."""
    known = np.full(photo.shape[:2], Known.NOTHING if drawn.get("partial") else Known.BACKGROUND, np.uint8)
    _fill(known, drawn.get("skin", [EVERYWHERE]), Known.SKIN)
    _fill(known, drawn.get("unknown", []), Known.NOTHING)
    _fill(known, drawn.get("background", []), Known.BACKGROUND)
    lab = cv2.cvtColor(photo, cv2.COLOR_RGB2LAB).astype(np.float32)
    if drawn.get("dots"):
        _dots(known, lab, _fill(np.zeros_like(known), drawn["dots"], 1) > 0)
    if drawn.get("red"):
        _red(known, lab, _fill(np.zeros_like(known), drawn["red"], 1) > 0)
    _fill(known, drawn.get("lesion", []), Known.LESION)
    height, width = known.shape
    for x, y, radius in _points(drawn["spots"]) if drawn.get("spots") else ():
        centre = (round(x * width / 100), round(y * height / 100))
        cv2.circle(known, centre, max(1, round(radius * width / 100)), int(Known.LESION), -1)
    return known


def _points(text: str) -> np.ndarray:
    return np.array([[float(value) for value in point.split(",")] for point in text.split()])


def _fill(known: np.ndarray, polygons: list[str], code: int) -> np.ndarray:
    height, width = known.shape
    for polygon in polygons:
        corners = _points(polygon) * [width / 100, height / 100]
        cv2.fillPoly(known, [np.round(corners).astype(np.int32)], int(code))
    return known


def _dots(known: np.ndarray, lab: np.ndarray, area: np.ndarray) -> None:
    """Mark what is redder or darker than the skin around it; a rim about each dot is unknown."""
    fine = cv2.GaussianBlur(lab, (0, 0), 1.5)
    apart = fine - cv2.GaussianBlur(lab, (0, 0), DOT_REACH * known.shape[1])
    contrast = apart[..., 1] - 0.5 * apart[..., 0]
    dots = (contrast > max(3.0, DOT_CONTRAST * contrast[area].std())) & area
    dots = cv2.morphologyEx(dots.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3)))
    rim = (cv2.dilate(dots, np.ones((7, 7))) > 0) & area & (known != Known.BACKGROUND)
    known[rim] = Known.NOTHING
    known[dots > 0] = Known.LESION


def _red(known: np.ndarray, lab: np.ndarray, area: np.ndarray) -> None:
    """Split the area by redness (Otsu) and mark its red part."""
    redness = cv2.GaussianBlur(lab[..., 1], (0, 0), 2).astype(np.uint8)
    inside = area & (known == Known.SKIN)
    limit, _ = cv2.threshold(redness[inside][:, None], 0, 255, cv2.THRESH_OTSU)
    side = round(CLOSED * known.shape[1])
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    red = cv2.morphologyEx(((redness > limit) & inside).astype(np.uint8), cv2.MORPH_CLOSE, shape)
    known[red > 0] = Known.LESION
