"""The documents stay short, and the files and modules they name exist."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*DOCS, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"]
WORD_LIMIT, CELL_LIMIT = 12_000, 200
RUNNING, RUNBOOK, UPGRADE = "running.md", "runbook.md", "upgrade.md"
FIGURES, COPY = "performance.md", "copy.md"
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
PACKAGES = "contract|teleder|decoding|registration|inference_worker|training|local|drills|benchmarks|tests|docs|docker"
PATH = re.compile(rf"(?<![\w./<-])((?:{PACKAGES})/[\w./-]*[\w/])(?![\w*<{{])")
MODULE = re.compile(rf"python -m ((?:{PACKAGES})(?:\.\w+)*)")
TEST = re.compile(r"`(test_\w+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]* src=\"([^\"]+)\"")


def named(pattern: re.Pattern, document: Path) -> list[str]:
    return sorted({"".join(filter(None, found.groups())) for found in pattern.finditer(document.read_text())})


def test_the_documents_are_read_in_an_hour():
    """Count the words outside code, without what is looked up while running it (settings, upgrades, and the runbook, of which one
    section is read when its alert comes) and what is generated (figures, and the list of all sentences, as openapi.json is);
    table bars are not words."""
    left_out = (RUNNING, RUNBOOK, UPGRADE, FIGURES, COPY)
    prose = {page.name: FENCE.sub("", page.read_text()) for page in DOCS if page.name not in left_out}
    words = {name: len(re.findall(r"\S*\w\S*", text)) for name, text in prose.items()}
    assert sum(words.values()) <= WORD_LIMIT, words


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)
def test_no_table_contains_a_paragraph(document):
    rows = [line for line in FENCE.sub("", document.read_text()).splitlines() if line.startswith("|")]
    cells = [cell.strip() for row in rows for cell in row.strip("|").split("|")]
    assert [cell for cell in cells if len(cell) > CELL_LIMIT] == []


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)
def test_every_link_has_a_target(document):
    links = [link for link in named(LINK, document) if not re.match(r"https?://|mailto:", link)]
    for link in links:
        path, _, heading = link.partition("#")
        target = (document.parent / path) if path else document
        assert target.exists(), f"{document.name} links to {link}"
        if heading:
            titles = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert heading in anchors, f"{document.name} links to {link}"


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)
def test_every_named_file_exists(document):
    """A file may be named without its suffix; files ignored by git are created later."""
    missing = [path for path in named(PATH, document) if not exists(path)]
    assert missing == []


def exists(path: str) -> bool:
    place = ROOT / path.rstrip("/.")
    if place.exists() or place.with_suffix(".py").exists():
        return True
    return not subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT).returncode


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)
def test_every_named_module_exists(document):
    assert [module for module in named(MODULE, document) if importlib.util.find_spec(module) is None] == []


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)
def test_every_named_test_exists(document):
    tests = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in named(TEST, document) if f"def {name}(" not in tests] == []


def test_each_decision_is_one_paragraph_and_the_newest_date_is_first():
    """Each date is a heading; below it each paragraph is one decision and begins with the decision."""
    _, *days = re.split(r"^## ", (ROOT / "docs" / "decisions.md").read_text(), flags=re.MULTILINE)
    dates = []
    for day in days:
        date, *decisions = day.strip().split("\n\n")
        dates.append(re.fullmatch(r"\d{4}-\d{2}-\d{2}", date).group())
        for decision in decisions:
            assert re.match(r"\*\*[^*]+\*\* \S", decision), f"{date}: {decision[:60]}"
    assert dates == sorted(set(dates), reverse=True)
