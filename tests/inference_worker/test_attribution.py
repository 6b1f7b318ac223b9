"""The attribution map of a finding: it depends on the network, and it is at the stated place."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from contract.alarms import Alarm, Condition
from contract.messages import Box, Classified, ModelRef, View
from inference_worker.models import engine, weights
from inference_worker.models.attribution import decisive, explain, maps_of, picture
from inference_worker.models.classification import (
    CONDITIONS,
    Classifier,
    Evidence,
    evidence_of,
    features_of,
    softmax,
)
from training import phantom, sanity

SCENES = [phantom.draw(seed, condition=name).photo for seed, name in enumerate(["AD", "HI", "IM", "MF"] * 2)]
BOX = Box(x=96, y=64, width=256, height=256, skin=1.0, lesion=0.5)


@pytest.fixture(scope="module")
def classifier():
    return Classifier(weights.published("classification"), engine.select_engine("cpu"))


def found(*views: dict, top: Condition | None = None, **joint: float) -> Classified:
    return Classified(
        probabilities=joint,
        views=tuple(View(box=i - 1 if i else None, probabilities=p) for i, p in enumerate(views)),
        thresholds={},
        top=top,
        demonstration=True,
        model=ModelRef(name="m", version="1", sha256="0"),
    )


def test_the_named_condition_is_explained_by_the_crop_that_supports_it_most():
    crops = ({"AD": 0.2, "HI": 0.8}, {"AD": 0.3, "HI": 0.1}, {"AD": 0.9, "HI": 0.1})
    assert decisive(found(*crops, top=Condition.HI, AD=0.6, HI=0.4)) == (Condition.HI, 0)
    assert decisive(found(*crops, AD=0.6, HI=0.4)) == (Condition.AD, 1)
    assert decisive(found({"AD": 1.0}, AD=1.0)) == (Condition.AD, None)


def test_an_alarm_is_explained_before_what_is_likelier():
    alarm = Alarm(condition=Condition.HI, score=0.3, threshold=0.25)
    views = ({"AD": 0.7, "HI": 0.3}, {"AD": 0.9, "HI": 0.1}, {"AD": 0.5, "HI": 0.5})
    ringing = dataclasses.replace(found(*views, AD=0.7, HI=0.3), alarms=(alarm,))
    silent = dataclasses.replace(ringing, alarms=(dataclasses.replace(alarm, threshold=0.4),))
    assert decisive(ringing) == (Condition.HI, 1) and decisive(silent) == (Condition.AD, 0)


def test_the_map_is_how_the_log_odds_change_with_the_feature_map():
    """Grad-CAM by its definition: the gradient's mean times the feature map, here by finite differences."""
    rng, step = np.random.default_rng(1), 1e-4
    maps, weight, bias = rng.normal(size=(3, 8, 2, 2)), rng.normal(size=(6, 8)), rng.normal(size=6)

    def odds(features: np.ndarray, condition: Condition) -> np.ndarray:
        share = softmax(features @ weight.T + bias)[:, CONDITIONS.index(condition)]
        return np.log(share / (1 - share))

    features = maps.mean(axis=(2, 3))
    for condition in Condition:
        slope = [
            (odds(features + step * unit, condition) - odds(features - step * unit, condition)) / (2 * step)
            for unit in np.eye(8)
        ]
        expected = (
            np.einsum("cn,nchw->nhw", slope, maps) / 4
        )  # each field has a quarter of a feature's gradient
        assert maps_of(evidence_of(maps, weight, bias), condition) == pytest.approx(expected, abs=1e-6)


def test_evidence_of_the_fields_sums_to_the_logits(classifier):
    views = np.stack([cv2.resize(scene, (224, 224)) for scene in SCENES[:2]])
    evidence = evidence_of(classifier.feature_maps(views), classifier._weight, classifier._bias)
    assert evidence.fields.shape == (2, 7, 7, 6)
    assert softmax(evidence.logits) == pytest.approx(
        classifier.probabilities(features_of(classifier.feature_maps(views)))
    )


