"""Draws the distance report of a photo as one strip: each scale with its crops, and below it what was found."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from contract.distance import DistanceReport, Look

TILE = 420  # px a side
LINE = 34  # px of a line of text
TEXT_SIZE, TEXT_WIDTH = 0.85, 2
LINES = 3
CHANGE_COLOUR, TEXT_COLOUR, BOX_COLOUR = (255, 160, 0), (255, 255, 255), (255, 255, 255)


def strip(report: DistanceReport, views: Sequence[np.ndarray]) -> np.ndarray:
    """Return one picture (H, W, 3) uint8 of the views (H, W, 3) at the report's scales.

    A vertical line marks where the answer changes.
    """
    tiles = [_tile(look, view) for look, view in zip(report.looks, views, strict=True)]
    changes = {near for _far, near in report.changes}
    for look, tile in zip(report.looks, tiles, strict=True):
        if look.scale in changes:
            tile[:, :6] = CHANGE_COLOUR
    return np.concatenate(tiles, axis=1)


def _tile(look: Look, view: np.ndarray) -> np.ndarray:
    tile = np.zeros((TILE + LINES * LINE, TILE, 3), np.uint8)
    scale = TILE / max(view.shape[:2])
    small = cv2.resize(view, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:TILE, :TILE]
    for box in look.boxes:
        corners = [
            (round(x * scale), round(y * scale))
            for x, y in ((box.x, box.y), (box.x + box.width, box.y + box.height))
        ]
        cv2.rectangle(small, *corners, BOX_COLOUR, 2)
    tile[: small.shape[0], : small.shape[1]] = small
    scores = " ".join(f"{condition} {score:.2f}" for condition, score in look.scores.items())
    for number, text in enumerate(
        (f"{look.scale:g}x, {len(look.boxes)} crops", look.verdict, scores), start=1
    ):
        place = (8, TILE + number * LINE - 10)
        (width, _height), _below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SIZE, TEXT_WIDTH)
        size = TEXT_SIZE * min(1.0, (TILE - 16) / max(1, width))  # a long line is made to fit
        cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, TEXT_COLOUR, TEXT_WIDTH, cv2.LINE_AA)
    return tile
