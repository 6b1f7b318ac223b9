"""The command that analyses local photos without web or queue."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from contract.messages import Box
from inference_worker.decode.sandbox import DecoderLostError
from inference_worker.models import weights
from training import analyse, distance_strip, phantom
from training.analyse import main, tinted


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "arm.jpg"
    cv2.imwrite(str(path), phantom.draw(6, condition="IM").photo[..., ::-1])
    return path


def test_labels_of_boxes_over_each_other_keep_clear_of_each_other():
    """White on white, with one label hidden by the next, nobody could tell which box was which."""
    corners = ((200, 100, 200), (195, 105, 220), (200, 95, 120), (560, 100, 80))
    boxes = [Box(x=x, y=y, width=side, height=side, skin=1.0, lesion=0.5) for x, y, side in corners]
    places: list[tuple[int, int, int, int]] = []
    for box in boxes:
        places.append(analyse._free_place(box, 130, 16, 640, places))
    for x, y, width, height in places:
        assert 0 <= x <= 640 - width
        over = [(x, y) for left, top, *_ in places if abs(left - x) < width and abs(top - y) < height]
        assert len(over) == 1  # only itself
    drawn = analyse.overlay(np.zeros((480, 640, 3), np.uint8), np.zeros((480, 640), np.uint8), boxes)
    assert all((drawn == colour).all(axis=2).any() for colour in analyse.BOX_COLOURS[: len(boxes)])


def test_analyse_writes_the_attribution_of_the_photo_and_of_the_deciding_crop(photo, tmp_path, capsys):
    assert main([str(photo), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 0
    written = json.loads((tmp_path / "out/arm.json").read_text())
    found, boxes = written["classified"], written["segmented"]["boxes"]
    likeliest = max(found["probabilities"], key=found["probabilities"].get)
    ringing = [own["condition"] for own in found["alarms"] if own["score"] >= own["threshold"]]
    assert found["attribution"]["condition"] == (ringing[0] if ringing else likeliest)
    assert written["verdict"]["sentence"] in capsys.readouterr().out
    small = cv2.imread(str(tmp_path / "out/arm-thumbnail.jpg"))
    assert max(small.shape) == analyse.THUMBNAIL_SIDE
    box = boxes[found["attribution"]["box"]]
    whole, crop = (
        cv2.imread(str(tmp_path / "out" / f"arm-attribution{end}.png"))
        for end in ("", f"-crop-{found['attribution']['box'] + 1}")
    )
    assert whole.shape == cv2.imread(str(photo)).shape and crop.shape == (box["height"], box["width"], 3)
    plain = cv2.imread(str(tmp_path / "out" / f"arm-crop-{found['attribution']['box'] + 1}.png"))
    assert (crop[..., 0] <= plain[..., 0]).all() and (
        crop[..., 0] < plain[..., 0]
    ).any()  # yellow has no blue


def test_areas_without_support_are_not_tinted():
    grey = np.full((2, 2, 3), 100, np.uint8)
    drawn = tinted(grey, np.array([[0.0, 1.0], [0.0, 0.5]]))
    assert (drawn[:, 0] == 100).all() and drawn[0, 1, 0] > drawn[1, 1, 0] > 100


def test_refused_weights_end_the_command_with_the_reason(photo, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TELEDER_WEIGHTS", str(tmp_path / "nothing"))
    with pytest.raises(SystemExit) as ended:
        main([str(photo), "--out", str(tmp_path / "out")])
    assert ended.value.code == 2 and weights.REMEDY in capsys.readouterr().err


def test_a_lost_decoder_skips_one_photo_with_a_message(photo, tmp_path, monkeypatch, capsys):
    other = tmp_path / "leg.jpg"
    other.write_bytes(photo.read_bytes())
    prepare, errors = analyse.prepare, [DecoderLostError("killed")]

    def lost_once(data: bytes):
        if errors:
            raise errors.pop()
        return prepare(data)

    monkeypatch.setattr(analyse, "prepare", lost_once)
    assert main([str(photo), str(other), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 3
    out, error = capsys.readouterr()
    assert "arm.jpg" in error and "try it again" in error and "leg.jpg" in out


ROW = {
    "prepared": {"fault": None, "reason": None, "width": 640, "height": 480},
    "segmented": {"skin": 0.6, "lesion": 0.2, "boxes": [{}], "no_box": None},
    "classified": {"top": None, "abstention": "uncertain", "probabilities": {"HI": 0.7, "AD": 0.3}},
}


class MadeUp:
    """Takes the place of the networks: what a photo is called decides what becomes of it."""

    def __init__(self, device: str, *, with_distance: bool) -> None:
        pass

    def analyse(self, path, target):
        if "broken" in path.name:
            raise ValueError("boxes lie outside")
        if "locked" in path.name:
            raise PermissionError(13, "Permission denied")
        if "cut" in path.name:
            rejected = {"fault": None, "reason": "truncated_image", "width": 0, "height": 0}
            told = {"reason": "truncated_image", "sentence": "Photo not usable: truncated image."}
            return {"photo": str(path), "prepared": rejected, "verdict": told | {"alarms": []}}
        rings = "herpes" in path.name
        told = {
            "reason": "alarm" if rings else "uncertain",
            "sentence": "Cannot rule out herpesvirus infection." if rings else "Inconclusive.",
            "alarms": ["HI"] if rings else [],
        }
        return {"photo": str(path), **ROW, "verdict": told}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(analyse, "Analyst", MadeUp)
    folder = tmp_path / "photos"
    for name in (
        "a herpes.JPG",
        "sub/broken.png",
        "sub/plain.webp",
        "cut.jpeg",
        "list.txt",
        ".trash/old.jpg",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def lines_of(out) -> list[dict]:
    with (out / "photos.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_is_analysed_with_all_below_it_and_an_error_stops_no_other(folder, tmp_path, capsys):
    assert main([str(folder), "--out", str(tmp_path / "out")]) == 3
    told, error = capsys.readouterr()
    assert {line["reason"] for line in lines_of(tmp_path / "out")} == {
        "alarm", "not_analysed", "uncertain", "truncated_image",
    }  # fmt: skip
    assert len(lines_of(tmp_path / "out")) == 4  # neither the text nor what is hidden
    assert (
        "left out, names that end like no photo's: 1 (" in error and "ValueError: boxes lie outside" in error
    )
    assert "plain.webp" in told and "Cannot rule out" in told and "rejected" in told


def test_the_masks_of_a_folder_are_no_photos(tmp_path):
    """Annotators leave arm_mask.png beside arm.jpg; a colour photo of such a name, and a grey one alone, are photos."""
    (tmp_path / "arm.jpg").write_bytes(b"photo")
    grey, colour = np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.uint8)
    for name, pixels in {"arm_mask": grey, "arm-label": colour, "leg_mask": grey}.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)
    photos, left_out = analyse.photos_in([tmp_path], tmp_path / "out")
    assert [photo.name for photo in photos] == ["arm-label.png", "arm.jpg", "leg_mask.png"]
    assert {reason: [file.name for file in files] for reason, files in left_out.items()} == {
        "masks of the photos beside them": ["arm_mask.png"]
    }


def test_a_rejected_photo_is_no_failure_of_the_command(folder, tmp_path):
    (folder / "sub/broken.png").unlink()
    assert main([str(folder), "--out", str(tmp_path / "out")]) == 0


def test_a_file_that_cannot_be_read_is_listed_and_the_others_are_analysed(folder, tmp_path, capsys):
    (folder / "sub/broken.png").rename(folder / "a locked.png")
    assert main([str(folder), "--out", str(tmp_path / "out")]) == 3
    assert "a locked.png: Not analysed: it cannot be read (Permission denied)" in capsys.readouterr().err
    assert [line["reason"] for line in lines_of(tmp_path / "out")].count("not_analysed") == 1


def test_the_index_shows_each_overlay_with_its_verdict_and_a_choice_of_each_reason(folder, tmp_path):
    main([str(folder), "--out", str(tmp_path / "out")])
    page = (tmp_path / "out/index.html").read_text()
    cards = page.split("<figure")[1:]
    assert len(cards) == 4 and page.count('type="radio"') == 5
    (herpes,) = [card for card in cards if "a herpes.JPG" in card]
    assert 'data-reason="alarm"' in herpes and "Cannot rule out herpesvirus infection." in herpes
    assert 'src="a_herpes-thumbnail.jpg"' in herpes and 'href="a_herpes-overlay.png"' in herpes
    (broken,) = [card for card in cards if "broken" in card]
    assert "boxes lie outside" in broken and "<img" not in broken
    assert "<script" not in page and "not([data-reason=alarm])" in page


def test_the_table_holds_what_the_page_does_not(folder, tmp_path):
    main([str(folder), "--out", str(tmp_path / "out")])
    by_name = {line["files"]: line for line in lines_of(tmp_path / "out")}
    assert by_name["a_herpes"]["alarms"] == "HI" and by_name["a_herpes"]["p_HI"] == "0.7"
    assert (by_name["plain"]["skin"], by_name["plain"]["boxes"]) == ("0.6", "1")
    assert by_name["broken"]["p_HI"] == "" and by_name["cut"]["reason"] == "truncated_image"


def test_a_name_that_is_html_stays_text(tmp_path, monkeypatch):
    monkeypatch.setattr(analyse, "Analyst", MadeUp)
    path = tmp_path / "<b>&.jpg"
    path.write_bytes(b"")
    main([str(path), "--out", str(tmp_path / "out")])
    page = (tmp_path / "out/index.html").read_text()
    assert "&lt;b&gt;&amp;.jpg" in page and "<b>&" not in page


def test_an_interrupted_run_keeps_the_index_of_what_it_has(folder, tmp_path, monkeypatch):
    def stopped(self, path, target):
        if "herpes" not in path.name:
            raise KeyboardInterrupt
        return real(self, path, target)

    real = MadeUp.analyse
    monkeypatch.setattr(MadeUp, "analyse", stopped)
    with pytest.raises(KeyboardInterrupt):
        main([str(folder), "--out", str(tmp_path / "out")])
    assert (tmp_path / "out/index.html").read_text().count("<figure") == 1
    assert len(lines_of(tmp_path / "out")) == 1


def test_a_second_run_into_the_folder_itself_does_not_analyse_its_own_overlays(folder, tmp_path):
    out = folder / "out"
    out.mkdir()
    (out / "plain-overlay.png").write_bytes(b"")
    main([str(folder), "--out", str(out)])
    assert len(lines_of(out)) == 4


def test_a_folder_without_a_photo_is_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(analyse, "Analyst", MadeUp)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path / "empty"), "--out", str(tmp_path / "out")])
    assert ended.value.code == 2 and "no photo in the folders" in capsys.readouterr().err


def test_two_photos_of_one_name_keep_their_own_files():
    names = analyse.names_of([Path("a/arm.jpg"), Path("b/arm.png"), Path("arm leg.jpg"), Path("c/arm.jpg")])
    assert names == ["arm", "arm~2", "arm_leg", "arm~3"]


def test_a_long_run_tells_how_long_it_will_take(monkeypatch, capsys):
    clock = iter([0.0, 30.0, 31.0, 60.0])
    monkeypatch.setattr(analyse.time, "monotonic", lambda: next(clock))
    progress = analyse.Progress(9)
    for _ in range(3):
        progress.step()
    assert capsys.readouterr().err.splitlines() == [
        "1 of 9 photos, about 4 min left",
        "3 of 9 photos, about 2 min left",
    ]


def test_analyse_draws_the_photo_from_eight_distances(photo, tmp_path, capsys):
    assert main([str(photo), "--out", str(tmp_path / "out"), "--device", "cpu", "--distance"]) == 0
    found = json.loads((tmp_path / "out/arm.json").read_text())["distance"]
    assert len(found["looks"]) == 8 and 0 <= found["stability"] <= 1
    assert cv2.imread(str(tmp_path / "out/arm-distance.png")).shape[1] == 8 * distance_strip.TILE
    assert "of the other distances" in capsys.readouterr().out


def test_analyse_writes_what_it_measured_of_the_lesion(photo, tmp_path):
    main([str(photo), "--out", str(tmp_path / "out"), "--device", "cpu"])
    signs = json.loads((tmp_path / "out/arm.json").read_text())["segmented"]["signs"]
    assert {"lesion_share", "redness", "edge"} <= {sign["name"] for sign in signs}
