"""Phantoms: drawn photos in place of photographs of people."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest

from training import phantom
from training.phantom import onto
from training.phantom.__main__ import main


@pytest.mark.parametrize("condition", phantom.CONDITIONS)
def test_every_condition_is_drawn_with_a_mask_that_fits_its_photo(condition):
    scene = phantom.draw(3, condition=condition, long_side=320)
    assert scene.photo.dtype == np.uint8 and scene.photo.shape == (*scene.mask.shape, 3)
    assert scene.parameters.condition == condition
    assert set(np.unique(scene.mask)) <= {0, 1, 2}
    assert (scene.mask > 0).mean() > 0.05


@pytest.mark.parametrize("condition", [c for c in phantom.CONDITIONS if c != "NORMAL"])
def test_a_rash_is_on_the_skin_of_nearly_every_scene(condition):
    scenes = [phantom.draw(seed, condition=condition, long_side=256) for seed in range(8)]
    assert sum((scene.mask == 2).any() for scene in scenes) >= 7


def test_healthy_skin_has_no_lesion():
    assert not any(
        (phantom.draw(seed, condition="NORMAL", long_side=256).mask == 2).any() for seed in range(6)
    )


def test_the_same_seed_draws_the_same_bytes_and_another_seed_another_scene():
    first, again, other = (phantom.draw(seed, long_side=256) for seed in (11, 11, 12))
    assert first.photo.tobytes() == again.photo.tobytes() and first.mask.tobytes() == again.mask.tobytes()
    assert first.parameters == again.parameters
    assert first.photo.tobytes() != other.photo.tobytes()


def test_from_farther_away_the_same_rash_is_smaller():
    def lesion(distance_cm):
        wishes = {"condition": "HI", "site": "close_up", "distance_cm": distance_cm, "long_side": 320}
        return np.mean([(phantom.draw(seed, **wishes).mask == 2).mean() for seed in range(5)])

    assert lesion(8) > 2 * lesion(40) > 0


def test_the_scale_in_millimetres_is_right():
    scene = phantom.draw(1, distance_cm=20, long_side=768)
    assert scene.parameters.mm_per_px * 768 == pytest.approx(220)  # 58 degrees across 20 cm


def test_dark_skin_is_drawn_darker_than_light_skin():
    def brightness(tone):
        return phantom.draw(
            5, condition="NORMAL", site="close_up", light="daylight", tone=tone, long_side=256
        ).photo.mean()

    assert brightness(-50) + 15 < brightness(60)


def test_a_blurred_photo_has_lost_its_detail():
    def detail(blur):
        photo = phantom.draw(6, condition="AD", site="close_up", blur=blur, long_side=320).photo
        return cv2.Laplacian(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()

    assert detail(4.0) < 0.3 * detail(0.0)


def test_an_unknown_condition_or_site_is_refused_by_name():
    with pytest.raises(ValueError, match="AD, HI, IM, MF"):
        phantom.draw(1, condition="XX")
    with pytest.raises(ValueError, match="limb"):
        phantom.draw(1, site="moon")


def test_the_command_writes_photos_masks_and_a_manifest(tmp_path):
    main(
        [
            "--out",
            str(tmp_path),
            "--count",
            "3",
            "--seed",
            "4",
            "--condition",
            "HI",
            "--distance-cm",
            "20",
            "--size",
            "256",
        ]
    )
    rows = list(csv.DictReader((tmp_path / "manifest.csv").open()))
    assert [row["class"] for row in rows] == ["HI"] * 3
    for row in rows:
        photo, mask = cv2.imread(str(tmp_path / row["image"])), cv2.imread(str(tmp_path / row["mask"]), 0)
        assert photo.shape[:2] == mask.shape
        assert float(row["distance_cm"]) == 20


def test_a_lesion_without_disease_differs_from_the_skin_around_it():
    """The segmentation is trained on such lesions so that it also finds unknown ones."""
    skin = np.full((160, 160, 3), (196, 150, 128), np.uint8)
    everywhere = np.ones(skin.shape[:2], bool)
    unlike = []
    for seed in range(12):
        photo, lesion = onto.paint(np.random.default_rng(seed), skin, everywhere, onto.ANYTHING, 0.4)
        change = np.abs(photo.astype(int) - skin).max(axis=2)
        if lesion.any() and not lesion.all():
            unlike.append(change[lesion].mean() - change[~lesion].mean())
    assert len(unlike) > 6 and np.mean(np.array(unlike) > 5) > 0.7