def test_a_class_without_photos_does_not_disturb_the_map():
    """Its bias is -1000: without a common reference its exponential would be lost."""
    evidence = Evidence(np.ones((1, 2, 2, 6)), np.array([[1.0, 2.0, 0.5, -1000.0, 0.0, 0.0]]))
    assert all(np.isfinite(maps_of(evidence, condition)).all() for condition in Condition)


def blank(views: int) -> Evidence:
    """Return evidence for AD that grows from the upper left to the lower right corner."""
    fields = np.zeros((views, 7, 7, 6))
    fields[..., 0] = np.arange(49).reshape(7, 7)
    return Evidence(fields, np.zeros((views, 6)))


def test_red_is_the_whole_photo_and_green_is_inside_the_deciding_box():
    photo = SCENES[0]
    drawn = picture(photo, (BOX,), found({"AD": 0.9}, {"AD": 0.9}, AD=0.9), blank(2))
    assert max(drawn.shape) == 256 and not drawn[..., 2].any()
    assert drawn[..., 0].max() > 200 and drawn[..., 1].max() > 200
    outside = drawn[..., 1].copy()
    third = photo.shape[1] / drawn.shape[1]
    x, y, side = int(BOX.x / third), int(BOX.y / third), int(BOX.width / third) + 1
    outside[y : y + side + 1, x : x + side + 1] = 0
    assert not outside.any()
    assert not picture(photo, (), found({"AD": 0.9}, AD=0.9), blank(1))[..., 1].any()


def test_the_box_that_decided_has_its_own_map():
    views = ({"AD": 0.9}, {"AD": 0.2}, {"AD": 0.8})
    other = Box(x=0, y=0, width=64, height=64, skin=1.0, lesion=0.5)
    evidence = blank(3)
    evidence.fields[1] = 0  # of the other box
    assert picture(SCENES[0], (other, BOX), found(*views, AD=0.9), evidence)[..., 1].any()


def test_a_condition_without_support_has_an_empty_map():
    against = dataclasses.replace(blank(1), fields=-blank(1).fields)
    assert not picture(SCENES[0], (), found({"AD": 0.9}, AD=0.9), against).any()


def test_the_map_is_a_small_png_without_metadata(classifier):
    ((opinion, evidence),) = classifier.with_evidence([SCENES[0]], [[BOX]])
    attribution, png = explain(SCENES[0], (BOX,), opinion, evidence, "photos/x/attribution.png")
    assert (attribution.condition, attribution.box) == decisive(opinion) and len(png) < 30_000
    chunks, at = [], 8
    while at < len(png):
        chunks.append(png[at + 4 : at + 8])
        at += 12 + int.from_bytes(png[at : at + 4])
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}
    assert cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).shape[1] == 256


def test_the_map_depends_on_the_parameters_of_the_network():
    """Adebayo et al. 2018: a map that stays after the parameters change shows the photo's edges, not the network."""
    figures = sanity.check(weights.published("classification"), SCENES, [str(i) for i in range(len(SCENES))])
    assert list(figures)[0] == "head" and list(figures)[-1] == "conv_stem" and len(figures) == 10
    assert all(figure["n"] >= len(SCENES) // 2 for figure in figures.values())
    assert abs(figures["conv_stem"]["value"]) < 0.4
    assert min(figure["value"] for figure in figures.values()) < 0.3


def test_a_map_that_only_shows_the_photo_fails_the_sanity_check(monkeypatch):
    def edges(network, views, conditions):
        return np.stack([cv2.resize(cv2.Laplacian(v[..., 0], cv2.CV_32F), (7, 7)) for v in views])

    monkeypatch.setattr(sanity, "maps_by", edges)
    figures = sanity.check(weights.published("classification"), SCENES[:3], ["a", "b", "c"])
    assert {figure["value"] for figure in figures.values()} == {1.0}
