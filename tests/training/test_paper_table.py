"""The paper's table, computed from answers with known truth."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from training import paper_table
from training.arms import ARMS, AUTOMATIC, FOUR, ORIGINAL, TRUE_CROP, answer
from training.data import read_rows
from training.paper_table import Answers, figures_of, three_intervals, verdict
from training.phantom.__main__ import main as draw_phantoms
from training.statistics import resample_mean

TRUTH = np.array(["AD"] * 10 + ["HI"] * 4 + ["IM"] * 4 + ["MF"] * 2)


def answers(**named) -> Answers:
    """Every arm is right but for what is told otherwise."""
    arms = {arm: TRUTH.copy() for arm in ARMS} | {name: np.array(own) for name, own in named.items()}
    return Answers(TRUTH, [str(n) for n in range(len(TRUTH))], arms, has_truth=np.ones(len(TRUTH), bool))


def arm_of(labels: list[str]) -> dict:
    return figures_of(answers(original=labels), 0.05)["arms"][ORIGINAL]


def test_herpes_named_impetigo_counts_as_a_found_complication_and_a_missed_herpes():
    own = arm_of(["AD"] * 10 + ["IM"] * 4 + ["IM"] * 4 + ["MF"] * 2)
    assert own["sensitivity"]["value"] == 1.0 and own["recall.HI"]["value"] == 0.0
    assert own["specificity"]["value"] == own["recall.AD"]["value"] == 1.0


def test_a_photo_without_a_crop_counts_as_missed_and_not_as_answered():
    own = arm_of(["AD"] * 8 + [""] * 2 + ["HI"] * 4 + ["IM"] * 4 + ["MF"] * 2)
    assert own["specificity"]["value"] == 0.8 and own["specificity"]["no_crop"] == 2
    assert own["specificity"]["answered"]["value"] == 1.0 and own["specificity"]["answered"]["n"] == 8


def test_the_mean_of_resamples_has_a_narrower_interval_than_the_patients_justify():
    hits = np.array([1.0] * 30 + [0.0] * 10)
    own = three_intervals(hits, [str(n) for n in range(40)])
    assert own["wilson"] == pytest.approx([0.598, 0.858], abs=2e-3)
    assert own["resample_mean"][1] - own["resample_mean"][0] < 0.1 * (own["high"] - own["low"])
    assert resample_mean(lambda i: float(hits[i].mean()), ["one person"] * 40) == pytest.approx((0.75, 0.75))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.01, 0.2, "better"),
        (-0.04, 0.2, "not inferior"),
        (-0.2, 0.1, "open"),
        (-0.3, -0.06, "inferior"),
    ],
)
def test_a_difference_is_judged_by_its_interval_against_the_margin(low, high, said):
    assert verdict({"low": low, "high": high}, margin=0.05, persons=60) == said


def test_too_few_persons_are_inconclusive_even_if_every_answer_agrees():
    agreed = {"low": 0.0, "high": 0.0}
    assert [verdict(agreed, 0.05, persons) for persons in (59, 60)] == ["open", "not inferior"]


def test_a_crop_that_misses_herpes_is_inferior_only_for_herpes():
    truth = np.repeat(["AD", "HI", "IM", "MF"], 60)
    lost = np.where(truth == "HI", "", truth)
    arms = {arm: truth.copy() for arm in ARMS} | {AUTOMATIC: lost}
    named = Answers(truth, [str(n) for n in range(len(truth))], arms, has_truth=np.ones(len(truth), bool))
    pair = figures_of(named, 0.05)["non_inferiority"][f"{AUTOMATIC} against {TRUE_CROP}"]
    assert pair["recall.HI"]["verdict"] == "inferior" and pair["recall.HI"]["value"] == -1.0
    assert {pair[f"recall.{name}"]["verdict"] for name in ("AD", "IM", "MF")} == {"not inferior"}


def without_masks(has_truth) -> dict:
    """The true crop answers nothing where nobody drew it; every other arm is right."""
    has_truth = np.array(has_truth)
    named = answers(**{TRUE_CROP: np.where(has_truth, TRUTH, "")})
    return figures_of(dataclasses.replace(named, has_truth=has_truth), 0.05)


def test_an_arm_without_masks_is_left_out_and_nothing_is_better_than_it():
    figures = without_masks([False] * len(TRUTH))
    assert TRUE_CROP not in figures["arms"] and TRUE_CROP not in figures["base_rates"]
    assert list(figures["non_inferiority"]) == [f"{AUTOMATIC} against {ORIGINAL}"]
    page = paper_table.page(figures, "Title")
    assert f"| {TRUE_CROP} |" not in page and "better" not in page
    assert f"Left out: {TRUE_CROP}, as no photo has a true mask" in page


def test_photos_without_a_mask_count_neither_for_nor_against_the_true_crop():
    has_truth = [i % 2 == 0 for i in range(len(TRUTH))]
    figures = without_masks(has_truth)
    own = figures["arms"][TRUE_CROP]["sensitivity"]
    assert (own["value"], own["n"], own["no_crop"]) == (1.0, 5, 0)
    pair = figures["non_inferiority"][f"{AUTOMATIC} against {TRUE_CROP}"]["sensitivity"]
    assert (pair["value"], pair["n"]) == (0.0, 5)
    assert figures["arms"][ORIGINAL]["sensitivity"]["n"] == 10 and figures["left_out"] == {}


def test_base_rates_are_those_that_the_published_figures_come_to():
    arm = {"sensitivity": {"value": 0.865, "n": 1}, "specificity": {"value": 0.914, "n": 1}}
    rows = {row["prevalence"]: row for row in paper_table._base_rates(arm)}
    assert rows[0.2]["flagged"] == pytest.approx(242, abs=0.5) and rows[0.2]["ppv"] == pytest.approx(
        0.72, abs=0.01
    )
    assert rows[0.2]["missed"] == pytest.approx(27) and rows[0.05]["flagged"] == pytest.approx(125, abs=0.5)
    assert rows[0.01]["ppv"] == pytest.approx(0.09, abs=0.003)


def test_herpes_is_named_if_it_reaches_its_own_threshold():
    p = np.array([0.6, 0.15, 0.15, 0.05, 0.05])
    assert (answer(p), answer(p, 0.15), answer(p, 0.16), answer(None)) == ("AD", "HI", "AD", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    draw_phantoms(["--out", str(folder), "--count", "6", "--size", "256"])
    return folder


def run(folder, out, *more):
    files = ["--markdown", str(out.with_suffix(".md")), "--json", str(out.with_suffix(".json"))]
    paper_table.main(["--manifest", str(folder / "manifest.csv"), "--root", str(folder), *files, *more])
    return out.with_suffix(".md").read_bytes(), out.with_suffix(".json").read_bytes()


def test_the_command_writes_the_same_table_twice(folder, tmp_path, capsys):
    assert run(folder, tmp_path / "one") == run(folder, tmp_path / "two")
    assert "specificity" in capsys.readouterr().out


def test_a_dermatologists_crops_take_the_place_of_the_true_masks(folder, tmp_path):
    """One photo has a box, one has nothing to cut out; the others were not looked at and are not judged."""
    rows = [row for row in read_rows(folder / "manifest.csv", folder) if row.label in FOUR]
    crops = tmp_path / "crops.csv"
    crops.write_text(f"file,x,y,width,height\n{rows[0].name},0,0,100,100\n{rows[1].name},,,,\n")
    assert {name: len(boxes) for name, boxes in paper_table.read_crops(crops).items()} == {
        rows[0].name: 1,
        rows[1].name: 0,
    }
    _, figures = run(folder, tmp_path / "some", "--crops", str(crops))
    named = json.loads(figures)
    own = [named["arms"][TRUE_CROP][f"recall.{row.label}"] for row in rows[:2]]
    assert [(one["n"], one["no_crop"]) for one in own] == [(1, 0), (1, 1)]
    assert named["true_crop_photos"] == 2


def test_an_empty_list_of_crops_leaves_the_arm_out(folder, tmp_path):
    crops = tmp_path / "crops.csv"
    crops.write_text("file,x,y,width,height\n")
    table, _ = run(folder, tmp_path / "none", "--crops", str(crops))
    assert f"| {TRUE_CROP} |" not in table.decode() and f"Left out: {TRUE_CROP}" in table.decode()


def test_a_manifest_without_the_four_diseases_is_refused(tmp_path):
    manifest = tmp_path / "m.csv"
    manifest.write_text("file,class\nx.jpg,NORMAL\n")
    files = ["--markdown", str(tmp_path / "o.md"), "--json", str(tmp_path / "o.json")]
    with pytest.raises(SystemExit, match="no row of AD"):
        paper_table.main(["--manifest", str(manifest), "--root", str(tmp_path), *files])
