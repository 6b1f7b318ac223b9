"""The photo check is measured on photos spoilt on purpose, and its page says what was reached."""

from __future__ import annotations

import numpy as np
import pytest

from contract.messages import ModelRef
from contract.photos import QualityFault
from inference_worker.models.quality import assess_quality
from training import phantom, photo_check, photo_check_page
from training.photo_check import Wanted


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return phantom.draw(photo_check.FIRST_SEED, condition="AD", light="daylight", blur=0.3).photo


@pytest.mark.parametrize("kind", photo_check.SPOILT)
def test_a_spoilt_photo_has_that_fault_and_the_good_one_none(photo, kind):
    spoilt = photo_check.SPOILT[kind](photo, np.random.default_rng(2))
    assert spoilt.shape == photo.shape and spoilt.dtype == np.uint8
    assert assess_quality(spoilt)[1] in photo_check_page.RIGHT[kind]
    assert assess_quality(photo)[1] is None


def test_from_far_the_view_is_a_small_part_of_a_room():
    room, skin = np.zeros((600, 800, 3), np.uint8), np.full((300, 400, 3), 255, np.uint8)
    far = photo_check.far_away(skin, np.random.default_rng(1), room)
    assert far.shape == room.shape and not room.any()
    assert 1 / 64 * 0.9 < (far > 128).mean() < 1 / 25 * 1.1


def test_too_near_is_a_sharp_square_of_lesion_or_nothing():
    photo = np.random.default_rng(1).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    mask = np.ones((600, 800), np.uint8)
    mask[100:400, 200:600] = 2
    near = photo_check.too_near(photo, mask)
    assert 300 <= near.shape[0] < 330 and near.shape[0] == near.shape[1]
    mask[:, ::2] = 1
    assert photo_check.too_near(photo, mask) is None


def test_a_scene_counts_as_good_by_its_true_mask():
    mask = np.ones((100, 100), np.uint8)
    assert not photo_check.is_good(mask)
    mask[:30] = 2
    assert photo_check.is_good(mask)
    mask[:81] = 2
    assert not photo_check.is_good(mask)
    mask[11:] = 0
    assert not photo_check.is_good(mask)


def row(
    kind: str,
    *,
    fault: str = "",
    skin: float = 0.6,
    lesion: float = 0.2,
    tone: float = 30.0,
    light: float = 0.3,
) -> dict:
    shares = {"skin": skin, "largest": skin, "lesion": lesion}
    found = {name: str(value) for name, value in (shares | {"tone": tone, "light": light}).items()}
    return {"source": "photo", "kind": kind, "name": "x", "fault": fault} | found


def test_figures_count_right_verdicts_false_alarms_and_what_could_not_be_made():
    dark = [row("good", tone=-50, lesion=0), row("good", tone=-45), row("good", tone=-40)]
    light = [row("good", tone=tone) for tone in range(30, 36)]
    far = [row("far", skin=0.05), row("far", skin=0.5)]
    absent = [row("near", fault=photo_check_page.ABSENT)]
    figures = photo_check_page.figures_of([*dark, *light, *far, *absent, row("dark", fault="too_dark")])
    right = figures["right"]["photo"]
    assert (right["far"]["value"], right["far"]["n"]) == (0.5, 2)
    assert (right["dark"]["value"], right["near"]["n"]) == (1, 0)
    alarms = figures["false_alarms"]["photo"]
    assert (alarms["all"]["value"], alarms["all"]["n"]) == (1 / 9, 9)
    assert (alarms["darkest third"]["value"], alarms["lightest third"]["value"]) == (1 / 3, 0)
    assert figures["wrong"]["photo"]["far"] == {"nothing": 1}
    page = photo_check_page.page(figures | {"model": "net", "options": ""})
    assert "| far | real photos | 50.0% |" in page and "nothing 1" in page
    assert "| darkest third | 33.3% |" in page


@pytest.mark.parametrize(
    ("measured", "is_second"),
    [
        (row("far", skin=0), True),  # no skin: the same distance is asked for
        (row("room", fault="too_dark", light=photo_check_page.DARK_LIGHT), True),
        (row("far", fault="too_dark", light=photo_check_page.DARK_LIGHT), True),
        (row("far", fault="too_dark", light=photo_check_page.DARK_LIGHT + 0.01), False),
        (row("blurred", fault="too_dark", light=0.01), False),
        (row("room", skin=0), False),  # that is its first remedy
    ],
)
def test_a_second_remedy_counts_only_where_it_is_true_of_the_picture(measured, is_second):
    assert photo_check_page.by_second_remedy(measured) is is_second
    figures = photo_check_page.figures_of([measured, row("good")])
    kind, word = measured["kind"], photo_check_page.remedy(measured)
    assert figures["second"]["photo"][kind] == ({word: 1} if is_second else {})
    assert figures["first"]["photo"][kind]["value"] == (kind == "room" and not is_second)


def test_a_stopped_run_goes_on_where_it_stopped(tmp_path, monkeypatch, photo):
    looked = []

    def look_at(wanted: Wanted, _segmenter) -> dict:
        looked.append(wanted.name)
        return row("good") | {"name": wanted.name}

    monkeypatch.setattr(photo_check, "look_at", look_at)
    wanted = [Wanted("photo", "good", name, lambda: photo) for name in ("a", "b", "c")]
    path = tmp_path / "seen.csv"
    before = photo_check.collect(wanted[:2], path, None)
    path.write_text(path.read_text() + "photo,good,c,")  # killed in the middle of a line
    after = photo_check.collect(wanted, path, None)
    assert looked == ["a", "b", "c"]
    assert after[:2] == before and [each["name"] for each in after] == ["a", "b", "c"]


def test_a_good_photo_with_a_fault_is_measured_all_the_same(photo):
    class Finds:
        model = ModelRef(name="net", version="1", sha256="a" * 64)

        def scores(self, photos):
            return [np.zeros((3, 64, 64), np.float32) for _ in photos]

    white = np.full_like(photo, 255)
    seen = photo_check.look_at(Wanted("photo", "good", "a", lambda: white), Finds())
    assert seen["fault"] == QualityFault.TOO_BRIGHT and seen["skin"] == "0.00000"
    assert seen["tone"] != "nan"  # by the middle of the photo
