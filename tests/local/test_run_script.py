"""`./run` explains in a sentence why it cannot use a `.venv`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.servers import NAMESPACE

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A checkout whose installation is complete."""
    shutil.copy(ROOT / "run", tmp_path / "run")
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "__main__.py").write_text("print('started')")
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    (venv / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    (venv / "installed").write_text(hashlib.sha256((tmp_path / "run").read_bytes()).hexdigest())
    return tmp_path


def run(checkout: Path) -> subprocess.CompletedProcess:
    """Run it as an ordinary user: root may read everything."""
    prefix = NAMESPACE if os.geteuid() == 0 else []
    if prefix and subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("root needs user namespaces to be an ordinary user")
    return subprocess.run(
        [*prefix, sys.executable, checkout / "run", "check"], capture_output=True, text=True, timeout=60
    )


def dangling(venv: Path) -> None:
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to(venv / "gone")


def not_executable(venv: Path) -> None:
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").write_text("")


def no_program(venv: Path) -> None:
    not_executable(venv)
    (venv / "bin" / "python").write_bytes(b"\0\0")
    (venv / "bin" / "python").chmod(0o755)


BROKEN = {
    "dangling Python": dangling,
    "Python that may not be run": not_executable,
    "Python that is no program": no_program,
    "closed folder": lambda venv: venv.chmod(0),
    "closed programs": lambda venv: (venv / "bin").chmod(0),
    "closed packages": lambda venv: (venv / "lib" / "python3.11" / "site-packages").chmod(0),
    "unreadable note": lambda venv: (venv / "installed").chmod(0),
    "a file in its place": lambda venv: (shutil.rmtree(venv), venv.write_text("")),
}


def test_a_valid_venv_is_used(checkout):
    assert run(checkout).stdout == "started\n"


@pytest.mark.parametrize("name", BROKEN)
def test_an_unusable_venv_is_explained_in_a_sentence(checkout, name):
    BROKEN[name](checkout / ".venv")
    done = run(checkout)
    if (checkout / ".venv").is_dir():
        (checkout / ".venv").chmod(0o755)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and "started" not in done.stdout
    line = done.stderr.strip().splitlines()[-1]
    assert ".venv cannot be used: " in line and "rm -r .venv" in line
