"""What the classifier says: an alarm, or why it says nothing. It names no condition."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from contract.alarms import Condition
from contract.messages import Abstention, Box
from inference_worker.models import classification, engine, weights
from inference_worker.models.classification import (
    CONDITIONS,
    FEATURES,
    Classifier,
    crops_of,
    distance,
    features_of,
    pooled,
    softmax,
)
from training import phantom

CPU = engine.select_engine("cpu")
FIGURE = {"value": 0.7, "low": 0.6, "high": 0.8, "n": 80}


@pytest.fixture(scope="module")
def classifier():
    return Classifier(weights.published("classification"), CPU)


@pytest.fixture(scope="module")
def photo():
    return phantom.draw(4, condition="HI", long_side=384).photo


def with_weights(classifier: Classifier, **changes) -> Classifier:
    changed = Classifier(classifier.weights, CPU)
    changed.weights = dataclasses.replace(classifier.weights, **changes)
    return changed


def box(x, y, side):
    return Box(x=x, y=y, width=side, height=side, skin=1.0, lesion=0.5)


def test_a_photo_is_the_mean_of_the_whole_and_of_its_crops_mean():
    views = np.stack([np.full(FEATURES, level) for level in (0.0, 1.0, 2.0, 6.0)])
    assert pooled(views) == pytest.approx(np.full(FEATURES, 1.5))
    assert pooled(views[3:]) == pytest.approx(np.full(FEATURES, 6.0))  # no crop: the whole photo decides


def test_the_joint_logits_are_the_same_mean_of_the_views_logits(classifier, photo):
    """So what is reported of a view is a part of the answer, not another answer."""
    views = features_of(classifier.feature_maps(crops_of(photo, [box(0, 0, 200), box(50, 60, 128)])))
    logits = views.astype(np.float64) @ classifier._weight.T + classifier._bias
    expected = softmax(((logits[0] + logits[1:].mean(axis=0)) / 2)[None])[0]
    assert classifier.probabilities(pooled(views)[None])[0] == pytest.approx(expected)


def test_healthy_skin_counts_as_other():
    healthy = softmax(np.array([[0, 0, 0, 0, 0, 20.0]]))[0]
    assert dict(zip(CONDITIONS, healthy, strict=True))["OTHER"] == pytest.approx(1, abs=1e-6)


def test_an_alarm_rings_at_its_line_and_brings_what_it_is_measured_to_be_worth(classifier, photo):
    views = features_of(classifier.feature_maps(crops_of(photo, [])))
    score = classifier.classify(views).probabilities["HI"]
    for line, rings in ((score, True), (score + 1e-6, False)):
        own = with_weights(classifier, thresholds={"HI": line}, alarms={"HI": {"sensitivity": FIGURE}})
        (alarm,) = own.classify(views).alarms
        assert alarm.rings is rings and alarm.condition == Condition.HI and alarm.score == score
        assert dataclasses.asdict(alarm.sensitivity) == FIGURE and alarm.likelihood_ratio is None


def test_the_demonstration_names_nothing_it_alarms_or_says_why_not(classifier, photo):
    views = features_of(classifier.feature_maps(crops_of(photo, [])))
    silent, loud = {"thresholds": {"HI": 1.0}}, {"thresholds": {"HI": 0.0}}
    near, far = {"scope_distance": 2.0}, {"scope_distance": -1.0}
    told = [
        with_weights(classifier, **line, **scope).classify(views)
        for line, scope in ((silent, near), (silent, far), (loud, near))
    ]
    assert [one.abstention for one in told] == [Abstention.UNCERTAIN, Abstention.OUT_OF_SCOPE, None]
    assert {one.top for one in told} == {None}


def test_a_photo_out_of_scope_does_not_silence_the_herpes_alarm(classifier, photo):
    own = with_weights(classifier, thresholds={"HI": 0.0}, scope_distance=-1.0)
    found = own.classify(features_of(classifier.feature_maps(crops_of(photo, []))))
    assert found.alarms[0].rings and found.abstention is None


def test_a_photo_is_as_far_as_the_nearest_class_and_an_unknown_class_is_near_to_nothing():
    means = np.zeros((6, FEATURES))
    means[0, 0] = means[1, 1] = 3.0
    along, across = np.zeros(FEATURES), np.zeros(FEATURES)
    along[0], across[5] = 0.2, 7.0
    assert distance(along, means) == pytest.approx(0) and distance(across, means) == pytest.approx(1)


def test_every_view_is_reported_with_its_box(classifier, photo):
    found, alone = classifier([photo, photo], [[box(0, 0, 200), box(50, 60, 128)], []])
    assert [view.box for view in found.views] == [None, 0, 1]
    assert [view.box for view in alone.views] == [None]
    for opinion in (found, alone):
        assert opinion.demonstration and opinion.model.sha256 == classifier.weights.sha256
        assert sum(opinion.probabilities.values()) == pytest.approx(1, abs=1e-4)
        assert set(opinion.probabilities) == set(CONDITIONS)
        assert opinion.thresholds == classifier.weights.thresholds


def test_a_condition_without_a_training_photo_is_not_reported(photo):
    """The open weights have seen no mycosis fungoides: 0 would read as "surely not"."""
    (found,) = Classifier(weights.published("classification-open", weights.FOLDER), CPU)([photo], [[]])
    assert set(found.probabilities) == set(CONDITIONS) - {"MF"}
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-4)


def test_a_result_does_not_depend_on_the_batch(classifier, photo):
    other = phantom.draw(9, condition="MF", long_side=300).photo
    alone, among = classifier([photo], [[]])[0], classifier([other, photo], [[box(0, 0, 100)], []])[1]
    assert alone.probabilities == pytest.approx(among.probabilities, abs=1e-3)


def test_noise_and_a_blank_are_out_of_scope(classifier):
    noise = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    blank = np.full((300, 400, 3), 127, np.uint8)
    told = [opinion.abstention for opinion in classifier([noise, blank], [[], []])]
    assert told == [Abstention.OUT_OF_SCOPE] * 2


def test_views_are_squares_of_one_size_and_a_box_outside_is_refused(photo):
    assert crops_of(photo, [box(3, 5, 70)]).shape == (2, classification.SIDE, classification.SIDE, 3)
    with pytest.raises(ValueError, match="outside"):
        crops_of(photo, [box(5000, 5000, 10)])
