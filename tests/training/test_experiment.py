"""Training on photos that are deleted afterwards: no person is in both splits, and no photo is kept."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference_worker.models import weights
from training import duplicates, experiment, realism
from training.data import Known, Row, Sample
from training.evaluate import table
from training.experiment import Photos, cross_validated, figures_of, gain, not_ad
from training.statistics import auc


def row(label, group):
    return Row("x.jpg", "x.jpg", None, label, "experiment", "here", "", group, "", "")


def photos(labels, groups, features) -> Photos:
    rows = [row(label, str(group)) for label, group in zip(labels, groups, strict=True)]
    return Photos(rows, np.array(features, float), np.arange(len(rows)))


LABELS = ["AD", "HI", "IM", "MF", "OTHER", "NORMAL"] * 10


def test_visible_features_are_learnt():
    codes = {name: i for i, name in enumerate(["AD", "HI", "IM", "MF", "OTHER", "NORMAL"])}
    noise = np.random.default_rng(1).normal(0, 0.1, (60, 6))
    own = photos(LABELS, range(60), np.eye(6)[[codes[n] for n in LABELS]] + noise)
    figures = figures_of(own, cross_validated(own))
    assert figures["auc_not_ad"]["value"] > 0.95 and figures["auc_not_ad"]["n"] == 40
    assert figures["recall.OTHER"]["n"] == 20  # healthy skin counts as other
    assert "recall.OTHER" in table({"external": figures})  # what the command prints


def test_recognising_a_person_does_not_help():
    """Each person has one face and one disease: learning faces helps only if a person is in both splits."""
    rng = np.random.default_rng(2)
    faces, diseases = rng.normal(size=(30, 40)), rng.choice(["AD", "HI"], 30)
    own = photos(np.repeat(diseases, 4), np.repeat(np.arange(30), 4), np.repeat(faces, 4, axis=0))
    score = figures_of(own, cross_validated(own))["auc_not_ad"]["value"]
    met_twice = experiment.probabilities(experiment.learnt(own, np.arange(120)), own, np.arange(120))
    assert score < 0.75 < auc(not_ad(met_twice), own.truth != "AD")


def test_photos_whose_class_nobody_else_has_are_not_scored():
    """Both AD photos were one person's, and the fold that tested them knew no AD: it ranked them last, and .00 was reported."""
    labels = [*LABELS[:24], "AD", "AD"]
    labels = ["OTHER" if name == "AD" and i < 24 else name for i, name in enumerate(labels)]
    own = photos(labels, [*range(24), 24, 24], np.random.default_rng(4).normal(size=(26, 5)))
    p = cross_validated(own)
    assert np.isnan(p[24:]).all() and np.isfinite(p).any()
    figures = figures_of(own, p)
    assert figures["auc_not_ad"]["value"] is None and "recall.AD" not in figures


def test_photos_of_one_scene_are_one_group_despite_their_published_groups():
    rng = np.random.default_rng(3)
    scenes = [cv2.resize(rng.integers(0, 255, (24, 24, 3), np.uint8), (320, 320)) for _ in range(2)]
    prints = [duplicates.print_of(photo) for photo in (*scenes, cv2.resize(scenes[0], (280, 280)))]
    found = experiment.one_scene_one_group([row("AD", name) for name in "123"], prints)
    assert [own.group for own in found] == ["1", "2", "1"]


def test_a_gain_is_paired_and_is_zero_for_equal_answers():
    own = photos(LABELS, range(60), np.zeros((60, 1)))
    p = np.full((60, 5), 0.2)
    right = np.array([[1 - (n != "AD"), n != "AD", 0, 0, 0] for n in own.truth], float)
    assert gain(own, p, p)["value"] == 0 and gain(own, p, right)["value"] == pytest.approx(0.5)


def test_the_whole_photo_is_the_first_view():
    own = Photos([row("AD", "1"), row("HI", "2")], np.array([[1.0], [2], [3], [4]]), np.array([0, 0, 0, 1]))
    assert own.whole_only().views.ravel().tolist() == [1, 4] and own.whole_only().owner.tolist() == [0, 1]


def test_a_crop_for_the_realism_test_shows_skin_or_is_none():
    known = np.zeros((300, 300), np.uint8)
    known[100:] = Known.SKIN
    photo = np.zeros((300, 300, 3), np.uint8)
    crop = realism.skin_crop(np.random.default_rng(1), Sample(photo, known))
    assert (crop.known == Known.SKIN).mean() > realism.SKIN_SHARE
    assert realism.skin_crop(np.random.default_rng(1), Sample(photo, np.zeros_like(known))) is None


def test_pictures_of_two_kinds_can_be_distinguished_and_of_one_kind_cannot():
    rng = np.random.default_rng(5)

    def some(level, count):
        noise = [np.clip(rng.normal(level, 25, (128, 128, 3)), 0, 255).astype(np.uint8) for _ in range(count)]
        return [Sample(pixels, np.ones((128, 128), np.uint8)) for pixels in noise], [
            str(n) for n in range(count)
        ]

    own, names = some(120, 20)
    alike, different = some(120, 20)[0], some(170, 20)[0]
    others = [f"other {n}" for n in range(20)]
    assert realism.separability(own, names, different, others)["value"] > 0.95
    assert 0.2 < realism.separability(own, names, alike, others)["value"] < 0.8


def test_the_page_names_the_weights_of_the_crops(monkeypatch):
    """Figures of older crops must not be shown as those of the current weights."""
    rng = np.random.default_rng(6)
    monkeypatch.setattr(
        experiment.features, "of_photos", lambda rows: [rng.normal(size=(2, 3)) for _ in rows]
    )
    rows = [row(label, str(i)) for i, label in enumerate(LABELS)]
    page = "\n".join(experiment.page(experiment.measure(rows, rows), 60, 60))
    own = weights.published("segmentation")
    assert f"segmentation {own.version} {own.sha256[:12]}" in page and "| whole | crops |" in page


def test_herpes_in_one_view_is_enough_and_the_others_share_the_rest():
    joint = experiment.aggregate(np.array([[0.9, 0.1, 0, 0, 0], [1, 0, 0, 0, 0], [0.2, 0.8, 0, 0, 0]]))
    assert joint == pytest.approx([0.2, 0.8, 0, 0, 0])


def test_a_share_of_too_few_persons_has_no_point_on_the_curve():
    """No sample of one person has both diseases, so resampling until one has would never end."""
    own = photos(["AD", "HI"] * 8, range(16), np.eye(16))
    curve = experiment.learning_curve(own, own)
    assert curve["10%"] == {"value": None, "low": None, "high": None, "n": 0}
    assert curve["100%"]["n"] == 16 and list(curve) == ["10%", "25%", "50%", "100%"]
