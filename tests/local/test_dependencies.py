"""Every import of our code is declared, since a fresh machine has nothing else."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {
    "contract",
    "teleder",
    "inference_worker",
    "training",
    "local",
    "drills",
    "benchmarks",
    "tests",
    "manage",
}
# Part of a declared package, whose API uses theirs.
ALONG = {
    "billiard": "celery",
    "cyclonedx": "cyclonedx-bom",
    "fido2": "django-allauth",
    "kombu": "celery",
    "playwright": "pytest-playwright",
}
# package -> the extras that are installed where it runs
EXTRAS = {
    "contract": [],
    "teleder": [],
    "inference_worker": ["inference"],
    "training": ["inference", "training"],
    "local": ["inference", "local", "dev"],
    "drills": ["inference", "training", "local", "dev"],
    "benchmarks": ["inference", "training", "local", "dev"],
    "tests": ["inference", "training", "local", "dev"],
}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", name).group()).lower()


def declared(extras: list[str]) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return {plain(requirement) for group in groups for requirement in group}


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", EXTRAS)
def test_every_import_is_declared(package):
    if "inference" in EXTRAS[package] and not find_spec("torch"):
        pytest.skip("needs [inference]")
    brought_by = packages_distributions()
    known, missing = declared(EXTRAS[package]), set()
    for file in (ROOT / package).rglob("*.py"):
        for name in set(imported(file)) - OURS - set(sys.stdlib_module_names):
            if not known & {plain(each) for each in [*brought_by.get(name, []), ALONG.get(name, name)]}:
                missing.add((name, str(file.relative_to(ROOT))))
    assert missing == set()
