"""Signs are measured of a rash that is drawn with known size, colour and edge."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from contract.signs import SignName
from inference_worker.models.signs import measure, signs_of

SKIN_LAB, RED_LAB, HONEY_LAB, BLOOD_LAB = (65, 12, 16), (58, 26, 17), (60, 14, 42), (28, 18, 12)


def painted(mask: np.ndarray, *areas: tuple[np.ndarray, tuple[int, int, int]]) -> np.ndarray:
    """Return a photo of skin with areas of other CIELAB colours."""
    lab = np.full((*mask.shape, 3), SKIN_LAB, np.float32)
    for area, colour in areas:
        lab[area] = colour
    return (cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255).round().astype(np.uint8)


@pytest.fixture
def two_spots():
    """Two square lesions of 40 px a side on 384 x 512 px of skin."""
    mask = np.ones((384, 512), np.uint8)
    mask[100:140, 100:140] = mask[200:240, 300:340] = 2
    return mask


def test_extent_number_and_size_are_counted(two_spots):
    found = measure(painted(two_spots), two_spots)
    assert found[SignName.LESION_SHARE] == pytest.approx(3200 / two_spots.size)
    assert found[SignName.LESIONS] == 2
    assert found[SignName.LESION_SIZE] == pytest.approx(1600 / two_spots.size)


def test_a_few_stray_pixels_are_no_lesion_of_their_own(two_spots):
    two_spots[10:15, 10:15] = 2
    assert measure(painted(two_spots), two_spots)[SignName.LESIONS] == 2


def test_redness_and_edge_are_the_colour_difference_to_own_skin(two_spots):
    photo = painted(two_spots, (two_spots == 2, RED_LAB))
    found = measure(photo, two_spots)
    assert found[SignName.REDNESS] == pytest.approx(14, abs=0.5)
    assert found[SignName.EDGE] == pytest.approx(np.linalg.norm(np.subtract(RED_LAB, SKIN_LAB)), abs=0.7)
    soft = cv2.GaussianBlur(photo, (0, 0), 6)
    assert measure(soft, two_spots)[SignName.EDGE] < 0.7 * found[SignName.EDGE]


def test_the_whole_photo_redder_changes_redness_little(two_spots):
    photo = painted(two_spots, (two_spots == 2, RED_LAB))
    warm = (photo * (1.06, 1.0, 0.92)).clip(0, 255).astype(np.uint8)
    both = [measure(each, two_spots)[SignName.REDNESS] for each in (photo, warm)]
    assert both[0] == pytest.approx(both[1], abs=1.0)


def test_honey_and_blood_crusts_are_told_from_redness(two_spots):
    first, second = np.zeros(two_spots.shape, bool), np.zeros(two_spots.shape, bool)
    first[100:140, 100:120] = True  # a quarter of the lesion
    second[200:240, 300:340] = True  # half of it
    red = two_spots == 2
    honey = measure(painted(two_spots, (red, RED_LAB), (first, HONEY_LAB)), two_spots)
    blood = measure(painted(two_spots, (red, RED_LAB), (second, BLOOD_LAB)), two_spots)
    assert honey[SignName.YELLOW_CRUST] == pytest.approx(0.25, abs=0.01) and honey[SignName.DARK_CRUST] == 0
    assert blood[SignName.DARK_CRUST] == pytest.approx(0.5, abs=0.01) and blood[SignName.YELLOW_CRUST] == 0


def test_from_twice_as_many_pixels_the_same_is_measured(two_spots):
    photo = painted(two_spots, (two_spots == 2, RED_LAB))
    large = (cv2.resize(p, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST) for p in (photo, two_spots))
    once, twice = measure(photo, two_spots), measure(*large)
    assert once.keys() == twice.keys()
    assert all(once[name] == pytest.approx(twice[name], abs=0.05, rel=0.05) for name in once)


def test_without_own_skin_only_extent_number_and_size_are_told():
    mask = np.full((300, 400), 2, np.uint8)
    assert set(measure(painted(mask), mask)) == {
        SignName.LESION_SHARE,
        SignName.LESIONS,
        SignName.LESION_SIZE,
    }


def test_without_lesion_nothing_is_measured_and_nothing_segmented_again():
    mask = np.ones((300, 400), np.uint8)
    assert measure(painted(mask), mask) == {}
    assert signs_of(painted(mask), mask, lambda photos: pytest.fail("segmented again")) == ()


def test_the_error_is_the_largest_change_when_segmented_again(two_spots):
    photo = painted(two_spots, (two_spots == 2, RED_LAB))
    seen = []

    def only_one_spot(photos):
        """Find both lesions in the mirrored photo and one of them in the nearer one."""
        seen.extend(photos)
        second = two_spots.copy()
        second[100:140, 100:140] = 1
        rows, columns = ((384 - photos[1].shape[0]) // 2, (512 - photos[1].shape[1]) // 2)
        return [two_spots[:, ::-1], second[rows : 384 - rows, columns : 512 - columns]]

    found = {sign.name: sign for sign in signs_of(photo, two_spots, only_one_spot)}
    assert (seen[0] == photo[:, ::-1]).all() and seen[1].shape[0] < photo.shape[0]
    assert (found[SignName.LESIONS].value, found[SignName.LESIONS].error) == (2, 1)
    assert found[SignName.REDNESS].error < 0.5


def test_a_sign_that_cannot_be_measured_again_is_left_out(two_spots):
    def no_lesion(photos):
        return [np.ones(photo.shape[:2], np.uint8) for photo in photos]

    assert signs_of(painted(two_spots, (two_spots == 2, RED_LAB)), two_spots, no_lesion) == ()
