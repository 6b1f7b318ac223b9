"""`./run contract [--examples N]`: four callers' made-up requests against the API's description, with figures."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from pathlib import Path

from local import tests

TEST = "tests/api/test_generated_requests.py"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run contract", description=__doc__)
    parser.add_argument("--examples", type=int, default=50, help="for each operation, caller and mode")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="teleder-contract-") as folder:
        figures = Path(folder) / "figures"
        os.environ |= {
            "TELEDER_CONTRACT_EXAMPLES": str(options.examples),
            "TELEDER_CONTRACT_FIGURES": str(figures),
        }
        code = tests.main([TEST, "-q", "-n", "2"])
        rows = [json.loads(line) for line in figures.read_text().splitlines()] if figures.exists() else []
    for row in rows:
        print(f"{row['caller']:>7}, {row['mode']:8}: {_line(Counter(row['answers']), row['broken'])}")
    total: Counter[str] = sum((Counter(row["answers"]) for row in rows), Counter())
    print(f"{_line(total, sum(row['broken'] for row in rows))}; {time.monotonic() - began:.0f} s")
    return code


def _line(answers: Counter[str], broken: int) -> str:
    operations = {label.rpartition(" ")[0] for label in answers}
    kinds: Counter[str] = Counter()
    for label, count in answers.items():
        kinds[f"{label.rpartition(' ')[2][0]}xx"] += count
    told = ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items()))
    return (
        f"{len(operations)} operations, {answers.total()} examples: {told}; "
        f"{kinds['5xx']} x 5xx, {broken} kinds of answer that are not as described"
    )
