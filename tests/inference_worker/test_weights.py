"""Only the weights that were published are ever loaded."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from inference_worker import weights
from inference_worker.training.publish import publish, record_figures

ROW = {
    "name": "tiny",
    "version": "1",
    "classes": ["a", "b"],
    "transform": {"side": 8},
    "temperature": 1.0,
    "thresholds": {},
    "metrics": {},
    "licences": ["drawn by this project"],
    "recipe": {},
    "demonstration": True,
}


@pytest.fixture
def folder(tmp_path):
    publish(nn.Linear(4, 2), ROW, tmp_path)
    return tmp_path


def test_published_weights_come_back_as_they_were_but_for_half_precision(tmp_path):
    network = nn.Linear(4, 2)
    publish(network, ROW, tmp_path)
    loaded = weights.published("tiny", tmp_path).load_into(nn.Linear(4, 2))
    assert torch.allclose(loaded.weight, network.weight, atol=1e-3)
    assert loaded.weight.dtype == torch.float32


def test_a_tampered_file_is_refused_with_both_hashes_named(folder):
    file = folder / "tiny.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(weights.TamperedWeights, match=weights.published("tiny", folder).sha256):
        weights.published("tiny", folder).load_into(nn.Linear(4, 2))


def test_a_missing_file_is_refused(folder):
    (folder / "tiny.safetensors").unlink()
    with pytest.raises(weights.TamperedWeights, match="missing"):
        weights.published("tiny", folder).load_into(nn.Linear(4, 2))


def test_unknown_weights_are_refused_and_the_known_ones_named(folder):
    with pytest.raises(weights.UnknownWeights, match="tiny"):
        weights.published("huge", folder)


def test_weights_for_another_network_are_refused(folder):
    with pytest.raises(RuntimeError, match="size mismatch"):
        weights.published("tiny", folder).load_into(nn.Linear(5, 2))


def test_publishing_again_replaces_the_row(folder):
    publish(nn.Linear(4, 2), ROW | {"version": "2"}, folder)
    assert [row["version"] for row in json.loads((folder / "table.json").read_text())] == ["2"]


def test_a_file_too_large_to_commit_is_not_published(tmp_path):
    with pytest.raises(ValueError, match="may be committed"):
        publish(nn.Linear(4000, 2000), ROW, tmp_path)
    assert not list(tmp_path.iterdir())


def test_figures_are_kept_with_the_weights_they_were_measured_on_and_no_others(folder):
    own = weights.published("tiny", folder)
    measured = {
        "model": f"tiny 1 {own.sha256[:12]}",
        "iou": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9},
        "by_x": {},
    }
    record_figures(measured, "tiny", "nine photos", folder)
    assert weights.published("tiny", folder).metrics == {"nine photos": {"iou": measured["iou"]}}
    with pytest.raises(ValueError, match="measured was"):
        record_figures(measured | {"model": "tiny 1 abc"}, "tiny", "nine photos", folder)


@pytest.mark.parametrize("name", ["segmentation", "classification"])
def test_what_ships_is_small_says_its_sources_and_was_not_tampered_with(name):
    own = weights.published(name)
    file = weights.FOLDER / own.file
    assert file.suffix == ".safetensors" and file.stat().st_size <= 15_000_000
    assert own.licences and own.recipe and own.metrics
    assert own._bytes()  # raises if the hash is another
    assert not list(weights.FOLDER.glob("*.p*t*"))  # no pickle beside it
