"""`python -m training.prepare_files FILE... --json` prints for each file what the worker's preparation would make of it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from contract.photos import FILE_LIMIT_BYTES
from inference_worker.preparation import prepare


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per file; 0 also where files are rejected."""
    parser = argparse.ArgumentParser(prog="python -m training.prepare_files", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    options = parser.parse_args(arguments)
    for path in options.files:
        row = _row(path)
        print(json.dumps(row, ensure_ascii=False) if options.json else _line(row), flush=True)
    return 0


def _row(path: Path) -> dict:
    with path.open("rb") as file:
        preparation = prepare(file.read(FILE_LIMIT_BYTES + 1))
    outcome = preparation.outcome
    row = {"file": str(path), "accepted": bool(preparation.copies)}
    row |= {"reason": outcome.reason, "fault": outcome.fault, "seconds": outcome.seconds}
    if preparation.copies:
        shown = ("format", "width", "height", "stripped", "quality")
        row |= {name: getattr(outcome, name) for name in shown} | {"orientation": preparation.orientation}
    return row


def _line(row: dict) -> str:
    if not row["accepted"]:
        return f"{row['file']}: rejected, {row['reason']}"
    stripped = ", ".join(row["stripped"]) or "nothing"
    quality_note = f", {row['reason']}: {row['fault']}" if row["fault"] else ""
    return (
        f"{row['file']}: accepted, {row['format']} {row['width']}x{row['height']}, "
        f"orientation {row['orientation']}, stripped {stripped}{quality_note}"
    )


if __name__ == "__main__":
    sys.exit(main())
