"""`./run bench intake` as a whole with few uploads: real web server, anchor, profile. It asserts no time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live
ROOT = Path(__file__).resolve().parents[2]


def test_every_upload_is_stored_and_every_figure_measured(tmp_path):
    out = tmp_path / "out.json"
    few = ["--intake-rounds", "1", "--intake-share", "0", "--no-page", "--json", str(out)]
    own = ("TELEDER_", "DATABASE_", "REDIS_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "intake", *few],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    # It stops at an answer that is not 201; the last line says which.
    assert done.returncode in (0, 1) and out.exists(), "\n".join(reversed(done.stderr.splitlines()[-30:]))
    goals = {goal["name"]: goal["value"] for goal in json.loads(out.read_text())["intake"]["goals"]}
    assert {"8 connections: p99", "256 connections: against the anchor"} <= goals.keys()
    assert None not in goals.values()
