"""Only published weights are loaded."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from contract.alarms import Figure
from inference_worker.models import torch_networks, weights
from training.publish import publish, record_figures

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


def test_published_weights_are_loaded_unchanged_except_for_half_precision(tmp_path):
    network = nn.Linear(4, 2)
    publish(network, ROW, tmp_path)
    loaded = torch_networks.loaded(weights.published("tiny", tmp_path), nn.Linear(4, 2))
    assert torch.allclose(loaded.weight, network.weight, atol=1e-3)
    assert loaded.weight.dtype == torch.float32


def _flip(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


SPOILED = {
    "tampered": (_flip, "expected sha256 {sha256}, found"),
    "truncated": (lambda file: file.write_bytes(file.read_bytes()[:-9]), "expected sha256 {sha256}, found"),
    "missing": (lambda file: file.unlink(), "expected a readable file (No such file"),
    "a pickle": (
        lambda file: torch.save(nn.Linear(4, 2).state_dict(), file),
        "expected sha256 {sha256}, found",
    ),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_changed_weights_file_is_refused_unread_with_the_expected_hash_and_advice(folder, how, monkeypatch):
    own, file = weights.published("tiny", folder), folder / "tiny.safetensors"
    spoil, expected = SPOILED[how]
    spoil(file)
    monkeypatch.setattr(weights.safetensors.numpy, "load", lambda content: pytest.fail("it was parsed"))
    with pytest.raises(weights.RefusedWeightsError) as refused:
        own.parameters()
    output = str(refused.value)
    assert str(file) in output and expected.format(sha256=own.sha256) in output and weights.REMEDY in output


def _row_of_file(folder, file, **more):
    """Add this file with its true hash to the table, as somebody with access to both could."""
    sha256 = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    row = json.loads((folder / "table.json").read_text())[0] | {"file": file, "sha256": sha256} | more
    (folder / "table.json").write_text(json.dumps([row]))


def test_a_pickle_is_never_opened_even_if_its_hash_is_in_the_table(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    (folder / "tiny.pt").write_bytes(pickle.dumps(Trap()))
    _row_of_file(folder, "tiny.pt")
    with pytest.raises(weights.RefusedWeightsError, match=r"tiny\.pt.*a pickle can run code"):
        weights.published("tiny", folder).parameters()
    assert not (tmp_path / "ran").exists()


def test_a_row_with_a_path_outside_the_folder_is_refused(folder):
    outside = folder.parent / f"{folder.name}-outside.safetensors"
    outside.write_bytes((folder / "tiny.safetensors").read_bytes())
    _row_of_file(folder, f"../{outside.name}")
    with pytest.raises(weights.RefusedWeightsError, match="expected a file in"):
        weights.published("tiny", folder).parameters()


@pytest.mark.parametrize("content", ["", "[{}]", '{"name": "tiny"}', '[{"classes": ["a"], "licences": []}]'])
def test_a_table_that_cannot_be_read_is_refused_by_name(folder, content):
    (folder / "table.json").write_text(content)
    with pytest.raises(weights.RefusedWeightsError, match=r"table\.json refused: expected"):
        weights.published("tiny", folder)


@pytest.mark.parametrize(
    "spoilt", [{"temperature": 0}, {"temperature": "1"}, {"thresholds": {"HI": float("nan")}}]
)
def test_a_row_with_unusable_thresholds_is_refused(folder, spoilt):
    _row_of_file(folder, "tiny.safetensors", **spoilt)
    with pytest.raises(weights.RefusedWeightsError, match=r"table\.json refused: expected"):
        weights.published("tiny", folder)


def test_a_network_that_half_precision_cannot_hold_is_not_published(tmp_path):
    network = nn.Linear(4, 2)
    network.weight.data[0, 0] = 1e6
    with pytest.raises(ValueError, match="weight: not finite in half precision"):
        publish(network, ROW, tmp_path)
    assert not (tmp_path / "tiny.safetensors").exists()


def test_unknown_weights_are_refused_and_the_known_ones_named(folder):
    with pytest.raises(weights.UnknownWeightsError, match="tiny"):
        weights.published("huge", folder)


def test_a_clinics_own_weights_replace_the_shipped_ones_of_the_same_name(tmp_path, monkeypatch):
    publish(nn.Linear(4, 2), ROW | {"name": "classification", "version": "ours"}, tmp_path)
    assert weights.published("classification").version != "ours"
    monkeypatch.setenv("TELEDER_WEIGHTS", str(tmp_path))
    assert weights.published("classification").version == "ours"
    assert weights.published("segmentation").folder == weights.FOLDER  # the clinic has none of its own


def test_one_setting_chooses_which_shipped_classification_answers(monkeypatch):
    monkeypatch.delenv("TELEDER_CLASSIFIER", raising=False)
    assert weights.published("classification").name == "classification"
    monkeypatch.setenv("TELEDER_CLASSIFIER", "open")
    chosen = weights.published("classification")
    assert chosen.name == chosen.ref.name == "classification-open" and "MF" not in chosen.classes
    monkeypatch.setenv("TELEDER_CLASSIFIER", "opne")
    with pytest.raises(weights.RefusedWeightsError, match="research or open"):
        weights.published("segmentation")


def test_a_clinics_own_weights_answer_whichever_was_chosen_of_the_shipped(tmp_path, monkeypatch):
    publish(nn.Linear(4, 2), ROW | {"name": "classification", "version": "ours"}, tmp_path)
    monkeypatch.setenv("TELEDER_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TELEDER_CLASSIFIER", "open")
    assert weights.published("classification").version == "ours"


class Shared(nn.Module):
    """Features that several weights have alike, and a layer of one's own."""

    def __init__(self):
        super().__init__()
        self.backbone, self.head = nn.Linear(4, 3), nn.Linear(3, 2)


