"""`./run sbom [--advisories ZIP]`: what is shipped, as CycloneDX; or which of it has a known vulnerability.

cyclonedx-bom lists the components of a lock file with their hashes, torch by the pin in `run`, and the licences of what
is installed here. The ZIP is a saved copy of https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip: no service
is asked, because one that cannot be reached looks like one that knows of nothing. Vulnerabilities that are accepted for
a while stand in `local/advisories.toml` with the day on which that ends; any other one makes the exit status 1.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WITH_TORCH = {"requirements.lock", "requirements-gpu.lock"}
EXCEPTIONS = ROOT / "local" / "advisories.toml"
CYCLONEDX = Path(sys.executable).with_name("cyclonedx-py")
# Validation takes ten times as long as the rest; tests/local/test_sbom.py validates the final document.
OPTIONS = ("--output-format=JSON", "--spec-version=1.5", "--output-reproducible", "--no-validate", "-o", "-")

Component = dict[str, Any]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run sbom", description=__doc__)
    parser.add_argument("--lock", type=Path, default=ROOT / "requirements.lock")
    parser.add_argument("--advisories", type=Path, metavar="ZIP")
    options = parser.parse_args(arguments)
    if options.advisories is None:
        print(json.dumps(bill_of_materials(options.lock), indent=1))
        return 0
    components = bill_of_materials(options.lock)["components"]
    rows = tomllib.loads(EXCEPTIONS.read_text()).get("exception", [])
    accepted = {row["id"]: row for row in rows if row["until"] >= datetime.date.today()}
    found, unaccepted = list(vulnerabilities(components, options.advisories)), 0
    for component, advisory in found:
        line = f"{component['name']} {component['version']}: {advisory['id']} {advisory.get('summary', '')}"
        if row := accepted.get(advisory["id"]):
            line += f" (until {row['until']}: {row['why']})"
        unaccepted += row is None
        print(line)
    print(
        f"{len(components)} components, {len(found)} known vulnerabilities, {unaccepted} without an exception"
    )
    return int(bool(unaccepted))


@functools.cache
def bill_of_materials(lock: Path) -> dict[str, Any]:
    """Return a CycloneDX 1.5 document of the packages of a lock file, and torch where it is installed beside."""
    text = lock.read_text()
    if lock.name in WITH_TORCH:
        pins = re.findall(r'"((?:torch|torchvision)==[^"]+)"', (ROOT / "run").read_text())
        text += "\n".join(["", *pins])
    bill = _cyclonedx("requirements", f"--pyproject={ROOT / 'pyproject.toml'}", "-", text=text)
    installed = {_pinned(each): each for each in _cyclonedx("environment", sys.executable)["components"]}
    for component in bill["components"]:
        if licences := installed.get(_pinned(component), {}).get("licenses"):
            component["licenses"] = licences
    return bill


def _cyclonedx(*arguments: str, text: str = "") -> dict[str, Any]:
    done = subprocess.run(
        [CYCLONEDX, arguments[0], *OPTIONS, *arguments[1:]],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"cyclonedx-py {arguments[0]} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def _pinned(component: Component) -> tuple[str, str]:
    return plain(component["name"]), component.get("version", "")


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def vulnerabilities(
    components: list[Component], advisories: Path
) -> Iterator[tuple[Component, dict[str, Any]]]:
    """Yield each component with each advisory (OSV) that names its version and was not withdrawn."""
    try:
        with zipfile.ZipFile(advisories) as archive:
            rows = [json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json")]
    except (OSError, zipfile.BadZipFile) as error:
        sys.exit(f"{advisories} cannot be read as a ZIP of advisories: {error}")
    if not rows:
        sys.exit(f"{advisories} holds no advisory")
    ours = {_pinned(component): component for component in components}
    for row in rows:
        for affected in row.get("affected", []) if not row.get("withdrawn") else []:
            name = plain(affected.get("package", {}).get("name", ""))
            for version in affected.get("versions", []):
                if component := ours.get((name, version)):
                    yield component, row
