"""The results of the classifier, and when it abstains."""

from __future__ import annotations

import numpy as np
import pytest

from contract.messages import Abstention, Box, Condition
from inference_worker.models import classification, engine, weights
from inference_worker.models.classification import (
    CONDITIONS,
    Classifier,
    aggregate,
    calibrated,
    crops_of,
    decide,
    prediction_set,
)
from training import phantom


@pytest.fixture(scope="module")
def own():
    return weights.published("classification")


@pytest.fixture(scope="module")
def classifier(own):
    return Classifier(own, engine.select_device("cpu"))


@pytest.fixture(scope="module")
def photo():
    return phantom.draw(4, condition="HI", long_side=384).photo


def box(x, y, side):
    return Box(x=x, y=y, width=side, height=side, skin=1.0, lesion=0.5)


def odds(**shares):
    return np.array([shares.get(name, 0.0) for name in CONDITIONS])


def test_herpes_in_one_crop_is_enough():
    joint = aggregate(np.stack([odds(AD=0.9, HI=0.1), odds(AD=1.0), odds(HI=0.8, AD=0.2), odds(AD=1.0)]))
    assert joint[CONDITIONS.index("HI")] == pytest.approx(0.8)
    assert joint.sum() == pytest.approx(1.0)


def test_herpes_in_the_whole_photo_alone_is_enough():
    joint = aggregate(np.stack([odds(AD=0.3, HI=0.7), odds(AD=1.0)]))
    assert joint[CONDITIONS.index("HI")] == pytest.approx(0.7)


def test_the_others_are_the_mean_over_the_crops():
    joint = aggregate(np.stack([odds(MF=1.0), odds(AD=0.8, IM=0.2), odds(AD=0.4, IM=0.6)]))
    assert joint == pytest.approx(odds(AD=0.6, IM=0.4))


def test_without_a_crop_the_whole_photo_decides():
    assert aggregate(odds(AD=0.5, OTHER=0.5)[None]) == pytest.approx(odds(AD=0.5, OTHER=0.5))
    assert aggregate(odds(HI=1.0)[None]) == pytest.approx(odds(HI=1.0))


def test_healthy_skin_counts_as_other():
    healthy = np.array([[0, 0, 0, 0, 0, 20.0]])
    assert calibrated(healthy, 1.0)[0] == pytest.approx(odds(OTHER=1.0), abs=1e-6)


def test_a_high_temperature_lowers_confidence_and_keeps_the_order():
    logits = np.array([[4.0, 2.0, 0, 0, 0, 0]])
    sure, unsure = calibrated(logits, 1.0)[0], calibrated(logits, 4.0)[0]
    assert sure[0] > unsure[0] > unsure[1] > sure[1]


CONFIDENT = np.array([30.0, 0, 0, 0, 0, 0])  # more energy than any threshold


def named(own, **shares):
    return decide(odds(**shares), CONFIDENT, own)


def test_a_confident_finding_is_named(own):
    assert named(own, AD=1.0) == (Condition.AD, None)
    assert named(own, HI=1.0) == (Condition.HI, None)


def test_an_uncertain_finding_is_not_named(own):
    assert named(own, AD=0.4, OTHER=0.35, MF=0.25) == (None, Abstention.UNCERTAIN)


def test_no_harmless_condition_is_named_if_herpes_is_suspected(own):
    herpes = own.thresholds["HI"] + 0.01
    assert named(own, AD=1 - herpes, HI=herpes) == (None, Abstention.UNCERTAIN)


def test_a_condition_is_named_only_if_it_is_alone_in_the_prediction_set(own):
    mycosis = own.thresholds["conformal.MF"] + 0.01
    assert named(own, AD=1 - mycosis, MF=mycosis) == (None, Abstention.UNCERTAIN)


def test_the_prediction_set_holds_conditions_that_reach_their_own_bound():
    bounds = {
        "conformal.AD": 0.1,
        "conformal.HI": 0.01,
        "conformal.IM": 0.3,
        "conformal.MF": 0.1,
        "conformal.OTHER": 0,
    }
    assert prediction_set(odds(AD=0.7, HI=0.02, IM=0.28), bounds) == {
        Condition.AD,
        Condition.HI,
        Condition.OTHER,
    }


def test_a_photo_unlike_the_training_photos_is_out_of_scope(own):
    assert decide(odds(AD=1.0), np.full(6, -50.0), own) == (None, Abstention.OUT_OF_SCOPE)


def test_every_view_is_reported_with_its_box(classifier, photo):
    found, alone = classifier([photo, photo], [[box(0, 0, 200), box(50, 60, 128)], []])
    assert [view.box for view in found.views] == [None, 0, 1]
    assert [view.box for view in alone.views] == [None]
    for opinion in (found, alone):
        assert opinion.demonstration and opinion.model.sha256 == classifier.weights.sha256
        assert sum(opinion.probabilities.values()) == pytest.approx(1, abs=1e-4)
        assert set(opinion.probabilities) == set(CONDITIONS) and set(CONDITIONS) <= set(opinion.thresholds)
        assert (opinion.top is None) == (opinion.abstention is not None)
    assert found.probabilities["HI"] == max(view.probabilities["HI"] for view in found.views)


def test_a_result_does_not_depend_on_the_batch(classifier, photo):
    other = phantom.draw(9, condition="MF", long_side=300).photo
    alone, among = classifier([photo], [[]])[0], classifier([other, photo], [[box(0, 0, 100)], []])[1]
    assert alone.probabilities == pytest.approx(among.probabilities, abs=1e-3)


def test_an_array_that_is_not_a_photo_is_not_named(classifier):
    noise = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    blank = np.full((300, 400, 3), 127, np.uint8)
    assert all(
        opinion.top is None or opinion.top == "OTHER" for opinion in classifier([noise, blank], [[], []])
    )


def test_views_are_squares_of_one_size_and_a_box_outside_is_refused(photo):
    assert crops_of(photo, [box(3, 5, 70)]).shape == (2, classification.SIDE, classification.SIDE, 3)
    with pytest.raises(ValueError, match="outside"):
        crops_of(photo, [box(5000, 5000, 10)])
