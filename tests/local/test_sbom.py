"""Shipped packages are listed, and their known vulnerabilities are found without a network service."""

from __future__ import annotations

import datetime
import json
import zipfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from local import sbom

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
WEB = ROOT / "requirements-web.lock"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_line_of_a_lock_is_a_component_with_its_hashes(lock):
    components = sbom.bill_of_materials(lock)["components"]
    hashed = [each for each in components if each.get("externalReferences", [{}])[0].get("hashes")]
    lines = [line for line in lock.read_text().splitlines() if "==" in line and line[0].isalnum()]
    assert len(hashed) == len(lines) > 20
    pinned_elsewhere = {each["name"] for each in components} - {each["name"] for each in hashed}
    assert pinned_elsewhere == ({"torch", "torchvision"} if lock.name in sbom.WITH_TORCH else set())


def test_the_bill_is_valid_and_has_package_urls_and_licences():
    bill = sbom.bill_of_materials(WEB)
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(json.dumps(bill)) is None
    assert bill["metadata"]["component"]["name"] == "teleder"
    components = {each["name"]: each for each in bill["components"]}
    assert components["django"]["purl"].startswith("pkg:pypi/django@5.2.")
    assert components["django"]["licenses"][0]["license"]["id"] == "BSD-3-Clause"
    assert sum("licenses" in each for each in components.values()) > 0.8 * len(components)


@pytest.fixture
def advisories(tmp_path):
    """A saved file with one advisory for our version, one that is withdrawn and one for another version."""
    components = sbom.bill_of_materials(WEB)["components"]
    django = next(each["version"] for each in components if each["name"] == "django")

    def row(name: str, version: str, **more) -> dict:
        return {"id": name, "affected": [{"package": {"name": "Django"}, "versions": [version]}], **more}

    file = tmp_path / "all.zip"
    rows = [
        row("GHSA-1", django),
        row("GHSA-2", django, withdrawn="2026"),
        row("GHSA-3", "0.1"),
    ]
    with zipfile.ZipFile(file, "w") as archive:
        for each in rows:
            archive.writestr(f"{each['id']}.json", json.dumps(each))
    return file


def test_a_known_vulnerability_fails_the_command(advisories, capsys):
    assert sbom.main([f"--lock={WEB}", "--advisories", str(advisories)]) == 1
    output = capsys.readouterr().out
    assert "GHSA-1" in output and "GHSA-2" not in output and "GHSA-3" not in output


@pytest.mark.parametrize(("days", "code"), [(1, 0), (-1, 1)])
def test_an_exception_is_valid_until_its_date(advisories, tmp_path, monkeypatch, days, code):
    until = datetime.date.today() + datetime.timedelta(days)
    (tmp_path / "x.toml").write_text(f'[[exception]]\nid = "GHSA-1"\nuntil = {until}\nwhy = "not called"\n')
    monkeypatch.setattr(sbom, "EXCEPTIONS", tmp_path / "x.toml")
    assert sbom.main([f"--lock={WEB}", "--advisories", str(advisories)]) == code


def test_a_file_without_advisories_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(SystemExit):
        sbom.main([f"--lock={WEB}", "--advisories", str(tmp_path / "all.zip")])


def test_a_file_that_is_not_a_zip_is_refused_by_name(tmp_path):
    missing = tmp_path / "missing.zip"
    with pytest.raises(SystemExit, match=r"missing\.zip cannot be read"):
        list(sbom.vulnerabilities([], missing))
