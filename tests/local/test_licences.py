"""Packages that may not be shipped are named, in whatever field their licence is declared."""

from __future__ import annotations

from importlib.metadata import Distribution, distribution
from importlib.util import find_spec
from pathlib import Path

import pytest

from local import licences


def planted(
    folder: Path, name: str, *lines: str, files: tuple[str, ...] = (), version: str = "1.0"
) -> Distribution:
    """Write the metadata of a package as an installer does."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines]) + "\n"
    )
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    return Distribution.at(info)


@pytest.mark.parametrize(
    "lines",
    [
        ["License-Expression: GPL-3.0-or-later"],
        ["License-Expression: AGPL-3.0-only"],
        ["License-Expression: MIT AND GPL-2.0-only"],
        ["License-Expression: (MIT OR Apache-2.0) AND GPL-2.0-only"],
        ["License: GPLv2"],
        ["License: GNU AGPL v3"],
        ["License: GPLv2", "Classifier: License :: OSI Approved :: MIT License"],
        ["License: MIT", "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)"],
        ["Classifier: License :: Other/Proprietary License"],
        ["License: ask us"],
        [],
    ],
)
def test_a_package_under_the_gpl_or_of_unknown_licence_is_named(tmp_path, lines):
    assert licences.faults_of(planted(tmp_path, "fake", *lines))


@pytest.mark.parametrize(
    "lines",
    [
        ["License-Expression: MIT"],
        ["License-Expression: GPL-2.0-only OR MIT"],
        ["License-Expression: LGPL-3.0-only"],
        ["License-Expression: BSD-3-Clause AND Zlib AND CC0-1.0"],
        ["License: BSD", "Classifier: License :: OSI Approved :: BSD License"],
        ["License: Dual License", "Classifier: License :: OSI Approved :: Apache Software License"],
        ["Classifier: License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)"],
    ],
)
def test_a_package_under_an_allowed_licence_passes(tmp_path, lines):
    assert licences.faults_of(planted(tmp_path, "fake", *lines)) == []


def test_a_gpl_library_inside_a_wheel_is_named_despite_the_licence_of_the_wheel(tmp_path):
    files = (
        "fake.libs/libx265-4883ecb5.so.217",
        "fake/lib/libcufftw.so.12",
        "fake.libs/libheif-7a3e919c.so.1",
    )
    faults = licences.faults_of(planted(tmp_path, "fake", "License-Expression: MIT", files=files))
    assert len(faults) == 1 and "libx265" in faults[0]


def test_an_exception_ends_with_the_next_major_version(tmp_path):
    odd = "Classifier: License :: Other/Proprietary License"
    assert licences.faults_of(planted(tmp_path, "qrcode", odd, version="8.2")) == []
    assert licences.faults_of(planted(tmp_path, "qrcode", odd, version="9.0"))


def test_a_planted_package_of_a_lock_file_fails_the_check(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    planted(tmp_path, "fake-gpl", "License-Expression: GPL-3.0-only")
    lock = tmp_path / "requirements-web.lock"
    lock.write_text(
        "fake-gpl==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\nabsent==1 ; sys_platform == 'win32'\nlost==1\n"
    )
    monkeypatch.setattr(licences, "LOCKS", (lock,))
    assert [line.split()[0] for line in licences.faults()] == ["fake-gpl", "lost:"]


@pytest.mark.skipif(not find_spec("pillow_heif"), reason="needs [dev]")
def test_the_wheel_with_an_encoder_would_be_refused_and_is_in_neither_image():
    assert any("x265" in fault for fault in licences.faults_of(distribution("pillow-heif")))
    assert all("pillow-heif" not in lock.read_text() for lock in licences.LOCKS)
