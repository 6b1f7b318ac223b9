"""A drawn place is known again by another camera and lamp, its change is measured, and other places are refused."""

from __future__ import annotations

import numpy as np
import pytest

from registration import alignment
from registration.alignment import NotComparable, align, working_copy
from registration.area import Change, area_change
from training import phantom
from training.registration import TOLERANCE, answer, figures_of, halves, rows_of, table
from training.revisits import other_light, phone, revisit

SIDE = 640  # px


def place(seed: int, lamp: str = "daylight") -> tuple[np.ndarray, np.ndarray]:
    scene = phantom.draw(
        seed, condition="IM", site="limb", distance_cm=18, tone=40, light=lamp, blur=0, long_side=SIDE
    )
    return scene.photo, scene.mask


@pytest.fixture(scope="module")
def ann() -> tuple[np.ndarray, np.ndarray]:
    return place(9_000_001)


@pytest.fixture(scope="module")
def ann_later():
    return revisit(np.random.default_rng(4), *place(9_000_001, "warm"))


def test_a_place_is_known_again_and_its_growth_measured(ann, ann_later):
    photo, mask = ann
    found = area_change(photo, ann_later.photo, [mask], [ann_later.mask])
    assert isinstance(found, Change)
    assert abs(ann_later.growth - 1) > 2 * TOLERANCE, "the lesion must have changed for this to say anything"
    assert found.ratio == pytest.approx(ann_later.growth, rel=TOLERANCE)
    assert found.low < found.ratio < found.high
    assert found.alignment.residual_px < alignment.NEAR and found.alignment.overlap > 0.5
    assert found.warped.shape == working_copy(photo, mask)[1].shape


def test_a_lesion_that_stayed_as_it_was_is_said_to_have_stayed(ann):
    photo, mask = ann
    found = area_change(photo, other_light(np.random.default_rng(1), photo), [mask], [mask])
    assert found.ratio == pytest.approx(1, abs=0.02)


def test_two_places_are_refused(ann):
    photo, mask = ann
    other = revisit(np.random.default_rng(2), *place(9_000_002))
    assert area_change(photo, other.photo, [mask], [other.mask]) in {
        NotComparable.TOO_FEW_MATCHES,
        NotComparable.DISTORTED,
        NotComparable.OTHER_PLACE,
    }
    assert halves(np.random.default_rng(2), photo, mask)["reason"]


def test_a_mark_of_the_publisher_alone_joins_no_two_places(ann):
    """The same logo on two photos matches perfectly: it covers too little skin to say that the place is the same."""
    logo = (
        np.random.default_rng(3).integers(0, 255, (12, 24, 3), np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    )
    marked = []
    for photo, mask in (ann, place(9_000_002)):
        y, x = np.argwhere(mask == alignment.SKIN)[len(np.argwhere(mask == alignment.SKIN)) // 2]
        y, x = min(y, mask.shape[0] - 48), min(x, mask.shape[1] - 96)
        photo, mask = photo.copy(), np.maximum(mask, alignment.SKIN)
        photo[y : y + 48, x : x + 96], mask[y : y + 48, x : x + 96] = logo, alignment.SKIN
        marked.append(working_copy(photo, mask))
    (one, one_mask), (other, other_mask) = marked
    assert isinstance(align(one, other, one_mask, other_mask), NotComparable)


def test_disagreement_of_two_looks_widens_the_error_bar(ann, ann_later):
    photo, mask = ann
    wider = mask.copy()
    wider[:, ::2] = np.where(wider[:, ::2] == alignment.LESION, alignment.SKIN, wider[:, ::2])
    sure = area_change(photo, ann_later.photo, [mask, mask], [ann_later.mask])
    unsure = area_change(photo, ann_later.photo, [mask, wider], [ann_later.mask])
    assert unsure.ratio == sure.ratio and unsure.high / unsure.low > 1.2 * sure.high / sure.low


def test_the_same_two_photos_get_the_same_answer(ann, ann_later):
    photo, mask = ann
    one, two = (area_change(photo, ann_later.photo, [mask], [ann_later.mask]) for _ in range(2))
    assert (one.ratio, one.low, one.high) == (two.ratio, two.low, two.high)
    assert (one.alignment.matrix == two.alignment.matrix).all()


@pytest.mark.parametrize(("shape", "grey"), [((1, 1), 0), ((1, 40), 128), ((40, 3), 255), ((480, 640), 128)])
def test_a_uniform_or_tiny_photo_is_refused_with_a_reason(ann, shape, grey):
    photo, mask = ann
    empty = np.full((*shape, 3), grey, np.uint8)
    for value in (0, alignment.SKIN, alignment.LESION):
        there = np.full(shape, value, np.uint8)
        assert isinstance(area_change(photo, empty, [mask], [there]), NotComparable)
        assert isinstance(area_change(empty, photo, [there], [mask]), NotComparable)


def test_noise_alone_is_refused(ann):
    photo, mask = ann
    noise = np.random.default_rng(1).integers(0, 255, photo.shape, np.uint8)
    assert isinstance(area_change(photo, noise, [mask], [mask]), NotComparable)


@pytest.mark.parametrize(
    ("value", "reason"), [(0, NotComparable.NO_SKIN), (alignment.SKIN, NotComparable.NO_LESION)]
)
def test_a_photo_without_skin_or_lesion_says_so(ann, value, reason):
    photo, mask = ann
    without = np.full(mask.shape, value, np.uint8)
    assert area_change(photo, photo, [mask], [without]) == reason
    assert area_change(photo, photo, [without], [mask]) == reason


def test_a_mirrored_photo_is_not_the_same_place(ann):
    photo, mask = ann
    mirrored = np.ascontiguousarray(photo[:, ::-1])
    assert isinstance(area_change(photo, mirrored, [mask], [mask[:, ::-1]]), NotComparable)


def test_a_lesion_mostly_out_of_the_other_view_is_refused(ann):
    photo, mask = ann
    columns = np.flatnonzero((mask == alignment.LESION).any(axis=0))
    cut = int(np.quantile(columns, 0.2))
    if cut < 0.3 * mask.shape[1]:
        photo, mask = photo[:, ::-1], mask[:, ::-1]
        cut = mask.shape[1] - int(np.quantile(columns, 0.8))
    part, part_mask = np.ascontiguousarray(photo[:, :cut]), np.ascontiguousarray(mask[:, :cut])
    found = area_change(np.ascontiguousarray(photo), part, [mask], [part_mask])
    assert isinstance(found, NotComparable)


def test_an_answer_and_a_refusal_are_counted_apart(ann):
    photo, mask = ann
    own, other = (
        (lambda: (phone(np.random.default_rng(1), photo / np.float32(255)), photo, mask)),
        (lambda: (*[place(9_000_002)[0]] * 2, place(9_000_002)[1])),
    )
    rows = rows_of("ann", "ann", own, other, lambda _photo: [np.zeros((4, 4), np.uint8)])
    figures = figures_of(rows)
    assert figures["same, given masks, SIFT"]["accepted"]["n"] == 1
    network = figures["same, network masks, SIFT"]
    assert network["accepted"]["value"] == 0 and network["within_tolerance"]["n"] == 0
    assert network["reasons"] == {"no_skin": 1}
    assert figures["other, SIFT"]["refused"]["value"] == 1
    assert any("no_skin 1" in line for line in table({"drawn": figures}))


def test_a_refusal_names_its_reason_in_the_measurement(ann):
    photo, mask = ann
    assert answer(photo, photo, [mask], [mask * 0], "SIFT")["reason"] == "no_skin"
