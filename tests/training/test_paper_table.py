"""The paper's table, computed from answers with known truth."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from training import paper_table
from training.arms import ARMS, AUTOMATIC, ORIGINAL, TRUE_CROP, answer
from training.paper_table import Answers, figures_of, three_intervals, verdict
from training.phantom.__main__ import main as draw_phantoms
from training.statistics import resample_mean

TRUTH = np.array(["AD"] * 10 + ["HI"] * 4 + ["IM"] * 4 + ["MF"] * 2)


def answers(**changed) -> Answers:
    """Answers that are right in every arm, except for the given ones."""
    arms = {arm: TRUTH.copy() for arm in ARMS} | {name: np.array(own) for name, own in changed.items()}
    return Answers(TRUTH, [str(n) for n in range(len(TRUTH))], arms)


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
    answered = Answers(truth, [str(n) for n in range(len(truth))], arms)
    pair = figures_of(answered, 0.05)["non_inferiority"][f"{AUTOMATIC} against {TRUE_CROP}"]
    assert pair["recall.HI"]["verdict"] == "inferior" and pair["recall.HI"]["value"] == -1.0
    assert {pair[f"recall.{name}"]["verdict"] for name in ("AD", "IM", "MF")} == {"not inferior"}


def test_base_rates_match_the_published_figures():
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


def test_a_dermatologists_crops_replace_the_true_masks(folder, tmp_path):
    crops = tmp_path / "crops.csv"
    with crops.open("w", newline="") as file:
        csv.writer(file).writerow(["file", "x", "y", "width", "height"])
    table, _ = run(folder, tmp_path / "none", "--crops", str(crops))
    lines = [line.split(" | ") for line in table.decode().splitlines() if line.startswith("| true crop |")]
    judged = [line for line in lines if len(line) > 6 and line[2] != "0"]
    assert judged and all(line[2] == line[-1].removesuffix(" |") for line in judged)  # no crop for any photo


def test_a_manifest_without_the_four_diseases_is_refused(tmp_path):
    manifest = tmp_path / "m.csv"
    manifest.write_text("file,class\nx.jpg,NORMAL\n")
    files = ["--markdown", str(tmp_path / "o.md"), "--json", str(tmp_path / "o.json")]
    with pytest.raises(SystemExit, match="no row of AD"):
        paper_table.main(["--manifest", str(manifest), "--root", str(tmp_path), *files])
