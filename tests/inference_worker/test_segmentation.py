"""The segmenter finds skin and lesion, independent of the photo's size and batch."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference_worker.models import engine, weights
from inference_worker.models.segmentation import (
    LESION,
    Segmenter,
    area_to_look_at_again,
    class_map,
    resize_to,
)
from inference_worker.models.zoom import zoomed
from training import phantom
from training.zooms import zoomed_mask


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter(weights.published("segmentation"), engine.select_engine("cpu"))


@pytest.fixture(scope="module")
def scene():
    return phantom.draw(21, condition="AD", site="limb", light="daylight", tone=45, distance_cm=20, blur=0.0)


def test_the_class_map_has_the_photos_size_and_only_known_classes(segmenter):
    photos = [np.zeros((97, 333, 3), np.uint8), np.full((640, 480, 3), 128, np.uint8)]
    for photo, mask in zip(photos, segmenter(photos), strict=True):
        assert mask.shape == photo.shape[:2] and mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 1, 2}


def test_skin_is_found_on_a_phantom(segmenter, scene):
    found, truth = segmenter([scene.photo])[0] > 0, scene.mask > 0
    assert (found & truth).sum() / (found | truth).sum() > 0.75


def test_a_class_map_does_not_depend_on_the_batch(segmenter, scene):
    others = [phantom.draw(seed, long_side=768).photo for seed in (1, 2, 3)]
    alone, among = segmenter([scene.photo])[0], segmenter([others[0], scene.photo, *others[1:]])[1]
    assert (alone != among).mean() < 1e-3


@pytest.mark.parametrize("size", [(1536, 1152), (416, 320), (97, 333)])
def test_a_class_map_is_the_argmax_of_the_enlarged_logits(size):
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(3, 320, 416)).astype(np.float32)
    scores[:, :40] = 0  # equal: the first class
    scores[1:, 40:80] = 1  # skin and lesion equal
    enlarged = cv2.resize(scores.transpose(1, 2, 0), size, interpolation=cv2.INTER_LINEAR)
    found = class_map(scores, size)
    assert found.dtype == np.uint8 and (found == enlarged.argmax(axis=2)).all()


def test_no_photo_gives_no_mask(segmenter):
    assert segmenter([]) == []


@pytest.mark.parametrize(
    "photo", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((8, 8, 4), np.uint8)]
)
def test_an_array_that_is_not_an_rgb_photo_is_refused(segmenter, photo):
    with pytest.raises(ValueError, match="RGB photo"):
        segmenter([photo])


@pytest.mark.parametrize("shape", [(2000, 1500, 3), (10, 3000, 3), (31, 17, 3)])
def test_any_shape_is_resized_to_the_input_size_of_the_network(shape):
    small = resize_to(np.zeros(shape, np.uint8), 416)
    assert max(small.shape) == 416 and all(side % 16 == 0 and side for side in small.shape[:2])


# --- Two looks --------------------------------------------------------------------------------------------
def far_away(scene, times: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return photo and mask of a scene, a few times as small on a plain wall."""
    zoom = 1 / times
    return zoomed(scene.photo, zoom, centre=(0.5, 0.5)), zoomed_mask(scene.mask, zoom, centre=(0.5, 0.5))


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    return (found & truth).sum() / (found | truth).sum()


def test_a_second_look_finds_more_of_a_lesion_that_is_far_away(segmenter, scene):
    photo, truth = far_away(scene)
    first = segmenter.first_look([photo])[0]
    second = segmenter([photo])[0]
    assert overlap(second == LESION, truth == LESION) > overlap(first == LESION, truth == LESION) + 0.02


def test_skin_that_fills_the_photo_is_looked_at_once(segmenter):
    near = phantom.draw(3, condition="AD", site="trunk", distance_cm=8, blur=0.0)
    first = segmenter.first_look([near.photo])
    assert area_to_look_at_again(first[0]) is None
    assert segmenter.second_look([near.photo], first)[0] is first[0]


def test_the_area_looked_at_again_holds_the_skin_with_a_margin():
    mask = np.zeros((400, 600), np.uint8)
    mask[100:200, 300:500] = 1
    assert area_to_look_at_again(mask) == (slice(80, 220), slice(280, 520))
    mask[0, 0] = 1  # a speck does not widen it
    assert area_to_look_at_again(mask) == (slice(80, 220), slice(280, 520))
    mask[0:100, 0:100] = 1  # another hand does
    assert area_to_look_at_again(mask) == (slice(0, 250), slice(0, 550))


@pytest.mark.parametrize(("rows", "again"), [(270, True), (280, False)])
def test_above_55_per_cent_of_the_frame_skin_is_near(rows, again):
    mask = np.zeros((500, 600), np.uint8)
    mask[:rows] = 1
    assert (area_to_look_at_again(mask) is not None) == again


def test_no_skin_is_looked_for_once():
    assert area_to_look_at_again(np.zeros((40, 60), np.uint8)) is None


def test_a_second_look_that_loses_the_skin_does_not_count(segmenter, scene, monkeypatch):
    photo, _truth = far_away(scene)
    first = segmenter.first_look([photo])
    monkeypatch.setattr(
        segmenter, "first_look", lambda photos: [np.zeros(p.shape[:2], np.uint8) for p in photos]
    )
    assert (segmenter.second_look([photo], first)[0] == first[0]).all()


def test_what_lies_outside_of_the_second_look_stays_as_the_first_found_it(segmenter, monkeypatch):
    mask = np.zeros((400, 600), np.uint8)
    mask[100:200, 300:500] = 1
    mask[0, 0] = 1
    monkeypatch.setattr(
        segmenter, "first_look", lambda photos: [np.full(p.shape[:2], 2, np.uint8) for p in photos]
    )
    found = segmenter.second_look([np.zeros((400, 600, 3), np.uint8)], [mask])[0]
    assert (
        found[0, 0] == 1 and (found[80:220, 280:520] == 2).all() and np.count_nonzero(found) == 140 * 240 + 1
    )
    assert np.count_nonzero(mask == 2) == 0
