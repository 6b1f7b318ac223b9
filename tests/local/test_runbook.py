"""docs/runbook.md is what `./run runbook` writes, and both languages say the same number of things."""

from __future__ import annotations

import tomllib

import pytest

from local import runbook

SECTIONS = tomllib.loads(runbook.SOURCE.read_text())


def test_the_document_is_what_the_product_says():
    assert runbook.FILE.read_text() == runbook.document(), "./run runbook writes it"


@pytest.mark.parametrize("kind", SECTIONS)
def test_a_section_is_complete_in_both_languages(kind):
    english, japanese = SECTIONS[kind]["en"], SECTIONS[kind]["ja"]
    assert english.keys() == japanese.keys() == {"title", "meaning", "patients", "steps", "check"}
    assert len(english["steps"]) == len(japanese["steps"]) >= 1
    assert all(english.values()) and all(japanese.values())
