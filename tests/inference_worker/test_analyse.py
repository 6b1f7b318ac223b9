"""Somebody analyses photos of her own, without web or queue."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from inference_worker import analyse
from inference_worker.analyse import main, tinted
from inference_worker.decode.sandbox import DecoderLost
from inference_worker.models import weights
from training import phantom


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "arm.jpg"
    cv2.imwrite(str(path), phantom.draw(6, condition="IM").photo[..., ::-1])
    return path


def test_she_finds_the_heat_map_of_the_photo_and_of_the_crop_that_decided(photo, tmp_path, capsys):
    assert main([str(photo), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 0
    told = json.loads((tmp_path / "out/arm.json").read_text())
    found, boxes = told["classified"], told["segmented"]["boxes"]
    likeliest = max(found["probabilities"], key=found["probabilities"].get)
    assert found["attribution"]["condition"] == (found["top"] or likeliest)
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


def test_what_did_not_speak_for_the_condition_is_left_as_it_is():
    grey = np.full((2, 2, 3), 100, np.uint8)
    drawn = tinted(grey, np.array([[0.0, 1.0], [0.0, 0.5]]))
    assert (drawn[:, 0] == 100).all() and drawn[0, 1, 0] > drawn[1, 1, 0] > 100


def test_weights_that_are_refused_end_it_with_the_reason(photo, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TELEDER_WEIGHTS", str(tmp_path / "nothing"))
    with pytest.raises(SystemExit) as ended:
        main([str(photo), "--out", str(tmp_path / "out")])
    assert ended.value.code == 2 and weights.REMEDY in capsys.readouterr().err


def test_a_lost_decoder_costs_one_photo_and_is_told(photo, tmp_path, monkeypatch, capsys):
    other = tmp_path / "leg.jpg"
    other.write_bytes(photo.read_bytes())
    prepare, told = analyse.prepare, [DecoderLost("killed")]

    def lost_once(data: bytes):
        if told:
            raise told.pop()
        return prepare(data)

    monkeypatch.setattr(analyse, "prepare", lost_once)
    assert main([str(photo), str(other), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 3
    out, error = capsys.readouterr()
    assert "arm.jpg" in error and "try it again" in error and "leg.jpg" in out
