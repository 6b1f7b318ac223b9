"""`./run sbom [--advisories ZIP]`: what is shipped, as CycloneDX; or which of it has a known weakness.

The parts and hashes are those of a lock file, and torch by the pin in `run`. The ZIP is a saved copy of
https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip: no service is asked while this runs, as one that cannot
be reached would look like one that knows of nothing. What we live with for a while stands in `local/advisories.toml`,
with the day on which that ends; exit 1 for anything else.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EXCEPTIONS = ROOT / "local" / "advisories.toml"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.M)


@dataclass(frozen=True)
class Part:
    name: str
    version: str
    hashes: tuple[str, ...] = ()

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name}@{self.version}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run sbom", description=__doc__)
    parser.add_argument("--lock", type=Path, default=ROOT / "requirements.lock")
    parser.add_argument("--advisories", type=Path, metavar="ZIP")
    options = parser.parse_args(arguments)
    parts = list(parts_of(options.lock))
    if options.advisories is None:
        print(json.dumps(bill(parts), indent=1))
        return 0
    return compare(parts, options.advisories)


def parts_of(lock: Path) -> Iterator[Part]:
    """Yield every package of a lock file, and torch, which is pinned in `run`."""
    for block in re.split(r"\n(?=\S)", lock.read_text()):
        if found := PINNED.match(block):
            yield Part(plain(found[1]), found[2], tuple(re.findall(r"sha256:([0-9a-f]{64})", block)))
    if "web" not in lock.name:
        for name, version in re.findall(r'"(torch|torchvision)==([^"]+)"', (ROOT / "run").read_text()):
            yield Part(name, version)


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def bill(parts: list[Part]) -> dict[str, Any]:
    """Return a CycloneDX 1.5 document."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "teleder", "bom-ref": "teleder"}},
        "components": [_component(part) for part in parts],
    }


def _component(part: Part) -> dict[str, Any]:
    component = {"type": "library", "name": part.name, "version": part.version, "purl": part.purl}
    # One for each wheel of the release: a hash of CycloneDX is of the component itself, which is one of them.
    wheels = [{"name": "pypi:sha256", "value": digest} for digest in part.hashes]
    return component | {"bom-ref": part.purl, "properties": wheels}


# --- Known weaknesses -------------------------------------------------------------------------------------
def compare(parts: list[Part], advisories: Path) -> int:
    lived_with = _exceptions(datetime.date.today())
    found = list(weaknesses(parts, advisories))
    for part, advisory in found:
        known = lived_with.get(advisory["id"], "")
        print(f"{part.name} {part.version}: {advisory['id']} {advisory.get('summary', '')} {known}".rstrip())
    open_ones = [advisory for _part, advisory in found if advisory["id"] not in lived_with]
    print(f"{len(parts)} parts, {len(found)} known weaknesses, {len(open_ones)} without an exception")
    return int(bool(open_ones))


def weaknesses(parts: list[Part], advisories: Path) -> Iterator[tuple[Part, dict[str, Any]]]:
    """Yield each part with each advisory (OSV) that names its version and was not withdrawn."""
    try:
        with zipfile.ZipFile(advisories) as archive:
            rows = [json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json")]
    except (OSError, zipfile.BadZipFile) as error:
        sys.exit(f"{advisories} cannot be read as a ZIP of advisories: {error}")
    if not rows:
        sys.exit(f"{advisories} holds no advisory")
    ours = {part.name: part for part in parts}
    for row in rows:
        for affected in row.get("affected", []) if not row.get("withdrawn") else []:
            part = ours.get(plain(affected.get("package", {}).get("name", "")))
            if part and part.version in affected.get("versions", []):
                yield part, row


def _exceptions(today: datetime.date) -> dict[str, str]:
    rows = tomllib.loads(EXCEPTIONS.read_text()).get("exception", [])
    return {row["id"]: f"(until {row['until']}: {row['why']})" for row in rows if row["until"] >= today}
