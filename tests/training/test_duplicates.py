"""One photo under two names is recognised; two similar photos are not taken for one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training import phantom
from training.duplicates import print_of, same_hashes, same_photos


@pytest.fixture(scope="module")
def scenes():
    return [
        phantom.draw(seed, condition=name, long_side=512).photo
        for seed, name in enumerate(["AD", "HI", "IM", "MF", "AD", "HI"], start=40)
    ]


@pytest.fixture(scope="module")
def prints(scenes):
    return [print_of(scene) for scene in scenes]


def encoded(photo, quality=60):
    return cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)


def cropped(photo):
    height, width = photo.shape[:2]
    return photo[height // 6 : height * 5 // 6, width // 6 : width * 5 // 6]


CHANGES = {
    "copied": lambda photo: photo,
    "encoded again and made smaller": lambda photo: encoded(cv2.resize(photo, None, fx=0.6, fy=0.6), 45),
    "brightened": lambda photo: (255 * (photo / 255) ** 0.7).astype(np.uint8),
    "cropped": lambda photo: encoded(cropped(photo)),
    "turned": lambda photo: np.rot90(photo),
    "mirrored and cropped": lambda photo: cropped(photo[:, ::-1]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_photo_under_another_patient_is_recognised(scenes, prints, change):
    again = print_of(np.ascontiguousarray(change(scenes[1])))
    names = [f"patient{i}" for i in range(len(prints) + 1)]
    assert same_photos([*prints, again], names) == [(1, len(prints))]


def test_similar_photos_of_one_patient_are_not_reported(prints):
    assert same_photos([prints[0], prints[0]], ["alice", "alice"]) == []


def test_a_photo_sent_twice_by_one_patient_is_reported(prints):
    assert same_hashes([*prints[:2], prints[0]], ["alice"] * 3) == [(0, 2)]


def test_photos_with_the_same_watermark_are_not_duplicates(scenes):
    """Atlases and cameras print names and dates into the picture: keypoints match there and nowhere else."""
    for scene in (marked := [scene.copy() for scene in scenes[:4]]):
        cv2.putText(scene, "CLINIC 2026-11-23", (30, 60), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 255, 255), 3)
    assert same_photos([print_of(scene) for scene in marked], list("abcd")) == []


def test_a_photo_without_structure_is_compared_as_well(prints):
    blank = print_of(np.full((300, 400, 3), 200, np.uint8))
    assert same_photos([blank, blank, prints[0]], list("abc")) == [(0, 1)]
