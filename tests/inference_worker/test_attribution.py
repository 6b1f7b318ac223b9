"""The attribution map of a finding: it depends on the network, and it is at the stated place."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
import torch

from contract.alarms import Alarm, Condition
from contract.messages import Box, Classified, ModelRef, View
from inference_worker.models import engine, weights
from inference_worker.models.attribution import Attributor, decisive, log_odds, members
from inference_worker.models.classification import CONDITIONS, Classifier, softmax
from training import phantom, sanity

SCENES = [phantom.draw(seed, condition=name).photo for seed, name in enumerate(["AD", "HI", "IM", "MF"] * 2)]
BOX = Box(x=96, y=64, width=256, height=256, skin=1.0, lesion=0.5)


@pytest.fixture
def classifier():
    """A separate network for each test, since some change it."""
    return Classifier(weights.published("classification"), engine.select_device("cpu"))


@pytest.fixture
def attributor(classifier):
    return Attributor(classifier)


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


def test_the_map_explains_the_reported_probability():
    logits = np.random.default_rng(1).normal(size=(20, 6)) * 3
    for condition in Condition:
        odds = log_odds(torch.from_numpy(logits), members(condition)).numpy()
        share = softmax(logits)[:, CONDITIONS.index(condition)]
        assert 1 / (1 + np.exp(-odds)) == pytest.approx(share)


def test_red_is_the_whole_photo_and_green_is_inside_the_deciding_box(attributor):
    photo = SCENES[0]
    opinion = found({"AD": 0.9}, {"AD": 0.9}, AD=0.9)
    picture = attributor.picture(photo, (BOX,), opinion)
    assert max(picture.shape) == 256 and not picture[..., 2].any()
    assert picture[..., 0].max() > 200 and picture[..., 1].max() > 200
    outside = picture[..., 1].copy()
    third = photo.shape[1] / picture.shape[1]
    x, y, side = int(BOX.x / third), int(BOX.y / third), int(BOX.width / third) + 1
    outside[y : y + side + 1, x : x + side + 1] = 0
    assert not outside.any()
    assert not attributor.picture(photo, (), found({"AD": 0.9}, AD=0.9))[..., 1].any()


def test_a_condition_without_support_has_an_empty_map(attributor, monkeypatch):
    monkeypatch.setattr(Attributor, "__call__", lambda self, views, own: -np.ones((len(views), 7, 7)))
    assert not attributor.picture(SCENES[0], (), found({"AD": 0.9}, AD=0.9)).any()


def test_the_map_is_a_small_png_without_metadata(attributor, classifier):
    opinion = classifier([SCENES[0]], [[BOX]])[0]
    attribution, png = attributor.explain(SCENES[0], (BOX,), opinion, "photos/x/attribution.png")
    assert (attribution.condition, attribution.box) == decisive(opinion) and len(png) < 30_000
    chunks, at = [], 8
    while at < len(png):
        chunks.append(png[at + 4 : at + 8])
        at += 12 + int.from_bytes(png[at : at + 4])
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}
    assert cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).shape[1] == 256


def test_explaining_does_not_change_the_result(classifier):
    before = classifier(SCENES[:2], [[BOX], []])
    Attributor(classifier)(np.zeros((1, 224, 224, 3), np.uint8), Condition.HI)
    after = classifier(SCENES[:2], [[BOX], []])
    alike = [dataclasses.replace(one, seconds=0) for one in (*before, *after)]
    assert alike[:2] == alike[2:]


def test_the_map_depends_on_the_parameters_of_the_network(classifier):
    """Adebayo et al. 2018: a map that stays after the parameters change shows the photo's edges, not the network."""
    figures = sanity.check(classifier, SCENES, [str(i) for i in range(len(SCENES))])
    assert list(figures)[0] == "head" and list(figures)[-1] == "conv_stem" and len(figures) == 10
    assert all(figure["n"] >= len(SCENES) // 2 for figure in figures.values())
    assert abs(figures["conv_stem"]["value"]) < 0.4
    assert min(figure["value"] for figure in figures.values()) < 0.3


def test_a_map_that_only_shows_the_photo_fails_the_sanity_check(classifier, monkeypatch):
    def edges(self, views, own):
        return np.stack([cv2.resize(cv2.Laplacian(v[..., 0], cv2.CV_32F), (7, 7)) for v in views])

    monkeypatch.setattr(Attributor, "__call__", edges)
    figures = sanity.check(classifier, SCENES[:3], ["a", "b", "c"])
    assert {figure["value"] for figure in figures.values()} == {1.0}
