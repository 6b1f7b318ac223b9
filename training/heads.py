"""Which pictures teach which shipped classification, by licence.

`research` may learn from non-commercial pictures and names CC BY-NC-SA, `open` from those that anyone may use and names
CC BY-SA. Share-alike terms of the two contradict each other, so no head has pictures of both. Nor has `research`
pictures that two teaching repositories took from Wikimedia Commons: their credits could not be checked there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from training.data import ForbiddenRowError, Row, training_rows


def _research(row: Row) -> bool:
    return row.tier in ("open", "nc") and not row.group.startswith("commons_")


def _open(row: Row) -> bool:
    return row.tier == "open"


TERMS = {
    "research": "These weights: CC BY-NC-SA 4.0, for research, non-commercial.",
    "open": "These weights: CC BY-SA 4.0.",
}
HEADS: dict[str, Callable[[Row], bool]] = {"research": _research, "open": _open}


def rows_of(head: str, data: Path) -> list[Row]:
    """Return the pictures that teach a head, from the folder that holds cls/; raises ForbiddenRowError for a mixture."""
    chosen = [row for row in training_rows(data / "cls/manifest.csv", data / "cls") if HEADS[head](row)]
    require_one_share_alike(chosen)
    return chosen


def require_one_share_alike(rows: list[Row]) -> None:
    found = {match[0] for row in rows if (match := re.match(r"CC BY-(NC-)?SA", row.licence))}
    if len(found) > 1:
        raise ForbiddenRowError(
            "pictures under CC BY-SA and under CC BY-NC-SA must not teach the same weights"
        )


def credits_of(rows: list[Row]) -> list[str]:
    """Return a line for each picture: class, file, source, and licence with its author, for the card and the table."""
    lines = [
        f"{row.label} {Path(row.name).name}: {row.source}; {re.sub(r'; privacy:.*', '', row.licence)}"
        for row in rows
    ]
    return sorted(lines)
