"""Other features against the shipped ones: who is scored, what counts as a gain, what the page says."""

from __future__ import annotations

import numpy as np
import pytest

from contract.signs import SignName
from inference_worker.models.classification import CLASSES, FEATURES
from training import features, probe, variants
from training.variant_looks import LARGER, STRIDE_16, EarlierLayers, Looks
from training.variants_page import page

HI_TASK, NOT_AD = variants.MEASURES
LABELS = ["AD", "HI", "IM", "OTHER"] * 8
GROUPS = [f"person{i}" for i in range(len(LABELS))]


def noise(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(LABELS), 40))


def separating() -> np.ndarray:
    """Return features in which each class has a direction of its own."""
    directions = np.random.default_rng(7).normal(size=(len(CLASSES), 40))
    return 3 * directions[[CLASSES.index(label) for label in LABELS]] + noise()


@pytest.fixture(scope="module")
def figures():
    others = {"separating": separating(), "the same": noise()}
    measures = variants.figures_of(noise(), others, LABELS, GROUPS)
    return {"measures": measures, "model": "m", "photos": "AD 8 of 8", "lite2": False, "adaptation": {}}


def test_features_that_tell_the_classes_gain_surely(figures):
    for measure, n in ((HI_TASK, 24), (NOT_AD, 24)):
        own = figures["measures"][measure]["separating"]
        assert own["auc"]["value"] > 0.95 and own["gain"]["low"] > 0 and own["gain"]["n"] == n


def test_the_same_features_gain_nothing_on_any_draw(figures):
    gain = figures["measures"][HI_TASK]["the same"]["gain"]
    assert (gain["value"], gain["low"], gain["high"]) == (0, 0, 0)
    assert "gain" not in figures["measures"][HI_TASK][variants.BASE]


def test_a_photo_without_whose_group_its_class_vanishes_is_not_scored():
    groups = [
        "one household" if label == "AD" else group for label, group in zip(LABELS, GROUPS, strict=True)
    ]
    own = variants.figures_of(noise(), {"separating": separating()}, LABELS, groups)
    assert own[NOT_AD]["separating"]["auc"] == {"value": None, "low": None, "high": None, "n": 16}
    assert own[HI_TASK]["separating"]["gain"]["n"] == 16


def test_the_page_names_what_passed_and_adopts_nothing(figures):
    text = page(figures)
    above = next(line for line in text.splitlines() if line.startswith("- Lower bound above 0"))
    assert f"separating ({HI_TASK}: **+" in above and "the same" not in above
    assert "Nothing is adopted" in text and "was not installed" in text
    assert "was not installed" not in page(figures | {"lite2": True})


def test_a_variant_appends_to_the_shipped_features_or_is_their_mean():
    rng = np.random.default_rng(2)
    widths = {"mirrored": FEATURES, "larger": FEATURES, "layers": 176, "signs": 7, "lite2": FEATURES}
    base, looks = np.ones((3, FEATURES)), {name: rng.normal(size=(3, k)) for name, k in widths.items()}
    found = list(variants.variants_of(base, looks).values())
    repeated = FEATURES + FEATURES // 7 * 7
    assert [own.shape[1] - FEATURES for own in found] == [7, repeated - FEATURES, STRIDE_16, 176, 0, 0, 0]
    assert found[4] == pytest.approx((1 + looks["larger"]) / 2)
    assert len(variants.variants_of(base, {k: v for k, v in looks.items() if k != "lite2"})) == 6


def test_each_look_is_one_row_and_a_photo_without_lesion_has_no_signs(monkeypatch):
    sizes = []

    def extractor(network):
        width = 176 if isinstance(network, EarlierLayers) else FEATURES

        def extract(views):
            sizes.append(views.shape[1])
            return np.full((len(views), width), views.mean(), np.float32)

        return extract

    monkeypatch.setattr(features, "of", extractor)
    bare = Looks(lambda photos: [np.ones(p.shape[:2], np.uint8) for p in photos], backbone=None)
    found = bare(np.full((300, 400, 3), 128, np.uint8))
    assert {name: own.shape for name, own in found.items()} == {
        "mirrored": (FEATURES,),
        "larger": (FEATURES,),
        "layers": (176,),
        "signs": (len(SignName),),
    }
    assert not found["signs"].any() and sizes == [224, LARGER, 224]


def test_earlier_layers_are_the_means_of_three_maps():
    torch = pytest.importorskip("torch")
    backbone = features.Network().backbone.eval()
    with torch.inference_mode():
        assert EarlierLayers(backbone)(torch.zeros(1, 3, 224, 224)).shape == (1, 176)


def test_a_probe_has_the_width_of_its_features():
    assert probe.fit(noise(), LABELS).weight.shape == (len(CLASSES), 40)
