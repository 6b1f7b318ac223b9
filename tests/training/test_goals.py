"""The page of all goals says what the pages of the measurements say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[2] / "docs/models"
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?%?")


def goals() -> list[list[str]]:
    lines = (MODELS / "goals.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return rows[2:]  # below the head


def test_every_goal_says_whether_it_was_reached():
    assert len(goals()) > 30 and {len(row) for row in goals()} == {4}
    assert all(row[2] for row in goals())


@pytest.mark.parametrize("row", goals(), ids=lambda row: row[0][:60])
def test_a_measured_figure_stands_on_the_page_that_it_names(row):
    page = (MODELS / re.search(r"\((\S+)\)$", row[3])[1]).read_text(encoding="utf-8")
    on_page = [set(NUMBER.findall(line)) for line in page.splitlines()]
    for figure in row[1].split(" / "):
        numbers = NUMBER.findall(figure)
        assert len(numbers) >= 3 and any(set(numbers) <= line for line in on_page), figure
