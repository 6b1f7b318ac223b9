"""Hand-drawn outlines are converted to masks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from training import outlines
from training.data import ForbiddenRowError, Known, Row

LEFT, RIGHT = "0,0 50,0 50,100 0,100", "50,0 100,0 100,100 50,100"


def skin(side=100):
    return np.full((side, side, 3), (205, 160, 140), np.uint8)


def row(use="train", name="train/AD/ad_d81a36f0e0.jpg"):
    return Row(name, Path(name), None, "AD", use, "", "", name, "", "")


def test_areas_without_outline_are_background_and_later_kinds_cover_earlier_ones():
    drawn = {"skin": [LEFT], "lesion": ["0,0 25,0 25,100 0,100"], "unknown": ["0,0 30,0 30,100 0,100"]}
    known = outlines.known_of(skin(), drawn)
    assert [known[50, x] for x in (10, 28, 40, 80)] == [
        Known.LESION,
        Known.NOTHING,
        Known.SKIN,
        Known.BACKGROUND,
    ]


def test_a_photo_without_outlined_skin_is_all_skin():
    assert (outlines.known_of(skin(), {}) == Known.SKIN).all()


def test_the_rest_of_a_partly_outlined_photo_is_unknown():
    known = outlines.known_of(skin(), {"partial": True, "skin": [LEFT]})
    assert known[50, 20] == Known.SKIN and known[50, 80] == Known.NOTHING


def test_a_spot_has_the_width_that_was_drawn():
    known = outlines.known_of(skin(200), {"spots": "50,50,10"})
    assert np.count_nonzero(known == Known.LESION) == pytest.approx(np.pi * 20**2, rel=0.05)


def test_small_red_dots_are_found_only_inside_their_area():
    photo = skin(200)
    for x in (40, 150):
        cv2.circle(photo, (x, 100), 4, (150, 60, 60), -1)
    known = outlines.known_of(photo, {"dots": [LEFT]})
    assert known[100, 40] == Known.LESION and known[100, 46] == Known.NOTHING
    assert known[100, 150] == Known.SKIN


def test_glare_inside_a_red_area_belongs_to_it():
    photo = skin(200)
    cv2.circle(photo, (100, 100), 40, (150, 60, 60), -1)
    cv2.circle(photo, (100, 100), 2, (255, 255, 255), -1)
    known = outlines.known_of(photo, {"red": [outlines.EVERYWHERE]})
    assert known[100, 100] == Known.LESION and known[20, 20] == Known.SKIN


def test_a_photo_for_measuring_is_not_opened_for_its_outlines():
    with pytest.raises(ForbiddenRowError):
        outlines.load_outlined(dataclasses.replace(row(), use="evaluate"))


def test_only_photos_with_outlines_are_used():
    assert [r.name for r in outlines.outlined([row(), row(name="other.jpg")])] == [row().name]


def test_every_shipped_outline_can_be_drawn():
    for name, drawn in outlines.outlines().items():
        known = outlines.known_of(skin(300), drawn)
        assert name.startswith("train/") and np.isin(known, list(Known)).all()
        assert (known == Known.LESION).any() or drawn.keys() & {"dots", "red"}, name
