"""What is shipped is listed, and what of it is known to be weak is named without asking anybody."""

from __future__ import annotations

import datetime
import json
import zipfile
from pathlib import Path

import pytest

from local import sbom

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_line_of_a_lock_is_a_part_with_its_hashes(lock):
    parts = list(sbom.parts_of(lock))
    locked = [part for part in parts if part.hashes]
    assert (
        len(locked) == sum("==" in line and line[0].isalnum() for line in lock.read_text().splitlines()) > 20
    )
    assert {part.name for part in parts} - {part.name for part in locked} <= {"torch", "torchvision"}


def test_the_bill_names_django_and_torch():
    parts = {
        row["name"]: row for row in sbom.bill(list(sbom.parts_of(ROOT / "requirements.lock")))["components"]
    }
    assert parts["django"]["purl"].startswith("pkg:pypi/django@5.2.")
    assert parts["torch"]["version"] and len(parts["django"]["properties"]) >= 1


@pytest.fixture
def advisories(tmp_path):
    """A saved file with one advisory that hits us, one that is withdrawn and one for another version."""
    django = next(part for part in sbom.parts_of(ROOT / "requirements.lock") if part.name == "django")

    def row(name: str, version: str, **more) -> dict:
        return {"id": name, "affected": [{"package": {"name": "Django"}, "versions": [version]}], **more}

    file = tmp_path / "all.zip"
    rows = [
        row("GHSA-1", django.version),
        row("GHSA-2", django.version, withdrawn="2026"),
        row("GHSA-3", "0.1"),
    ]
    with zipfile.ZipFile(file, "w") as archive:
        for each in rows:
            archive.writestr(f"{each['id']}.json", json.dumps(each))
    return file


def test_a_known_weakness_fails_the_command(advisories, capsys):
    assert sbom.main(["--advisories", str(advisories)]) == 1
    told = capsys.readouterr().out
    assert "GHSA-1" in told and "GHSA-2" not in told and "GHSA-3" not in told


@pytest.mark.parametrize(("days", "code"), [(1, 0), (-1, 1)])
def test_an_exception_holds_until_its_day(advisories, tmp_path, monkeypatch, days, code):
    until = datetime.date.today() + datetime.timedelta(days)
    (tmp_path / "x.toml").write_text(f'[[exception]]\nid = "GHSA-1"\nuntil = {until}\nwhy = "not called"\n')
    monkeypatch.setattr(sbom, "EXCEPTIONS", tmp_path / "x.toml")
    assert sbom.main(["--advisories", str(advisories)]) == code


def test_a_file_without_advisories_is_not_taken_for_good_news(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(SystemExit):
        sbom.main(["--advisories", str(tmp_path / "all.zip")])


def test_a_file_that_is_no_zip_is_named(tmp_path):
    missing = tmp_path / "missing.zip"
    with pytest.raises(SystemExit, match=r"missing\.zip cannot be read"):
        list(sbom.weaknesses([], missing))
