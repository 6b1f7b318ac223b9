"""The 80/10 rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip("cv2", reason="needs [inference]")

from contract.messages import ModelRef, NoCropReason
from inference_worker.models.cropping import BOX_LIMIT, best_rejected_crop, boxes_of, describe

BACKGROUND, SKIN, LESION = range(3)


def limb_with_lesion(x: int = 300, y: int = 250, side: int = 120) -> np.ndarray:
    mask = np.zeros((600, 800), np.uint8)
    mask[100:500] = SKIN
    mask[y : y + side, x : x + side] = LESION
    return mask


def shares_of(mask: np.ndarray, box) -> tuple[float, float]:
    crop = mask[box.y : box.y + box.height, box.x : box.x + box.width]
    return (crop > 0).mean(), (crop == LESION).mean()


@st.composite
def class_maps(draw) -> np.ndarray:
    """Coarse random maps, enlarged: patches with edges everywhere, as networks produce them."""
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    coarse = draw(arrays(np.uint8, (rows, columns), elements=st.sampled_from([0, 1, 1, 1, 2])))
    return np.kron(coarse, np.ones((draw(st.integers(1, 40)), draw(st.integers(1, 40))), np.uint8))


@given(class_maps())
@settings(max_examples=150, deadline=None)
def test_every_box_obeys_the_rule_and_reports_its_shares(mask):
    boxes, no_box = boxes_of(mask)
    assert bool(boxes) != bool(no_box)
    assert len(boxes) <= BOX_LIMIT
    for box in boxes:
        assert box.width == box.height > 0
        assert 0 <= box.x <= mask.shape[1] - box.width
        assert 0 <= box.y <= mask.shape[0] - box.height
        assert shares_of(mask, box) == pytest.approx((box.skin, box.lesion))
        assert box.skin > 0.8
        assert box.lesion > 0.1


@given(class_maps())
@settings(max_examples=50, deadline=None)
def test_the_same_map_gives_the_same_boxes(mask):
    assert boxes_of(mask) == boxes_of(mask.copy())


@given(class_maps())
@settings(max_examples=100, deadline=None)
def test_a_mirrored_photo_has_as_good_a_best_box(mask):
    boxes, no_box = boxes_of(mask)
    for mirrored in (mask[:, ::-1], mask[::-1]):
        its_boxes, its_no_box = boxes_of(np.ascontiguousarray(mirrored))
        assert its_no_box == no_box
        if boxes:
            gains = [box.lesion**2 * box.width**2 for box in (boxes[0], its_boxes[0])]
            assert gains[0] == pytest.approx(gains[1])


@given(st.integers(-8, 8), st.integers(-2, 2))
@settings(max_examples=40, deadline=None)
def test_boxes_move_with_the_lesion(columns, rows):
    before, _ = boxes_of(limb_with_lesion())
    step = 37  # not a multiple of any stride: the best square may be off by at most one stride
    after, _ = boxes_of(limb_with_lesion(300 + columns * step // 4, 250 + rows * step // 4))
    stride = before[0].width // 8 + 1
    assert after[0].width == before[0].width
    assert abs(after[0].x - before[0].x - columns * step // 4) <= 2 * stride
    assert abs(after[0].y - before[0].y - rows * step // 4) <= 2 * stride


@pytest.mark.parametrize("times", [2, 3])
def test_boxes_grow_with_the_photo(times):
    small = limb_with_lesion()
    large = np.kron(small, np.ones((times, times), np.uint8))
    (before, _), (after, _) = boxes_of(small), boxes_of(large)
    assert after[0].width == pytest.approx(before[0].width * times, abs=times)
    stride = after[0].width // 8 + 1
    assert abs(after[0].x - before[0].x * times) <= 2 * stride
    assert abs(after[0].y - before[0].y * times) <= 2 * stride


@given(class_maps())
@settings(max_examples=100, deadline=None)
def test_a_photo_without_a_box_reports_its_best_rejected_crop(mask):
    segmented = describe(mask, key="k", model=ModelRef(name="m", version="1", sha256="0"), seconds=0)
    box = segmented.nearest_miss
    if segmented.boxes or not (mask == LESION).any():
        assert box is None
        return
    assert shares_of(mask, box) == pytest.approx((box.skin, box.lesion))
    assert box.skin <= 0.8 or box.lesion <= 0.1


def test_the_best_rejected_crop_of_a_thin_lesion_is_the_smallest():
    mask = np.full((256, 256), SKIN, np.uint8)
    mask[100:105] = LESION
    box = best_rejected_crop(mask)
    assert (box.width, box.skin, box.lesion) == (64, 1.0, 5 / 64)


def test_a_lesion_the_size_of_a_palm_is_covered():
    mask = limb_with_lesion()
    boxes, _ = boxes_of(mask)
    covered = np.zeros(mask.shape, bool)
    for box in boxes:
        covered[box.y : box.y + box.height, box.x : box.x + box.width] = True
    assert covered[mask == LESION].mean() > 0.95


def test_three_lesions_far_apart_get_a_box_each():
    mask = np.full((600, 1200), SKIN, np.uint8)
    for x in (60, 560, 1060):
        mask[250:340, x : x + 90] = LESION
    boxes, _ = boxes_of(mask)
    assert all(any(box.x <= x + 45 < box.x + box.width for box in boxes) for x in (60, 560, 1060))


def test_skin_that_is_all_lesion_is_accepted_because_lesion_counts_as_skin():
    boxes, no_box = boxes_of(np.full((300, 400), LESION, np.uint8))
    assert no_box is None
    assert boxes[0].skin == boxes[0].lesion == 1.0


def test_exactly_80_per_cent_skin_is_not_enough():
    mask = np.full((100, 100), LESION, np.uint8)
    mask[80:] = BACKGROUND
    boxes, _ = boxes_of(mask)
    assert all(box.skin > 0.8 for box in boxes)
    assert all(box.width < 100 for box in boxes)


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (np.zeros((300, 400), np.uint8), NoCropReason.NO_SKIN),
        (np.full((300, 400), SKIN, np.uint8), NoCropReason.NO_LESION),
        (
            np.pad(np.full((4, 4), LESION, np.uint8), 200, constant_values=SKIN),
            NoCropReason.TOO_LITTLE_LESION,
        ),
        (np.pad(np.full((40, 40), LESION, np.uint8), 200), NoCropReason.TOO_LITTLE_SKIN),
    ],
)
def test_a_photo_without_a_box_has_a_reason(mask, reason):
    assert boxes_of(mask) == ([], reason)
