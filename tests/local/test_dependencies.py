"""Every import of our code is declared, since a fresh machine has nothing else."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from local.lock import LOCKS, OF_TORCH

ROOT = Path(__file__).resolve().parents[2]
OURS = {
    "contract",
    "teleder",
    "decoding",
    "registration",
    "inference_worker",
    "training",
    "local",
    "drills",
    "benchmarks",
    "tests",
    "manage",
}
PEERS = ROOT / "benchmarks/peers"  # in an environment of their own
# Part of a declared package, whose API uses theirs.
ALONG = {
    "billiard": "celery",
    "cyclonedx": "cyclonedx-bom",
    "fido2": "django-allauth",
    "kombu": "celery",
    "packaging": "pytest",
    "playwright": "pytest-playwright",
}
# package -> the extras that are installed where it runs
EXTRAS = {
    "contract": [],
    "teleder": [],
    "decoding": ["inference"],
    "registration": ["inference"],
    "inference_worker": ["inference", "torch"],
    "training": ["inference", "torch", "training"],
    "local": ["inference", "local", "dev", "furigana"],
    "drills": ["inference", "torch", "training", "local", "dev"],
    "benchmarks": ["inference", "torch", "training", "local", "dev"],
    "tests": ["inference", "torch", "training", "local", "dev"],
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
    files = [file for file in (ROOT / package).rglob("*.py") if PEERS not in file.parents]
    assert undeclared(files, EXTRAS[package]) == set()


def test_only_torchs_own_modules_need_the_torch_extra():
    """The image of a worker on a CPU has no torch."""
    files = (ROOT / "inference_worker").rglob("*.py")
    others = [file for file in files if not file.name.startswith("torch_")]
    assert undeclared(others, ["inference"]) == set()


def undeclared(files: Iterable[Path], extras: list[str]) -> set[tuple[str, str]]:
    """Return each import that none of the declared packages brings, and its file."""
    brought_by = packages_distributions()
    known, missing = declared(extras), set()
    for file in files:
        for name in set(imported(file)) - OURS - set(sys.stdlib_module_names):
            if not known & {plain(each) for each in [*brought_by.get(name, []), ALONG.get(name, name)]}:
                missing.add((name, str(file.relative_to(ROOT))))
    return missing


@pytest.mark.parametrize(("name", "extras"), LOCKS.items())
def test_each_lock_file_fits_what_is_declared(name, extras):
    """A pin in pyproject.toml alone changes nothing: CI installs what is locked, and kept a pytest that was ruled out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    wanted = [Requirement(text) for group in groups for text in group]
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))
    named = [one for one in wanted if plain(one.name) in locked]
    unfit = [
        f"{one} is locked at {locked[plain(one.name)]}"
        for one in named
        if locked[plain(one.name)] not in one.specifier
    ]
    assert not unfit
    assert {plain(one.name) for one in wanted} - locked.keys() <= set(OF_TORCH)
