"""The linear probe: which pictures teach it, what it learns, where its alarm line lies."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from inference_worker.models.classification import CLASSES, CONDITIONS, FEATURES
from inference_worker.models.torch_networks import Network
from training import classify, heads, probe
from training.data import ForbiddenRowError

HI, IM = CONDITIONS.index("HI"), CONDITIONS.index("IM")
LABELS = ["AD", "HI", "OTHER", "NORMAL"] * 5


def features_of(labels, seed=1) -> np.ndarray:
    """Return features (N, 1280) in which each class has a direction of its own, and noise."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(7).normal(size=(len(CLASSES), FEATURES))
    return directions[[CLASSES.index(label) for label in labels]] + rng.normal(
        0, 1.5, (len(labels), FEATURES)
    )


# --- Pictures ---------------------------------------------------------------------------------------------
PICTURES = [  # class, use, tier, group, licence
    ("AD", "train", "open", "book:a", "CC BY 4.0 (book); an author"),
    ("MF", "train", "nc", "atlas:b", "CC BY-NC-SA 3.0 (publisher)"),
    ("AD", "train", "open", "commons_c1", "CC BY-SA 3.0; author Somebody; privacy: arm only"),
    ("OTHER", "train", "open", "commons_c2", "Public domain; author Nobody"),
    ("NORMAL", "train", "unclear", "things:d", "rights with photographers"),
    ("HI", "evaluate", "", "shown:e", "evaluation only"),
]


