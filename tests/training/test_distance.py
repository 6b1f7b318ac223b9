"""The controlled experiment: one person from ten distances."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from inference_worker.models import weights
from training import distance, distance_figures, distance_page, phantom
from training.arms import ARMS, AUTOMATIC, JOINT
from training.distance_figures import FIELDS_CM, FLAGGED, by_field, flips, herpes_account


def row(seed=1, condition="HI", field=4, boxes=1, true_boxes=1, **told):
    base = {"seed": seed, "condition": condition, "field": field, "boxes": boxes, "true_boxes": true_boxes}
    return base | {"lesion": 0.1} | dict.fromkeys((*ARMS, FLAGGED), condition) | told


def test_each_person_is_seen_at_every_distance_and_no_class_more_often():
    scenes = list(distance.scenes(8 * len(FIELDS_CM)))
    assert len(scenes) == len(set(scenes)) == 80
    for condition in distance.FOUR:
        own = [(seed, field) for seed, name, field in scenes if name == condition]
        assert len({seed for seed, _ in own}) == 2 and {field for _, field in own} == set(FIELDS_CM)


@pytest.mark.parametrize("condition", ["AD", "HI", "MF"])
def test_from_twice_as_far_the_same_rash_lies_in_the_same_place_at_half_the_size(condition):
    near, far = (
        phantom.draw(11, condition=condition, site="limb", distance_cm=d, blur=0, long_side=400).mask == 2
        for d in (20, 40)
    )
    height, width = near.shape
    middle = far[height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2]
    small = cv2.resize(near.astype(np.uint8), middle.shape[::-1], interpolation=cv2.INTER_AREA) > 0
    assert (small & middle).sum() / (small | middle).sum() > 0.4


def test_an_answer_that_changes_once_in_three_steps_is_a_third_flipped():
    rows = [
        row(field=f, original=told) for f, told in zip((4, 6, 9, 13), ("HI", "HI", "AD", "AD"), strict=True)
    ]
    assert flips(rows, "original")["value"] == pytest.approx(1 / 3, abs=1e-4)
    assert flips(rows, AUTOMATIC)["value"] == 0


def test_a_curve_counts_each_field_by_itself():
    rows = [row(field=4, original="AD"), row(seed=2, field=4), row(field=120)]
    curve = by_field(rows, lambda r: r["original"] == "HI")
    assert curve["4"]["value"] == 0.5 and curve["4"]["n"] == 2
    assert curve["120"]["value"] == 1 and curve["30"]["value"] is None


def test_what_the_rule_costs_herpes_and_the_whole_photo_wins_back():
    lost = {AUTOMATIC: "", "true crop": "", "boxes": 0, "true_boxes": 0}
    rows = [row(seed=1), row(seed=2, **lost), row(seed=3, **lost, **{FLAGGED: "AD"}), row(seed=4)]
    rows.append(row(seed=5, condition="AD", **{FLAGGED: "HI"}))
    own = herpes_account(rows)
    assert own["no_true_crop"]["value"] == own["missed_by_automatic_crop"]["value"] == 0.5
    assert own["of_all_won_back"][FLAGGED]["value"] == 0.25
    assert own["of_all_won_back"][JOINT]["value"] == 0.5
    assert own["others_called_herpes"][FLAGGED]["value"] == 1.0
    assert own["others_called_herpes"][JOINT]["value"] == 0.0
    assert own["recall_without_true_crop"][FLAGGED]["value"] == 0.5


def test_one_of_two_persons_answered_otherwise_from_one_step_nearer_is_half():
    steady = [row(seed=1, field=f) for f in (4, 6, 9)]
    flipping = [row(seed=2, field=f, original=told) for f, told in ((9, "HI"), (4, "AD"), (6, "HI"))]
    found = distance_figures.flips_by_field(steady + flipping, "original")
    assert {field: own["value"] for field, own in found.items()} == {"6": 0.5, "9": 0.0}


def claims(rows: list[dict]) -> list[str]:
    return [said.split("**")[1] for said in distance_page.claim(distance.figures_of(rows, 0.05)).values()]


def test_a_claim_is_confirmed_refuted_or_not_shown_by_the_rules_set_beforehand():
    persons = [(seed, name) for seed in range(400) for name in (distance.FOUR[seed % 4],)]
    far = [row(seed, name, 120, original="OTHER") for seed, name in persons]
    near = [row(seed, name, 4, original="OTHER") for seed, name in persons]
    assert claims(far + near) == ["confirmed", "confirmed"]
    assert claims(far + [row(seed, name, 4) for seed, name in persons]) == ["confirmed", "not shown"]
    lost = [row(seed, name, 4, **{AUTOMATIC: ""}) for seed, name in persons]
    assert claims(far + lost) == ["refuted", "refuted"]
    assert claims(far[:4] + near[:4])[0] == "not shown"  # two photos of each prove nothing


@pytest.fixture
def looked(monkeypatch):
    """The scenes that were looked at, in order."""
    seen = []

    def look(seed, condition, field, *models):
        seen.append((seed, field))
        return row(seed, condition, field)

    monkeypatch.setattr(distance, "look_at", look)
    return seen


def test_a_stopped_run_goes_on_and_looks_at_no_scene_twice(tmp_path, looked):
    first = distance.collect(list(distance.scenes(20)), tmp_path / "a.csv", (None, None))
    both = distance.collect(list(distance.scenes(40)), tmp_path / "a.csv", (None, None))
    assert len(looked) == len(set(looked)) == 40 and both[:20] == first


def test_a_line_that_a_killed_run_left_half_written_is_looked_at_again(tmp_path, looked):
    wanted = list(distance.scenes(20))
    whole = distance.collect(wanted, tmp_path / "a.csv", (None, None))
    content = (tmp_path / "a.csv").read_bytes()
    (tmp_path / "a.csv").write_bytes(content[:-3])
    assert distance.collect(wanted, tmp_path / "a.csv", (None, None)) == whole
    assert len(looked) == 21 and (tmp_path / "a.csv").read_bytes() == content


def test_other_persons_and_other_weights_do_not_answer_for_these(tmp_path, looked):
    for first in (1, 1001):
        own = list(distance.scenes(20, first))
        rows = distance.collect(own, tmp_path / "a.csv", (None, None))
        assert [(r["seed"], r["condition"], r["field"]) for r in rows] == own
    published = weights.published("segmentation")
    newer = dataclasses.replace(published, sha256="0" * 64)
    files = {distance.answers_file(tmp_path / "d.json", [one]) for one in (published, newer)}
    assert len(files) == 2


def test_the_command_writes_its_page_and_plots_twice_alike(tmp_path):
    monkey = ["--scenes", "10", "--json", str(tmp_path / "d.json")]
    for name in ("one", "two"):
        distance.main([*monkey, "--out", str(tmp_path / name)])
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert "controlled_experiment.md" in files and sum(name.endswith(".svg") for name in files) == 4
    assert all((tmp_path / "one" / n).read_bytes() == (tmp_path / "two" / n).read_bytes() for n in files)
