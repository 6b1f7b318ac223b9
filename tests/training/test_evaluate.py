"""Figures that can be recomputed by hand."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from contract.alarms import Alarm, Condition
from contract.messages import Abstention, Classified, ModelRef
from training import evaluate, mask_scores, thresholds, tone
from training.classification_figures import classification_figures, rings
from training.data import Row, read_rows
from training.phantom.__main__ import main as draw_phantoms
from training.statistics import bootstrap, wilson

MODEL = ModelRef(name="m", version="1", sha256="0")


def row(label, group):
    return Row("x.jpg", "x.jpg", None, label, "evaluate", "here", "", group, "", "")


def opinion(top, **probabilities):
    full = dict.fromkeys(Condition, 0.0) | probabilities
    return Classified(
        probabilities={str(k): v for k, v in full.items()},
        views=(),
        thresholds={"HI": 0.2},
        alarms=(Alarm(condition=Condition.HI, score=full[Condition.HI], threshold=0.2),),
        top=top and Condition(top),
        abstention=None if top else Abstention.UNCERTAIN,
        demonstration=True,
        model=MODEL,
    )


def test_wilson_agrees_with_the_textbook():
    assert wilson(8, 10) == pytest.approx((0.490, 0.943), abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(10, 10)[1] == pytest.approx(1.0)


def test_photos_of_one_person_are_resampled_together_and_widen_the_interval():
    hits = np.array([1.0] * 20 + [0.0] * 20)
    alone = bootstrap(lambda i: hits[i].mean(), [str(n) for n in range(40)])
    four_people = bootstrap(lambda i: hits[i].mean(), [str(n // 10) for n in range(40)])
    assert alone["value"] == four_people["value"] == 0.5 and alone["n"] == 40
    assert four_people["high"] - four_people["low"] > 1.5 * (alone["high"] - alone["low"])


def test_the_same_photos_give_the_same_figures():
    groups = [str(n) for n in range(12)]
    values = np.arange(12.0)
    assert bootstrap(lambda i: values[i].mean(), groups) == bootstrap(lambda i: values[i].mean(), groups)


def test_a_perfect_mask_scores_one_and_a_missed_lesion_zero():
    truth = np.ones((480, 640), np.uint8)
    truth[100:300, 100:400] = 2
    perfect, blind = mask_scores.score_mask(truth, truth), mask_scores.score_mask(np.ones_like(truth), truth)
    assert (perfect.skin_iou, perfect.lesion_iou) == (1, 1) and perfect.patches[0] > 0
    assert (blind.skin_iou, blind.lesion_iou) == (1, 0) and blind.patches[0] == 0 < blind.patches[1]


def test_unknown_pixels_are_not_counted():
    truth, found = np.ones((60, 80), np.uint8), np.ones((60, 80), np.uint8)
    truth[:, :40], found[:, :40] = 255, 2
    assert mask_scores.score_mask(found, truth).skin_iou == 1


def test_if_only_lesions_were_outlined_the_rest_is_no_lesion_and_skin_is_not_evaluated():
    truth = np.full((60, 80), 255, np.uint8)
    truth[:30] = 2
    score = mask_scores.score_mask(np.full((60, 80), 2, np.uint8), truth)
    assert score.lesion_iou == 0.5 and np.isnan(score.skin_iou)


def test_the_colour_baseline_finds_red_on_light_skin_and_nothing_on_grey():
    photo = np.full((200, 300, 3), (225, 180, 155), np.uint8)
    photo[60:140, 100:200] = (190, 110, 100)
    photo[:, 250:] = (90, 120, 200)
    found = thresholds.class_map(photo)
    assert (found[60:140, 100:200] == 2).mean() > 0.9 and (found[:50, :90] == 1).mean() > 0.9
    assert not found[:, 260:].any()
    assert not thresholds.class_map(np.full((60, 60, 3), 128, np.uint8)).any()


def segmentation(rows, segmenter) -> dict:
    return evaluate.segmentation(rows, evaluate.judge_masks(rows, segmenter))


def test_the_network_is_compared_with_the_colour_baseline_on_the_same_photos(monkeypatch, tmp_path):
    draw_phantoms(["--out", str(tmp_path), "--count", "4", "--size", "200"])
    rows = read_rows(tmp_path / "manifest.csv", tmp_path)
    as_colour = segmentation(rows, lambda photos: [thresholds.class_map(p) for p in photos])
    assert all(own["value"] == 0 for own in as_colour["gain_over_colour"].values() if own["n"])
    assert as_colour["colour_alone"]["lesion_iou"] == as_colour["lesion_iou"]
    blind = segmentation(rows, lambda photos: [np.zeros(p.shape[:2], np.uint8) for p in photos])
    assert (
        blind["gain_over_colour"]["skin_iou"]["value"]
        == -blind["colour_alone"]["skin_or_lesion_iou"]["value"]
    )
    assert blind["skin_or_lesion_below_80"]["value"] == 1.0


def test_darker_skin_has_a_smaller_angle_and_photos_are_sorted_into_thirds():
    skin = np.ones((40, 40), bool)
    angles = [
        tone.typology_angle(np.full((40, 40, 3), colour, np.uint8), skin)
        for colour in ((240, 205, 185), (190, 140, 110), (90, 60, 45))
    ]
    assert angles[0] > 41 > angles[1] > angles[2] and angles[2] < -10
    assert np.isnan(tone.typology_angle(np.zeros((40, 40, 3), np.uint8), ~skin))
    sorted_ = tone.thirds(np.array([*angles, np.nan]))
    assert [own.tolist() for own in sorted_.values()] == [[2], [1], [0]]


def test_a_patch_needs_over_80_percent_skin_and_over_10_percent_lesion():
    mask = np.zeros((480, 640), np.uint8)
    mask[:, :128] = 1
    mask[:128, :12] = 2  # 9.4 % of the first patch
    assert not mask_scores.patches(mask).any()
    mask[:128, :14] = 2  # 10.9 %
    assert np.argwhere(mask_scores.patches(mask)).tolist() == [[0, 0]]
    mask[:128, 102:128] = 0  # 79.7 % skin
    assert not mask_scores.patches(mask).any()


def test_all_128_px_patches_at_half_overlap_are_used():
    assert mask_scores.patches(np.full((480, 640), 2, np.uint8)).shape == (6, 9)


ROWS = [row("AD", "a"), row("AD", "b"), row("HI", "c"), row("HI", "d"), row("NORMAL", "e")]
TOLD = [
    opinion("AD", AD=0.9, HI=0.1),
    opinion(None, AD=0.4, HI=0.3, OTHER=0.3),
    opinion("HI", HI=0.9, AD=0.1),
    opinion("AD", AD=0.8, HI=0.2),
    opinion("OTHER", OTHER=1.0),
]


def test_abstention_is_a_separate_outcome():
    figures = classification_figures(ROWS, TOLD)
    value = {name: figure["value"] for name, figure in figures.items()}
    assert (value["sensitivity"], value["specificity"]) == (0.5, 0.5)
    assert (value["sensitivity_answered"], value["specificity_answered"]) == (0.5, 1.0)
    assert (value["sensitivity_forced"], value["specificity_forced"]) == (0.5, 1.0)
    assert (value["recall.AD"], value["abstain_rate.AD"], value["wrong_and_confident.AD"]) == (0.5, 0.5, 0.0)
    assert (value["recall.HI"], value["abstain_rate.HI"], value["wrong_and_confident.HI"]) == (0.5, 0.0, 0.5)
    assert value["recall.NORMAL"] == 1.0  # healthy skin is rightly "other"
    assert value["balanced_accuracy"] == pytest.approx((0.5 + 0.5 + 1) / 3, abs=1e-4)
    assert value["auc_not_ad"] == 0.75
    assert figures["recall.HI"]["n"] == 2


def test_each_accuracy_has_its_answered_share():
    """Right on all that it answered, and it answered half: without the share that reads like a model that knows."""
    figures = classification_figures(ROWS, TOLD)
    assert figures["specificity_answered"]["value"] == 1.0
    assert figures["specificity_answered_share"]["value"] == 0.5
    assert figures["sensitivity_answered_share"]["value"] == 1.0
    assert figures["balanced_accuracy_answered_share"]["value"] == 0.8
    line = {row.split()[0]: row for row in evaluate.table(figures).splitlines()}
    for name in ("specificity", "specificity_answered", "recall.AD"):
        assert line[name].endswith("answered 0.500")
    assert line["recall_forced.AD"].endswith("answered 1.000") and "answered" not in line["auc_not_ad"]


def test_the_probability_of_other_does_not_change_the_order_of_the_four():
    rows = [row("AD", "a"), row("HI", "b")]
    opinions = [opinion(None, AD=0.2, HI=0.1, OTHER=0.7), opinion(None, AD=0.3, HI=0.6, OTHER=0.1)]
    assert classification_figures(rows, opinions)["auc_not_ad"]["value"] == 1.0  # 1 - P(AD) says .0
    assert classification_figures(rows, opinions)["auc_hi_of_ad"]["value"] == 1.0


def test_an_interval_of_none_wrong_is_not_empty():
    figures = classification_figures(ROWS, TOLD)
    own = figures["wrong_and_confident.AD"]
    assert (own["value"], own["low"]) == (0.0, 0.0) and own["high"] > 0.6  # two persons


def test_an_alarm_has_a_likelihood_ratio_against_ad_and_other_and_against_ad_alone():
    rows = [row(label, f"{label}{i}") for label in ("HI", "AD", "OTHER") for i in range(20)]
    opinions = [
        opinion(None, HI=0.9 if i % 20 < share else 0.0)
        for i, share in enumerate([16] * 20 + [4] * 20 + [8] * 20)
    ]
    figures = classification_figures(rows, opinions)
    whole, ad = (figures[f"alarm_HI_likelihood_ratio{end}"] for end in ("", "_ad"))
    assert whole["value"] == pytest.approx(16 / 20 / (12 / 40), abs=1e-3) and whole["n"] == 60
    assert ad["value"] == pytest.approx(4.0) and ad["n"] == 40 and ad["low"] > 1.5
    assert "alarm_MF_likelihood_ratio" not in figures


def test_an_alarm_of_a_condition_that_the_weights_have_none_for_is_silent():
    assert rings(opinion(None, HI=0.2), "HI") and not rings(opinion(None, HI=0.19), "HI")
    assert not rings(opinion(None, MF=0.9), "MF")


def test_figures_are_told_by_thirds_of_skin_tone():
    rows = [row("AD", str(i)) for i in range(6)]
    opinions = evaluate.Judged(rows, [opinion("AD", AD=1.0)] * 6, np.array([-40.0, 50, 10, 45, np.nan, -50]))
    by = evaluate.classification(opinions)["by_tone_third"]
    assert {name: own["recall.AD"]["n"] for name, own in by.items()} == {
        "darkest third": 2,
        "middle third": 2,
        "lightest third": 1,
    }


def test_an_alarm_counts_even_if_no_condition_is_named():
    """An alarm raises urgency, so that a weak one costs a clinic its same-day hours, whatever the model abstains on."""
    figures = classification_figures(ROWS, TOLD)
    alarms = {name: figures[f"alarm_HI.{name}"]["value"] for name in ("AD", "HI", "NORMAL")}
    assert alarms == {"AD": 0.5, "HI": 1.0, "NORMAL": 0.0}
    assert "alarm_MF.HI" not in figures  # these weights have no such alarm; 0 would say that it misses all


def test_a_figure_that_cannot_be_measured_is_null_and_not_zero():
    figures = classification_figures(ROWS[-1:], TOLD[-1:])
    assert figures["sensitivity"] == {"value": None, "low": None, "high": None, "n": 0}


@pytest.mark.parametrize("what", ["segmentation", "classification"])
def test_the_command_gives_the_same_figures_twice_for_a_folder_of_phantoms(what, tmp_path, capsys):
    draw_phantoms(["--out", str(tmp_path), "--count", "4", "--size", "320", "--seed", "50"])
    outputs = []
    for name in ("one.json", "two.json"):
        where = [
            "--manifest",
            str(tmp_path / "manifest.csv"),
            "--root",
            str(tmp_path),
            "--json",
            str(tmp_path / name),
        ]
        evaluate.main([what, *where, "--device", "cpu"])
        outputs.append((tmp_path / name).read_bytes())
    figures = json.loads(outputs[0])
    key = "skin_or_lesion_iou" if what == "segmentation" else "balanced_accuracy"
    assert outputs[0] == outputs[1] and figures[key]["n"] == 4 and 0 <= figures[key]["value"] <= 1
    assert key in capsys.readouterr().out


def measure(folder, what, text, *more):
    """Write a manifest beside two photos and a mask, measure it, and return the figures."""
    (folder / "m.csv").write_bytes(text.encode())
    grey = np.full((90, 120), 150, np.uint8)
    for name in ("a.png", "b.png", "skin.png"):
        cv2.imwrite(str(folder / name), np.ones_like(grey) if name == "skin.png" else grey)
    where = [
        "--manifest",
        str(folder / "m.csv"),
        "--root",
        str(folder),
        "--json",
        str(folder / "new/out.json"),
    ]
    evaluate.main([what, *where, "--device", "cpu", *more])
    return json.loads((folder / "new/out.json").read_text())


def test_a_manifest_of_another_hospital_is_measured(tmp_path):
    """A spreadsheet wrote it: byte order mark, additional columns, no optional ones; the PNGs are grey."""
    figures = measure(tmp_path, "classification", "\ufeffclass,file,ward\r\nAD,a.png,7\r\nHI, b.png ,\r\n")
    assert figures["recall.AD"]["n"] == figures["recall.HI"]["n"] == 1 and figures["by_source"] == {}
    figures = measure(tmp_path, "segmentation", "mask,image,source\nskin.png,a.png,elsewhere\n,b.png,\n")
    assert figures["skin_or_lesion_iou"]["n"] == 1 and list(figures["by_source"]) == ["elsewhere"]


@pytest.mark.parametrize(
    ("what", "text", "message"),
    [
        ("classification", "file,class\na.png,AD\nb.png,eczema\n", r"it has 'eczema' \(1 lines\)"),
        ("classification", "file,class\na.png,AD\nb.png\n", r"it has '' \(1 lines\)"),
        ("classification", "file,class\na.png,AD\ngone.png,HI\n", r"1 files are missing, first .*gone\.png"),
        ("classification", "file,class\nm.csv,AD\n", r"m\.csv: missing or not an image"),
        ("classification", "file,class,tone\na.png,AD,brown\n", "line 2: .*'brown'"),
        ("classification", "file,class\n,AD\n", "line 2: names no file"),
        ("classification", "photo;truth\na.png;AD\n", "needs the columns"),
        ("segmentation", "file,class\na.png,AD\n", "no line names a mask"),
        ("segmentation", "image,mask\na.png,b.png\n", r"b\.png: a mask has 0, 1, 2 .*; this one has 150"),
    ],
)
def test_an_unusable_manifest_is_explained_in_a_sentence(what, text, message, tmp_path):
    with pytest.raises(SystemExit, match=message):
        measure(tmp_path, what, text)


def test_an_unknown_use_is_reported_with_the_existing_ones(tmp_path):
    with pytest.raises(SystemExit, match=r"no line of use 'evaluate'; it has \['test'\]"):
        measure(tmp_path, "classification", "file,class,use\na.png,AD,test\n", "--use", "evaluate")
