"""Draws the distance report of a photo as one strip: each scale with its crops, and below it what was found."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from contract.distance import DistanceReport, Look

TILE = 420  # px wide, of which GAP is the black right edge
GAP = 12  # px
LINE = 34  # px of a line of text
TEXT_SIZE, TEXT_WIDTH = 0.85, 2
CHANGE_COLOUR, TEXT_COLOUR, BOX_COLOUR, OUTLINE = (255, 160, 0), (255, 255, 255), (255, 255, 255), (0, 0, 0)


def strip(report: DistanceReport, views: Sequence[np.ndarray]) -> np.ndarray:
    """Return one picture (H, W, 3) uint8 of the views (H, W, 3) at the report's scales.

    A vertical line marks where the answer changes, and its colour a score on or above its alarm line.
    """
    tiles = [_tile(look, view, report.thresholds) for look, view in zip(report.looks, views, strict=True)]
    changes = {near for _far, near in report.changes}
    for look, tile in zip(report.looks, tiles, strict=True):
        if look.scale in changes:
            tile[:, :6] = CHANGE_COLOUR
    return np.concatenate(tiles, axis=1)


def _tile(look: Look, view: np.ndarray, thresholds: dict[str, float]) -> np.ndarray:
    scale = (TILE - GAP) / view.shape[1]
    small = cv2.resize(view, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for box in look.boxes:
        corners = [
            (round(x * scale), round(y * scale))
            for x, y in ((box.x, box.y), (box.x + box.width, box.y + box.height))
        ]
        cv2.rectangle(small, *corners, OUTLINE, 4)  # white alone is lost on pale skin
        cv2.rectangle(small, *corners, BOX_COLOUR, 2)
    tile = np.zeros((len(small) + (2 + len(thresholds)) * LINE + 10, TILE, 3), np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small
    count = "1 crop" if len(look.boxes) == 1 else f"{len(look.boxes)} crops"
    taken = " (as taken)" if look.scale == 1 else ""
    lines = [(f"{look.scale:g}x{taken}, {count}", TEXT_COLOUR), (look.verdict, TEXT_COLOUR)]
    for condition, line in thresholds.items():
        score = look.scores[condition]
        colour = CHANGE_COLOUR if score >= line else TEXT_COLOUR
        lines.append((f"{condition} score {score:.2f}, alarm from {line:.2f}", colour))
    for number, (text, colour) in enumerate(lines, start=1):
        place = (10, len(small) + number * LINE - 6)
        (width, _height), _below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SIZE, TEXT_WIDTH)
        size = TEXT_SIZE * min(1.0, (TILE - GAP - 16) / max(1, width))  # a long line is made to fit
        cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, TEXT_WIDTH, cv2.LINE_AA)
    return tile
