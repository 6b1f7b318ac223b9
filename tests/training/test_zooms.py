"""What becomes of masks and verdicts with the distance, and what it is called."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest

from contract.distance import SCALES
from training import phantom, zooms
from training.data import Row
from training.zoom_figures import ARMS, mask_figures, verdict_figures
from training.zoom_page import page


class Finds:
    """A segmenter whose first look finds nothing in small photos, and whose second look is right."""

    def __init__(self, truth):
        self.truth = truth

    def first_look(self, photos):
        return [np.zeros(photo.shape[:2], np.uint8) for photo in photos]

    def second_look(self, photos, masks):
        return [self.truth.copy()]


def mask_row(zoom, first, both, name="a", box=True):
    about = {"name": name, "source": "phantom", "group": name, "zoom": zoom, "true_crop": True}
    looks = {"first": (first, None), "both": (both, box)}
    return about | {
        f"{look}_{what}": value
        for look, (lesion, found) in looks.items()
        for what, value in (("skin", 0.9), ("lesion", lesion), ("box", found))
    }


def verdict_row(zoom, verdict, *, name="a", label="HI", arm=ARMS[0]):
    herpes = verdict == "alarm HI"
    about = {"name": name, "class": label, "group": name, "zoom": zoom, "arm": arm, "boxes": 1}
    return about | {"verdict": verdict, "herpes": herpes}


def both_arms(rows):
    return rows + [row | {"arm": ARMS[1]} for row in rows]


def page_figures(rows):
    return {"heads": {"classification": verdict_figures(both_arms(rows))}, "model": "m", "classes": {"HI": 1}}


def test_one_look_and_two_looks_are_scored_against_the_true_mask():
    truth = np.ones((300, 400), np.uint8)
    truth[100:200, 100:250] = 2
    row = zooms.score(np.zeros((300, 400, 3), np.uint8), truth, Finds(truth))
    assert (row["first_lesion"], row["first_box"]) == (0, None)
    assert (row["both_skin"], row["both_lesion"], row["both_box"], row["true_crop"]) == (1, 1, True, True)


def test_where_lesions_alone_were_outlined_only_lesion_is_judged():
    truth = np.full((300, 400), 255, np.uint8)
    truth[100:200, 100:250] = 2
    row = zooms.score(np.zeros((300, 400, 3), np.uint8), truth, Finds(np.where(truth == 2, 2, 1)))
    assert (row["both_skin"], row["both_box"], row["true_crop"]) == (None, None, None)
    assert row["both_lesion"] == 1


def test_a_box_that_is_right_in_the_found_mask_alone_is_not_true():
    truth = np.ones((300, 400), np.uint8)
    found = truth.copy()
    found[100:200, 100:250] = 2
    assert zooms.score(np.zeros((300, 400, 3), np.uint8), truth, Finds(found))["both_box"] is False


def test_what_is_kept_is_the_share_of_the_same_photos_at_1x():
    rows = [mask_row(1.0, 0.8, 0.8), mask_row(0.25, 0.2, 0.6)]
    own = mask_figures(rows)["phantom"]
    assert own["first"]["0.25"]["lesion_kept"]["value"] == 0.25
    assert own["both"]["0.25"]["lesion_kept"]["value"] == 0.75
    assert own["both"]["0.25"]["best_box_true"]["value"] == 1.0
    assert own["first"]["0.25"]["crop_found"]["value"] == 0.0


def test_a_flip_is_a_verdict_other_than_at_1x():
    rows = [verdict_row(0.35, "inconclusive"), verdict_row(1.0, "alarm HI"), verdict_row(2.5, "alarm HI")]
    own = verdict_figures(both_arms(rows))[ARMS[0]]
    assert own["flips"]["HI"]["0.35"]["value"] == 1 and own["flips"]["HI"]["2.5"]["value"] == 0
    assert own["flips"]["HI"]["all"]["value"] == 0.5 and own["flips_by_step"]["HI"]["value"] == 0.5
    assert own["herpes_kept"]["0.35"]["value"] == 0 and own["herpes_kept"]["2.5"]["value"] == 1


def test_where_nothing_flips_the_interval_is_not_empty():
    rows = [verdict_row(zoom, "inconclusive", name=str(n)) for n in range(20) for zoom in (0.5, 1.0)]
    flips = verdict_figures(both_arms(rows))[ARMS[0]]["flips"]["HI"]["0.5"]
    assert (flips["value"], flips["low"]) == (0, 0) and 0.1 < flips["high"] < 0.2


def test_the_page_says_of_each_goal_whether_it_is_reached():
    far = mask_figures([mask_row(1.0, 0.8, 0.8), mask_row(0.25, 0.2, 0.6, box=False)])
    near = mask_figures([mask_row(1.0, 0.8, 0.8), mask_row(0.25, 0.2, 0.79)])
    rows = [verdict_row(zoom, "alarm HI") for zoom in SCALES]
    verdicts = page_figures(rows)
    missed, reached = (page(figures | {"model": "m"}, verdicts) for figures in (far, near))
    assert missed.count("**not reached** at 0.25") == 2
    assert "not reached" not in reached
    lost = [verdict_row(zoom, "alarm HI" if zoom >= 1 else "inconclusive") for zoom in SCALES]
    text = page(near | {"model": "m"}, page_figures(lost))
    assert "**not reached** at 0.35, 0.5, 0.7" in text


def test_photos_of_each_class_are_drawn_and_fewer_are_a_part_of_more():
    rows = [Row(str(n), None, None, "AD" if n % 4 else "HI", "", "", "", "", "", "") for n in range(40)]
    two, five, every = (zooms.drawn_of_each(rows, count, 1) for count in (2, 5, None))
    assert [row.label for row in two] == ["HI", "HI", "AD", "AD"]
    assert set(two) < set(five) and len(every) == 40
    assert zooms.drawn_of_each(rows, 5, 2) != five
    assert zooms.counted(zooms.drawn_of_each(rows, 10, 1), rows) == {"AD": "10 of 30", "HI": "10"}


def test_a_stopped_run_goes_on_and_makes_no_row_twice(tmp_path):
    made = []

    def jobs(*names):
        return [
            (name, lambda name=name: made.append(name) or [{"name": name, "zoom": 1.0}]) for name in names
        ]

    path = tmp_path / "kept.jsonl"
    zooms.kept(path, jobs("a", "b"))
    path.write_text(path.read_text()[:-3])  # it was killed while it wrote b
    assert [row["name"] for row in zooms.kept(path, jobs("a", "b", "c"))] == ["a", "b", "c"]
    assert made == ["a", "b", "b", "c"]
    assert len(path.read_text().splitlines()) == 3


@pytest.fixture
def photo(tmp_path):
    """A labelled photo with manifests for masks and for classes."""
    scene = phantom.draw(6, condition="IM", long_side=400)
    cv2.imwrite(str(tmp_path / "a.jpg"), scene.photo[..., ::-1])
    cv2.imwrite(str(tmp_path / "a.png"), scene.mask)
    rows = {"seg": {"image": "a.jpg", "mask": "a.png", "source": "handdrawn_dev"}}
    rows["cls"] = {"file": "a.jpg", "class": "IM"}
    for name, row in rows.items():
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, row)
            writer.writeheader()
            writer.writerow(row)
    return tmp_path


def test_the_commands_measure_a_photo_and_write_the_page(photo):
    common = ["--root", str(photo), "--device", "cpu"]
    files = {name: str(photo / f"{name}.json") for name in ("masks", "verdicts")}
    seg, cls = (["--manifest", str(photo / f"{name}.csv"), *common] for name in ("seg", "cls"))
    zooms.main(["masks", *seg, "--phantoms", "0", "--source", "handdrawn_dev", "--json", files["masks"]])
    zooms.main(["verdicts", *cls, "--json", files["verdicts"]])
    masks = json.loads((photo / "masks.json").read_text())["handdrawn_dev"]["both"]
    assert masks["1"]["lesion_kept"]["value"] == 1 and set(masks) == {f"{zoom:g}" for zoom in zooms.ZOOMS}
    zooms.main(
        [
            "page",
            "--masks",
            files["masks"],
            "--verdicts",
            files["verdicts"],
            "--markdown",
            str(photo / "p.md"),
        ]
    )
    text = (photo / "p.md").read_text()
    assert "## Photos outlined by hand" in text and "### `research`, whole photo only" in text
    zooms.main(["page", "--masks", files["masks"], "--markdown", str(photo / "q.md")])
    assert "Not measured with these weights." in (photo / "q.md").read_text()
