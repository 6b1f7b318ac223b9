"""The page of an evaluation: what it shows can be counted by hand, and it holds no photo."""

from __future__ import annotations

import re

import numpy as np
import pytest

from contract.alarms import Alarm, Condition
from contract.messages import Abstention, Classified, ModelRef
from training import evaluate, evaluation_page, inline_plots
from training.classification_figures import classification_figures
from training.data import Row
from training.mask_scores import MaskScore

NAMES = ["AD", "HI", "IM", "MF", "OTHER"]


def row(label, folder, number=0):
    name = f"{label} {number}.jpg"
    return Row(
        name, folder / "photos" / name, None, label, "evaluate", "here", "", f"{label}{number}", "", ""
    )


def opinion(top=None, **probabilities):
    return Classified(
        probabilities={str(k): v for k, v in (dict.fromkeys(Condition, 0.0) | probabilities).items()},
        views=(),
        thresholds={"HI": 0.5},
        alarms=(Alarm(condition=Condition.HI, score=probabilities.get("HI", 0.0), threshold=0.5),),
        top=top and Condition(top),
        abstention=None if top else Abstention.UNCERTAIN,
        demonstration=True,
        model=ModelRef(name="m", version="1", sha256="0"),
    )


def judged(folder):
    rows = [row(name, folder, i) for name in NAMES for i in range(3)]
    opinions = [
        opinion("AD" if name == "AD" else None, **{name: 0.7 if name == "HI" else 0.6, "OTHER": 0.3})
        for name in NAMES
        for _ in range(3)
    ]
    opinions[3] = opinion(HI=0.01, AD=0.99)  # a herpes that the model takes for AD
    return evaluate.Judged(rows, opinions, np.linspace(-50, 50, 15))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def page(folder):
    own = judged(folder)
    figures = evaluate.classification(own) | {"model": "classification 1 abc"}
    return evaluation_page.classification_page(
        figures, own, folder / "out" / "page.html", ["classification", "--manifest", "m y.csv"]
    )


def test_a_curve_begins_at_nobody_and_ends_at_everybody():
    score, positive = np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False])
    assert inline_plots.roc_points(score, positive) == [(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)]
    assert inline_plots.roc_points(score, np.ones(4, bool)) == []


def test_photos_of_one_score_are_one_step_of_the_curve():
    score, positive = np.array([0.5, 0.5, 0.5, 0.5]), np.array([True, False, True, False])
    assert inline_plots.roc_points(score, positive) == [(0, 0), (1, 1)]


def test_reliability_tells_the_share_among_photos_told_alike():
    p = np.repeat(np.linspace(0.1, 0.8, inline_plots.BINS), 10)
    hits = np.tile(np.arange(10) < 3, inline_plots.BINS)
    found = inline_plots.reliability_points(p, hits)
    assert [round(x, 3) for (x, _), _ in found] == [
        round(v, 3) for v in np.linspace(0.1, 0.8, inline_plots.BINS)
    ]
    assert {y for (_, y), _ in found} == {0.3} and all(low < 0.3 < high for _, (low, high) in found)


def test_a_share_below_each_overlap_leaves_out_photos_that_cannot_be_judged():
    assert inline_plots.below_points(np.array([0.5, np.nan, 0.2])) == [(0.2, 0.5), (0.5, 1.0)]


def test_the_page_needs_nothing_but_itself_and_holds_no_photo(page):
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses and all(address.startswith("../photos/") for address in addresses)
    assert "<script" not in page and "url(" not in page and "data:" not in page
    assert page.count("<svg") == 3 and page.count("<circle") > 1 and "../photos/HI%200.jpg" in addresses


def test_the_herpes_that_was_taken_for_ad_is_the_worst_photo(page):
    worst = page.split("Least expected")[1]
    first = re.findall(r"<td>([^<]+)</td>", worst.split("</tr>")[1])
    assert ">HI 0.jpg<" in worst.split("</tr>")[1] and first == ["HI", "no answer", "AD", "-", "0.010"]


def test_the_confusion_counts_also_those_without_an_answer():
    truth = np.array(["AD", "AD", "HI"])
    table = evaluation_page._confusion(truth, np.array(["AD", "no answer", "AD"]), ("AD", "HI", "no answer"))
    assert table["rows"] == [["AD", 1, 0, 1, 2], ["HI", 1, 0, 0, 1]]


def test_an_alarm_that_rings_stands_beside_the_truth(tmp_path):
    own = judged(tmp_path)
    table = evaluation_page._alarm_table(np.array([r.label for r in own.rows]), own.opinions)
    opinions = {line[0]: line[1:] for line in table["rows"]}
    assert table["head"] == ["truth", "HI", "none", "n"]  # no column for an alarm that is never sent
    assert opinions["HI"] == [2, 1, 3] and opinions["AD"] == [0, 3, 3]


def test_thirds_of_tone_all_figures_and_the_command_stand_on_the_page(page, folder):
    for part in ("darkest third", "lightest third", "alarm_HI_likelihood_ratio", "auc_not_ad"):
        assert part in page
    assert "python -m training.evaluate classification --manifest &#39;m y.csv&#39;" in page
    own = classification_figures(judged(folder).rows, judged(folder).opinions)["recall.AD"]
    cells = "".join(f"<td>{own[key]:.3f}</td>" for key in ("value", "low", "high"))
    assert f"<td>recall.AD</td>{cells}<td>3</td><td>1.000</td>" in page


def test_the_lowest_overlaps_are_listed_by_name_and_a_photo_without_skin_is_not(tmp_path):
    rows = [row("AD", tmp_path, i) for i in range(3)]
    scores = [MaskScore(skin, lesion, (1, 0, 0)) for skin, lesion in ((0.9, 0.2), (np.nan, 0.7), (0.4, 0.6))]
    measured = [evaluate.Measured(score, score, 20.0 * i) for i, score in enumerate(scores)]
    figures = evaluate.segmentation(rows, measured) | {"model": "segmentation 1 abc"}
    page = evaluation_page.segmentation_page(
        figures, rows, measured, tmp_path / "page.html", ["segmentation"]
    )
    skin, lesion = page.split("Lowest overlap: ")[1:]
    assert re.findall(r'href="photos/AD%20(\d)', skin) == ["2", "0"]
    assert re.findall(r'href="photos/AD%20(\d)', lesion) == ["0", "2", "1"]
    assert page.count("<svg") == 1 and "gain over colour" in page
