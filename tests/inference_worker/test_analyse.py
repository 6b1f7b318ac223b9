"""Somebody analyses photos of her own, without web or queue."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from inference_worker import analyse
from inference_worker.analyse import main, tinted
from inference_worker.decode.sandbox import DecoderLostError
from inference_worker.models import weights
from training import phantom


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "arm.jpg"
    cv2.imwrite(str(path), phantom.draw(6, condition="IM").photo[..., ::-1])
    return path


def test_analyse_writes_the_attribution_of_the_photo_and_of_the_deciding_crop(photo, tmp_path, capsys):
    assert main([str(photo), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 0
    written = json.loads((tmp_path / "out/arm.json").read_text())
    found, boxes = written["classified"], written["segmented"]["boxes"]
    likeliest = max(found["probabilities"], key=found["probabilities"].get)
    ringing = [own["condition"] for own in found["alarms"] if own["score"] >= own["threshold"]]
    assert found["attribution"]["condition"] == (ringing[0] if ringing else likeliest)
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


def test_analyse_draws_the_photo_from_eight_distances(photo, tmp_path, capsys):
    assert main([str(photo), "--out", str(tmp_path / "out"), "--device", "cpu", "--distance"]) == 0
    found = json.loads((tmp_path / "out/arm.json").read_text())["distance"]
    assert len(found["looks"]) == 8 and 0 <= found["stability"] <= 1
    assert cv2.imread(str(tmp_path / "out/arm-distance.png")).shape[1] == 8 * 240
    assert "of the other distances" in capsys.readouterr().out


def test_analyse_writes_what_it_measured_of_the_lesion(photo, tmp_path):
    main([str(photo), "--out", str(tmp_path / "out"), "--device", "cpu"])
    signs = json.loads((tmp_path / "out/arm.json").read_text())["segmented"]["signs"]
    assert {"lesion_share", "redness", "edge"} <= {sign["name"] for sign in signs}
