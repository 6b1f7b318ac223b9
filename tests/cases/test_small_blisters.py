"""Scattered small blisters of which no crop obeys the 80/10 rule reach the same day: by the answers, or by an alarm that has earned
it. The scenes are drawn, and segmented by the masks with which they were drawn."""

from __future__ import annotations

import pytest

from contract.messages import Abstention, View
from teleder.cases.triage import Urgency
from tests.conftest import MODEL, NO_WORTH, alarm

pytestmark = pytest.mark.django_db
SEEDS = (3, 9, 13)
UNSURE = {"AD": 0.6, "HI": 0.3, "IM": 0.05, "MF": 0.01, "OTHER": 0.04}


@pytest.fixture(scope="module", params=SEEDS)
def segmented_by(request):
    """Return what a worker says of a scene's mask."""
    phantom = pytest.importorskip("training.phantom")
    cropping = pytest.importorskip("inference_worker.models.cropping")
    scene = phantom.draw(request.param, condition="HI", site="trunk", distance_cm=110, long_side=512)
    assert scene.parameters.variant == "vesicles"
    assert (scene.mask == cropping.LESION).any() and cropping.boxes_of(scene.mask)[0] == []
    return lambda key: cropping.describe(scene.mask, key=key, model=MODEL, seconds=0.1)


@pytest.fixture
def read(alice, submission_of, analyse, segmented_by):
    """A submission of one such photo, after the AI has read it without a crop."""

    def make(answers: dict, **classified):
        submission = submission_of(alice, **answers)
        views = (View(box=None, probabilities=UNSURE),)
        whole = {"probabilities": UNSURE, "views": views, "attribution": None}
        analyse(submission.photos.get(), segmented_by=segmented_by, **whole, **classified)
        submission.refresh_from_db()
        assert not submission.photos.get().analysis.boxes
        return submission

    return make


@pytest.mark.parametrize("sign", ["grouped_blisters", "painful_or_sudden", "fever"])
def test_the_answers_reach_the_same_day_whatever_the_ai_says(read, sign):
    silent = {"alarms": (), "abstention": Abstention.UNCERTAIN}
    assert read({sign: "yes"}, **silent).urgency == Urgency.SAME_DAY


def test_an_alarm_that_has_earned_it_reaches_the_same_day_without_a_crop(read):
    assert read({}, alarms=(alarm("HI", 0.3),)).urgency == Urgency.SAME_DAY


def test_one_that_has_not_is_told_and_raises_nothing(read):
    assert read({}, alarms=(alarm("HI", 0.3, worth=NO_WORTH),)).urgency == Urgency.ROUTINE
