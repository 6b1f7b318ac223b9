"""`./run bench pages` as a whole at 200 submissions: fill, real web server, every figure. It asserts no time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def goals(tmp_path_factory) -> dict[str, dict]:
    out = tmp_path_factory.mktemp("bench") / "out.json"
    command = [
        "-m",
        "benchmarks",
        "pages",
        "--submissions",
        "200",
        "--rounds",
        "2",
        "--no-page",
        "--json",
        str(out),
    ]
    own = ("TELEDER_", "DATABASE_", "REDIS_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1) and out.exists(), done.stderr[-3000:]
    return {goal["name"]: goal for goal in json.loads(out.read_text())["pages"]["goals"]}


def test_every_page_answers_with_few_queries(goals):
    counted = {name: goal for name, goal in goals.items() if name.endswith(": queries")}
    assert len(counted) >= 15
    assert [name for name, goal in counted.items() if not goal["reached"]] == []


def test_what_the_fill_made_breaks_no_invariant(goals):
    assert goals["check_record on the filled tables: broken"]["value"] == 0


def test_polls_are_answered_304(goals):
    assert goals["poll of the worklist: share answered 304"]["reached"]


def test_every_figure_was_measured(goals):
    assert [name for name, goal in goals.items() if goal["value"] is None] == []