def test_the_shared_part_has_a_file_of_its_own_and_the_rest_keeps_its_precision(tmp_path):
    network = Shared()
    for name in ("one", "two"):
        publish(network, ROW | {"name": name}, tmp_path, shared="backbone")
    files = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert files == ["classification-backbone.safetensors", "one.safetensors", "two.safetensors"]
    loaded = torch_networks.loaded(weights.published("two", tmp_path), Shared())
    assert torch.equal(loaded.head.weight, network.head.weight)
    assert torch.equal(loaded.backbone.weight, network.backbone.weight.half().float())


def test_a_changed_shared_part_is_refused_by_name(tmp_path):
    publish(Shared(), ROW, tmp_path, shared="backbone")
    _flip(tmp_path / "classification-backbone.safetensors")
    with pytest.raises(
        weights.RefusedWeightsError, match=r"classification-backbone\.safetensors.*expected sha256"
    ):
        weights.published("tiny", tmp_path).parameters()


def test_an_alarm_comes_with_the_figures_that_a_message_can_hold(tmp_path):
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    alarms = {"HI": {"sensitivity": figure, "false_AD": figure}, "IM": {}}
    own = publish(nn.Linear(4, 2), ROW | {"alarms": alarms}, tmp_path)
    assert own.alarm_figures() == {"HI": {"sensitivity": Figure(**figure)}, "IM": {}}


def test_a_folder_without_weights_is_an_error(tmp_path, monkeypatch):
    """After a typing error in the folder the shipped weights must not replace the clinic's."""
    monkeypatch.setenv("TELEDER_WEIGHTS", str(tmp_path / "mistyped"))
    with pytest.raises(weights.RefusedWeightsError, match="mistyped"):
        weights.published("segmentation")


def test_weights_for_another_network_are_refused(folder):
    with pytest.raises(weights.RefusedWeightsError, match="size mismatch"):
        torch_networks.loaded(weights.published("tiny", folder), nn.Linear(5, 2))


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
        "by_tone": {
            "dark": {"iou": {"value": 0.1, "low": 0.0, "high": 0.2, "n": 2}, "recall.AD": {"value": 1}}
        },
        "by_source": {},
    }
    record_figures(measured, "tiny", "nine photos", folder)
    kept = weights.published("tiny", folder)
    assert kept.metrics == {"nine photos": {"iou": measured["iou"]}}
    assert kept.subgroups == {"nine photos": {"tone": {"dark": {"iou": measured["by_tone"]["dark"]["iou"]}}}}
    with pytest.raises(ValueError, match="measured was"):
        record_figures(measured | {"model": "tiny 1 abc"}, "tiny", "nine photos", folder)


COLUMNS = ("sha256", "transform", "temperature", "thresholds", "metrics", "recipe", "licences")


@pytest.mark.parametrize("name", sorted(weights.table()))
def test_shipped_weights_have_everything_needed_to_use_and_assess_them(name):
    own = weights.published(name)
    assert [column for column in COLUMNS if not getattr(own, column)] == []
    figures = [figure for measured in own.metrics.values() for figure in measured.values()]
    assert all(figure.keys() == {"value", "low", "high", "n"} for figure in figures)
    assert all(figure["n"] > 0 or figure["value"] is None for figure in figures)


@pytest.mark.parametrize("name", sorted(weights.table()))
def test_shipped_weights_are_small_list_their_sources_and_match_their_hash(name):
    own = weights.published(name)
    file = weights.FOLDER / own.file
    assert file.suffix == ".safetensors" and file.stat().st_size <= 15_000_000
    assert hashlib.sha256(file.read_bytes()).hexdigest() == own.sha256
    assert not list(weights.FOLDER.glob("*.p*t*"))  # no pickle beside it