@pytest.fixture
def data(tmp_path) -> Path:
    (tmp_path / "cls").mkdir()
    with (tmp_path / "cls/manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "class", "use", "licence_tier", "group", "licence", "source"])
        writer.writerows((f"{n}.jpg", *own, "a source") for n, own in enumerate(PICTURES))
    return tmp_path


def test_the_two_share_alike_licences_never_teach_one_head(data):
    taught = {head: [row.group for row in heads.rows_of(head, data)] for head in heads.HEADS}
    assert taught["research"] == ["book:a", "atlas:b"]
    assert taught["open"] == ["book:a", "commons_c1", "commons_c2"]


def test_a_mixture_of_the_two_is_refused_wherever_it_comes_from(data, monkeypatch):
    monkeypatch.setitem(heads.HEADS, "open", lambda row: row.tier != "unclear")
    with pytest.raises(ForbiddenRowError, match="CC BY-SA and under CC BY-NC-SA"):
        heads.rows_of("open", data)


def test_each_picture_is_credited_with_source_author_and_licence(data):
    lines = heads.credits_of(heads.rows_of("open", data))
    assert len(lines) == 3 and "AD 2.jpg: a source; CC BY-SA 3.0; author Somebody" in lines


# --- The fit ----------------------------------------------------------------------------------------------
def test_the_layer_tells_classes_and_what_was_standardised_is_folded_into_it():
    probe_ = probe.fit(10 + 3 * features_of(LABELS), LABELS)
    predicted = probe_.probabilities(10 + 3 * features_of(LABELS, seed=2)).argmax(axis=1)
    truth = [min(CLASSES.index(label), len(CONDITIONS) - 1) for label in LABELS]
    assert np.mean(predicted == truth) > 0.9


def test_the_same_photos_give_the_same_bytes():
    one, two = (probe.fit(features_of(LABELS), LABELS) for _ in range(2))
    assert one.weight.tobytes() == two.weight.tobytes() and one.bias.tobytes() == two.bias.tobytes()


def test_a_class_with_one_photo_weighs_as_much_as_one_with_many():
    labels = ["OTHER"] * 30 + ["MF"]
    fitted = probe.fit(features_of(labels), labels)
    p = fitted.probabilities(features_of(["MF"] * 10, seed=3))
    assert p[:, CONDITIONS.index("MF")].mean() > 0.4  # without weights of classes about 1 in 31


def test_a_class_without_a_photo_has_no_probability():
    fitted = probe.fit(features_of(LABELS), LABELS)
    assert not fitted.probabilities(features_of(LABELS))[:, CONDITIONS.index("MF")].any()
    assert not fitted.means[CLASSES.index("MF")].any()


def test_one_class_alone_teaches_nothing():
    with pytest.raises(probe.TooFewPhotosError, match="OTHER alone"):
        probe.fit(features_of(["OTHER"] * 3), ["OTHER"] * 3)


def test_the_network_answers_as_the_fitted_layer_does():
    fitted = probe.fit(features_of(LABELS), LABELS)
    network = fitted.write_into(Network())
    x = features_of(LABELS[:4], seed=5)
    logits = network.head(network.head.weight.new_tensor(x)).detach().numpy()
    assert logits == pytest.approx(x @ fitted.weight.T + fitted.bias, abs=1e-3)


# --- Left out in turn -------------------------------------------------------------------------------------
def test_a_photo_without_whose_group_its_class_would_vanish_is_not_scored():
    """Such a probe has never seen the class: an AUC of .00 once came of scoring it."""
    labels, groups = ["AD", "AD", *["OTHER", "HI"] * 4], ["scene", "scene", *"abcdefgh"]
    found = probe.leave_one_group_out([row[None] for row in features_of(labels)], labels, groups)
    assert np.isnan(found.joint[:2]).all() and not np.isnan(found.joint[2:]).any()
    assert not np.isnan(found.far).any()


def test_nobody_is_scored_by_a_probe_of_the_own_group():
    rng = np.random.default_rng(4)
    labels, groups = ["AD", "HI", "OTHER"] * 8, [str(n // 3) for n in range(24)]
    noise = rng.normal(size=(24, FEATURES))  # nothing to learn but the photo itself
    photos = [row[None] for row in noise]
    own = probe.unseen(probe.fit(noise, labels), photos).joint.argmax(axis=1)
    left_out = probe.leave_one_group_out(photos, labels, groups).joint.argmax(axis=1)
    truth = [CONDITIONS.index(label) for label in labels]
    assert np.mean(own == truth) == 1 and np.mean(left_out == truth) < 0.7


def test_the_highest_view_is_the_one_that_shows_most():
    fitted = probe.fit(features_of(LABELS), LABELS)
    whole, crop = features_of(["OTHER", "HI"], seed=6)
    found = probe.unseen(fitted, [np.stack([whole, crop])])
    assert found.highest[0, HI] == pytest.approx(fitted.probabilities(crop[None])[0, HI])
    assert found.joint[0, HI] < found.highest[0, HI]


# --- Alarm lines ------------------------------------------------------------------------------------------
def scores(**columns) -> np.ndarray:
    found = np.zeros((len(next(iter(columns.values()))), len(CONDITIONS)))
    for name, values in columns.items():
        found[:, CONDITIONS.index(name)] = values
    return found


def test_an_alarm_rings_for_no_more_harmless_photos_than_its_budget():
    harmless = scores(HI=np.linspace(0, 1, 41))
    line = probe.alarm_lines(harmless, ["HI"], 0.15)["HI"]
    assert (harmless[:, HI] >= line).sum() == 6  # of 41


def test_all_alarms_share_one_budget():
    rng = np.random.default_rng(1)
    harmless = scores(HI=rng.random(200), IM=rng.random(200))
    lines = probe.alarm_lines(harmless, ["HI", "IM"], 0.15)
    rings = (harmless[:, [HI, IM]] >= [lines["HI"], lines["IM"]]).any(axis=1)
    assert 25 <= rings.sum() <= 30
    assert lines["HI"] > probe.alarm_lines(harmless, ["HI"], 0.15)["HI"]


def test_photos_that_score_alike_do_not_break_the_budget():
    line = probe.alarm_lines(scores(HI=[0.4] * 20), ["HI"], 0.15)["HI"]
    assert line > 0.4


def test_too_few_photos_draw_no_line():
    with pytest.raises(probe.TooFewPhotosError, match="6 photos"):
        probe.alarm_lines(scores(HI=[0.1] * 6), ["HI"], 0.15)


def test_lines_come_from_ad_and_other_alone_and_the_scope_from_all():
    labels = ["OTHER"] * 10 + ["HI"] * 10
    joint = scores(HI=[*np.linspace(0, 0.1, 10), *[0.9] * 10])
    left_out = probe.LeftOut(joint, joint, np.linspace(0, 1, 20))
    found = classify.calibration_of(left_out, labels, ["HI"])
    assert found["thresholds"]["HI"] < 0.2 and found["scope_distance"] == pytest.approx(0.95)
    assert found["alarms"] == {"HI": {}}
