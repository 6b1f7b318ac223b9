"""What a row of LOG.md must hold, so that a command can repeat it: a command, a seed, and which checkpoint it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

LOG = Path(__file__).with_name("LOG.md")
FIRST = "2026-11-28"  # older rows were written before the rule, and are not rewritten
COMMAND = re.compile(r"^ {4,}(?:\S+/)?(?:python -m (?:training|inference_worker)|\./run )", re.MULTILINE)
SEED = re.compile(r"--seed[ =]\d|\bseeds? \d|\bno randomness\b", re.IGNORECASE)
CHECKPOINT = re.compile(r"\bsha256 `?[0-9a-f]{12,64}\b")


def rows(text: str) -> dict[str, str]:
    """Return the text of each row by its heading, newest first."""
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    return dict(part.split("\n", 1) if "\n" in part else (part, "") for part in parts)


def faults(text: str) -> Iterator[str]:
    """Yield what rows since FIRST lack."""
    for heading, body in rows(text).items():
        if heading[:10] < FIRST:
            continue
        if not COMMAND.search(body):
            yield f"{heading}: no command (indented by four, python -m training… or ./run …)"
        if not SEED.search(body):
            yield f"{heading}: no seed (--seed N, seed N, or: no randomness)"
        if not CHECKPOINT.search(body):
            yield f"{heading}: no checkpoint (sha256 and at least 12 of its digits)"
