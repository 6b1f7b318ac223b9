"""The cards in docs/models say what the table of weights says."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from inference_worker import weights
from inference_worker.training.card import OWN, PROSE, card_of, main

CARDS = Path(__file__).resolve().parents[2] / "docs/models"


@pytest.mark.parametrize("name", sorted(weights.table()))
def test_a_card_is_as_new_as_its_weights(name):
    assert (CARDS / f"{name}.md").read_text(encoding="utf-8") == card_of(weights.published(name))


@pytest.mark.parametrize("name", sorted(weights.table()))
def test_a_card_names_hash_sources_and_figures_with_their_n(name):
    own = weights.published(name)
    card = card_of(own)
    assert own.sha256 in card
    assert all(line in card for line in own.licences)
    for figures in own.metrics.values():
        for figure, measured in figures.items():
            row = next(line for line in card.splitlines() if line.startswith(f"| {figure} |"))
            assert row.endswith(" |") and str(measured["n"]) in card
    assert all(text in card for text in PROSE[name].values())


def test_a_figure_that_could_not_be_measured_is_a_dash():
    own = weights.published("segmentation")
    hollow = {"some photos": {"lesion_iou": {"value": None, "low": None, "high": None, "n": 0}}}
    assert "| lesion_iou | - | - | 0 |" in card_of(dataclasses.replace(own, metrics=hollow))


def test_a_clinics_card_lies_beside_its_weights_and_makes_no_claims_for_the_shipped_ones(tmp_path):
    shutil.copytree(weights.FOLDER, tmp_path, dirs_exist_ok=True)
    rows = json.loads((tmp_path / "table.json").read_text())
    own = next(row for row in rows if row["name"] == "classification")
    (tmp_path / "table.json").write_text(json.dumps([own | {"recipe": {"dataset": "ours"}}]))
    main(["--weights", str(tmp_path)])
    card = (tmp_path / "classification.md").read_text(encoding="utf-8")
    assert OWN["for"] in card and PROSE["classification"]["for"] not in card
    assert not (tmp_path / "segmentation.md").exists()
