"""The model cards match the table of weights and answer every question of the checklists."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path

import pytest

from inference_worker.models import weights
from training import card
from training.card import card_of, gaps, markdown

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(weights.table())
FIGURE = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 20}
HOLLOW = {"value": None, "low": None, "high": None, "n": 0}


@pytest.fixture
def own():
    return weights.published("segmentation")


def item(data, key):
    return next(item for item in data["items"] if item["key"] == key)


def test_the_committed_cards_match_the_table(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert list(card.stale()) == []


def test_an_outdated_card_is_found(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    for name in NAMES:
        (tmp_path / f"{name}.md").write_text((card.MARKDOWN / f"{name}.md").read_text())
    monkeypatch.setattr(card, "MARKDOWN", tmp_path)
    assert list(card.stale()) == []
    (tmp_path / "segmentation.md").write_text("# Model card")
    assert ["segmentation.md is not as new" in line for line in card.stale()] == [True]


@pytest.mark.parametrize("name", NAMES)
def test_every_question_is_answered(name):
    assert list(gaps(card_of(weights.published(name)))) == []


@pytest.mark.parametrize("language", card.LANGUAGES)
@pytest.mark.parametrize("answer", [{}, {"en": " ", "ja": " "}])
def test_an_empty_or_missing_answer_is_reported_by_item_and_language(own, language, answer):
    data = card_of(own)
    item(data, "failures")["answer"] = answer
    assert f"segmentation: failures has no answer in {language}" in gaps(data)


def test_a_missing_item_is_a_gap(own):
    data = card_of(own)
    data["items"].remove(item(data, "failures"))
    assert list(gaps(data)) == ["segmentation: failures is not among the items"]


def test_an_item_without_text_for_a_network_is_a_gap(own):
    stranger = dataclasses.replace(own, name="stranger")
    assert "stranger: failures has no answer in en" in gaps(card_of(stranger))


@pytest.mark.parametrize(
    ("lacking", "gap"),
    [
        ({"licences": (), "metrics": {}}, "says nothing of performance"),
        ({"metrics": {"some photos": {}}}, "says nothing of performance"),
        ({"subgroups": {}}, "says nothing of bias"),
        ({"subgroups": {"x": {"source": {"a": {"iou": FIGURE}}}}}, "no subgroups by distance"),
        ({"subgroups": {"x": {"distance": {"a": {"iou": HOLLOW}}}}}, "says nothing of bias"),
    ],
)
def test_an_empty_table_is_a_gap(own, lacking, gap):
    assert any(gap in line for line in gaps(card_of(dataclasses.replace(own, **lacking))))


def test_a_gap_fails_the_check(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert card.main(["--check"]) == 0
    monkeypatch.setattr(card, "gaps", lambda data: iter(["segmentation: failures has no answer in ja"]))
    assert card.main(["--check"]) == 1
    assert "no answer in ja" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_a_card_names_hash_sources_and_figures_with_their_n(name):
    own = weights.published(name)
    text = markdown(card_of(own))
    assert own.sha256 in text
    assert all(line in text for line in own.licences)
    for figures in own.metrics.values():
        for figure, measured in figures.items():
            rows = [line.replace("*", "") for line in text.splitlines()]
            assert any(r.startswith(f"| {figure} |") and r.endswith(f"| {measured['n']} |") for r in rows)


def test_a_subgroup_of_fewer_than_twenty_photos_is_in_italics(own):
    groups = {"light": {"iou": FIGURE}, "dark": {"iou": FIGURE | {"n": 19}}, "none": {"iou": HOLLOW}}
    data = card_of(dataclasses.replace(own, subgroups={"drawn": {"tone": groups}}))
    (table,) = item(data, "bias")["tables"]
    assert table["few"] == [False, True]
    lines = markdown(data).splitlines()
    assert "| light | iou | 0.500 | 0.400 to 0.600 | 20 |" in lines
    assert "| *dark* | *iou* | *0.500* | *0.400 to 0.600* | *19* |" in lines
    assert not any(line.startswith("| none") for line in lines)


def test_a_figure_that_was_not_measured_is_a_dash(own):
    data = card_of(dataclasses.replace(own, metrics={"some photos": {"lesion_iou": HOLLOW}}))
    assert "| *lesion_iou* | *-* | *-* | *0* |" in markdown(data)


def test_the_page_gets_the_card_in_both_languages(own):
    data = json.loads(card.files()[card.PAGES / "segmentation.json"])
    assert data == copy.deepcopy(card_of(own))
    assert all(item["question"]["ja"] != item["question"]["en"] for item in data["items"])


# --- A clinic's own weights -------------------------------------------------------------------------------
@pytest.fixture
def clinics(tmp_path):
    """A folder of weights that a clinic trained on its own dataset."""
    row = next(
        r for r in json.loads((weights.FOLDER / "table.json").read_text()) if r["name"] == "classification"
    )
    (tmp_path / "table.json").write_text(json.dumps([row | {"recipe": {"dataset": "ours"}}]))
    return tmp_path


def test_a_clinics_card_is_stored_with_its_weights_without_claims_of_the_shipped_ones(clinics, capsys):
    assert card.main(["--weights", str(clinics)]) == 0
    text = (clinics / "classification.md").read_text(encoding="utf-8")
    shipped = card_of(weights.published("classification"))
    for key in ("purpose", "labels", "external", "evaluation"):
        assert item(shipped, key)["answer"]["en"] not in text
    assert "on its own patients and cameras" in text and card.UNANSWERED in text
    assert item(shipped, "safety")["answer"]["en"] in text
    assert "labels has no answer in en" in capsys.readouterr().out
    assert not (clinics / "segmentation.md").exists()


def test_a_clinic_adds_its_own_answers_in_its_folder(clinics, capsys):
    (clinics / "card.toml").write_text('[labels]\nen = "Two dermatologists and PCR."\n')
    card.main(["--weights", str(clinics)])
    assert "Two dermatologists and PCR." in (clinics / "classification.md").read_text(encoding="utf-8")
    assert "labels has no answer in en" not in capsys.readouterr().out
