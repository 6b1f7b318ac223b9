"""How well a measured sign separates one disease from others."""

from __future__ import annotations

import csv

import cv2
import pytest

from contract.signs import SignName
from training import phantom, signs


def row(label, value, error=0.0, number=0):
    name = f"{label}{number}"
    return {"name": name, "class": label, "group": name, "signs": {"yellow_crust": [value, error]}}


@pytest.fixture
def rows():
    """Impetigo has most yellow, herpes and AD the same, MF least."""
    by_class = {"IM": 0.5, "HI": 0.2, "AD": 0.2, "MF": 0.1}
    return [row(label, value, 0.05, n) for label, value in by_class.items() for n in range(6)]


def test_a_sign_that_only_impetigo_has_tells_it_surely(rows):
    own = signs.figures_of(rows)["yellow_crust"]
    assert own["auc_against_the_other_three"]["IM"]["value"] == 1
    assert own["auc_against_the_other_three"]["MF"]["value"] == 0
    assert own["auc_against_ad"]["HI"]["value"] == 0.5
    assert own["median"]["IM"]["value"] == 0.5 and own["median_error"]["value"] == 0.05


def test_other_conditions_are_no_part_of_the_comparison(rows):
    with_other = signs.figures_of([*rows, *(row("OTHER", 0.9, 0, n) for n in range(9))])
    assert with_other["yellow_crust"]["auc_against_the_other_three"]["IM"]["value"] == 1


def test_a_photo_whose_error_is_over_half_of_the_value_counts_as_uncertain(rows):
    own = signs.figures_of(rows)["yellow_crust"]
    assert own["uncertain"]["value"] == 0
    doubled = [dict(each, signs={"yellow_crust": [each["signs"]["yellow_crust"][0], 0.06]}) for each in rows]
    assert signs.figures_of(doubled)["yellow_crust"]["uncertain"]["value"] == 0.25  # MF: .06 of .1


def test_photos_without_the_sign_are_counted_and_left_out(rows):
    empty = {"name": "x", "class": "AD", "group": "x", "signs": {}}
    own = signs.figures_of([*rows, empty])
    assert own["yellow_crust"]["measured"] == {"value": 0.96, "low": None, "high": None, "n": 25}
    assert own["edge"]["median"] == {} and own["edge"]["uncertain"] is None


def test_the_command_writes_a_row_for_every_sign(tmp_path):
    cv2.imwrite(str(tmp_path / "a.jpg"), phantom.draw(6, condition="IM", long_side=400).photo[..., ::-1])
    with (tmp_path / "m.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "class"], ["a.jpg", "IM"]])
    out = ["--json", str(tmp_path / "s.json"), "--markdown", str(tmp_path / "s.md"), "--device", "cpu"]
    signs.main(["--manifest", str(tmp_path / "m.csv"), "--root", str(tmp_path), *out])
    text = (tmp_path / "s.md").read_text()
    assert all(text.count(f"| {name} |") == 4 for name in SignName)
