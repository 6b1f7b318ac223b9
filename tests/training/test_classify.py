"""Training and calibration of the classifier."""

from __future__ import annotations

import numpy as np
import pytest

from inference_worker.models.classification import CLASSES, CONDITIONS
from training import classify
from training.data import Known, Sample


@pytest.fixture(scope="module")
def people():
    """Three scenes that show only a forearm."""
    rng = np.random.default_rng(1)
    skin = [np.clip(rng.normal((190, 140, 115), 6, (300, 300, 3)), 0, 255).astype(np.uint8) for _ in range(3)]
    return [Sample(photo, np.full((300, 300), Known.SKIN_OR_LESION, np.uint8)) for photo in skin]


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_is_drawn_on_the_same_people_and_is_visible(people, name):
    views = [classify.painted_view(np.random.default_rng(seed), people, name) for seed in range(6)]
    rashes = [(view.known == Known.LESION).mean() for view in views]
    assert all(view.photo.shape == (224, 224, 3) for view in views)
    assert not any(rashes) if name == "NORMAL" else sum(r > classify.RASH_LEAST for r in rashes) >= 5


def test_a_bound_excludes_the_promised_share_or_nothing_if_there_are_too_few_photos():
    p = np.arange(1, 101) / 100
    assert (p < classify._bound(p, 0.05)).sum() <= 5 and (p <= classify._bound(p, 0.05)).sum() == 5
    assert classify._bound(p[:9], 0.05) == 0.0


def test_conformal_sets_have_the_promised_coverage_on_similar_photos():
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(len(CLASSES)), 400)
    logits = rng.normal(0, 1.2, (len(labels), len(CLASSES))) + 2 * np.eye(len(CLASSES))[labels]
    half = rng.random(len(labels)) < 0.5
    own = classify.calibration_of([row[None].astype(np.float32) for row in logits[half]], labels[half])
    truth = np.minimum(labels[~half], len(CONDITIONS) - 1)
    p = np.array([classify.calibrated(row[None], own["temperature"])[0] for row in logits[~half]])
    for index, name in enumerate(CONDITIONS):
        missed = (p[truth == index, index] < own["thresholds"][f"conformal.{name}"]).mean()
        assert missed < classify.MISSED[name] + 0.04
    assert own["temperature"] > 0.5
