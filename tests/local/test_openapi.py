"""docs/openapi.json matches the code, and `./run check` detects differences."""

from __future__ import annotations

from subprocess import CompletedProcess

import pytest

from local import openapi
from local.checks import CHECKS


@pytest.fixture(scope="module")
def said() -> CompletedProcess[str]:
    return openapi.describe()


def test_the_committed_description_is_current(said):
    assert said.returncode == 0, said.stderr
    assert openapi.FILE.read_text() == said.stdout
    assert "docs/openapi.json is current" in CHECKS


@pytest.mark.parametrize(
    "change", [lambda text: text + " ", lambda text: text.replace("uuid", "string", 1), None]
)
def test_a_description_that_differs_or_is_missing_fails_and_can_be_written(
    said, monkeypatch, tmp_path, capsys, change
):
    monkeypatch.setattr(openapi, "FILE", tmp_path / "openapi.json")
    monkeypatch.setattr(openapi, "describe", lambda: said)
    if change:
        openapi.FILE.write_text(change(said.stdout))
    assert openapi.main(["--check"]) == 1
    assert "./run openapi writes it" in capsys.readouterr().err
    assert openapi.main([]) == 0
    assert openapi.main(["--check"]) == 0
