"""The workarounds were reviewed for the installed versions."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from contract import celery_fixes


@pytest.mark.parametrize("package", celery_fixes.REVIEWED)
def test_a_new_version_must_be_reviewed(package):
    assert version(package) == celery_fixes.REVIEWED[package], (
        f"Read contract/celery_fixes for {package} {version(package)}: is a fault fixed, has a replaced name moved? "
        "Then change its docstrings and REVIEWED."
    )


def test_every_workaround_names_the_version_that_fixes_it():
    folder = Path(celery_fixes.__file__).parent
    for path in folder.glob("[a-z]*.py"):
        assert f"| {path.stem} |" in celery_fixes.__doc__
        assert "ot fixed as of" in path.read_text() or "ended in" in path.read_text()
