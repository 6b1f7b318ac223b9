"""The segmenter finds skin and lesion, independent of the photo's size and batch."""

from __future__ import annotations

import numpy as np
import pytest

from inference_worker.models import engine, weights
from inference_worker.models.segmentation import Segmenter, resize_to
from training import phantom


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter(weights.published("segmentation"), engine.select_device("cpu"))


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
