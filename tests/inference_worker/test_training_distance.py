"""The controlled experiment: one person from ten distances."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference_worker import phantom
from inference_worker.training import distance
from inference_worker.training.arms import ARMS, AUTOMATIC
from inference_worker.training.distance import FIELDS_CM, FLAGGED, by_field, flips, herpes_account


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


def test_what_the_rule_costs_herpes_and_the_union_wins_back():
    lost = {AUTOMATIC: "", "true crop": "", "boxes": 0, "true_boxes": 0}
    rows = [row(seed=1), row(seed=2, **lost), row(seed=3, **lost, **{FLAGGED: "AD"}), row(seed=4)]
    rows.append(row(seed=5, condition="AD", **{FLAGGED: "HI"}))
    own = herpes_account(rows)
    assert own["no_true_crop"]["value"] == own["missed_by_automatic_crop"]["value"] == 0.5
    assert own["of_all_won_back"]["value"] == 0.25 and own["others_raised"]["value"] == 1.0
    assert own["recall_without_true_crop"][FLAGGED]["value"] == 0.5


def test_a_stopped_run_goes_on_and_looks_at_no_scene_twice(tmp_path, monkeypatch):
    seen = []

    def look(seed, condition, field, *models):
        seen.append((seed, field))
        return row(seed, condition, field)

    monkeypatch.setattr(distance, "look_at", look)
    first = distance.collect(20, tmp_path / "answers.csv", (None, None))
    both = distance.collect(40, tmp_path / "answers.csv", (None, None))
    assert len(seen) == len(set(seen)) == 40 and both[:20] == first


def test_the_command_writes_its_page_and_plots_twice_alike(tmp_path):
    monkey = ["--scenes", "10", "--json", str(tmp_path / "d.json")]
    for name in ("one", "two"):
        distance.main([*monkey, "--out", str(tmp_path / name)])
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert "controlled_experiment.md" in files and sum(name.endswith(".svg") for name in files) == 3
    assert all((tmp_path / "one" / n).read_bytes() == (tmp_path / "two" / n).read_bytes() for n in files)
