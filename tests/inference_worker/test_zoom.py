"""A photo shown from nearer and farther away."""

from __future__ import annotations

import numpy as np
import pytest

from inference_worker.models.zoom import WALL, middle_of, zoomed
from training.zooms import zoomed_mask


@pytest.fixture
def spot():
    """A mask with one lesion of 20 px a side around (130, 90)."""
    mask = np.ones((180, 240), np.uint8)
    mask[80:100, 120:140] = 2
    return mask


def test_half_as_large_everything_has_a_quarter_of_the_pixels_and_lies_in_the_middle(spot):
    far = zoomed_mask(spot, 0.5, centre=(0.5, 0.5))
    assert far.shape == spot.shape
    assert np.count_nonzero(far == 2) == 100 and np.count_nonzero(far) == spot.size // 4
    assert far[45, 60] == 1 and not far[44].any() and not far[:, 59].any()


def test_twice_as_large_a_lesion_has_four_times_the_pixels_wherever_it_lies(spot):
    for centre in (middle_of(spot == 2), (0.45, 0.6)):
        assert np.count_nonzero(zoomed_mask(spot, 2.0, centre=centre) == 2) == 1600


def test_a_photo_and_its_mask_stay_in_register(spot):
    photo = np.dstack([spot * 100] * 3).astype(np.uint8)
    for zoom in (0.35, 0.7, 1.0, 1.4, 2.5):
        centre = middle_of(spot == 2)
        shown, mask = zoomed(photo, zoom, centre=centre), zoomed_mask(spot, zoom, centre=centre)
        assert shown.shape == photo.shape
        assert (np.abs(shown[mask == 2].astype(int) - 200) <= 100).all()
        assert (shown[mask == 2] == 200).mean() > 0.7


def test_what_comes_into_view_is_the_backdrop_or_a_plain_wall(spot):
    photo, room = np.zeros((180, 240, 3), np.uint8), np.full((180, 240, 3), 7, np.uint8)
    assert tuple(zoomed(photo, 0.5, centre=(0.5, 0.5))[0, 0]) == WALL
    shown = zoomed(photo, 0.5, centre=(0.5, 0.5), backdrop=room)
    assert (shown[0] == 7).all() and (shown[90, 120] == 0).all() and (room == 7).all()


def test_the_middle_of_a_ring_is_on_the_ring():
    ring = np.zeros((100, 100), bool)
    ring[20:81, 20:81] = True
    ring[30:71, 30:71] = False
    x, y = middle_of(ring)
    assert ring[int(y * 100), int(x * 100)]
    assert middle_of(np.zeros((4, 4), bool)) == (0.5, 0.5)
