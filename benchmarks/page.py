"""Writes docs/performance.md: one section a benchmark, between marks; sections of other benchmarks stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.frame import ROOT, Section, number

PAGE = ROOT / "docs" / "performance.md"
HEAD = """# Performance

Written by `./run bench [NAME]`; do not edit. Each section tells when, where and at which commit it was measured.
Absolute times depend on the machine and what else runs on it: compare ratios and CPU time.
"""
BEGIN, END = "<!-- begin {} -->", "<!-- end {} -->"


def write(section: Section, where: Mapping[str, str], page: Path = PAGE) -> None:
    """Put the section in the place of the one of the same name, or at the end, and its plots beside the page."""
    text = page.read_text() if page.exists() else HEAD
    new = "\n".join([BEGIN.format(section.name), *lines_of(section, where), END.format(section.name)])
    old = re.compile(
        re.escape(BEGIN.format(section.name)) + ".*?" + re.escape(END.format(section.name)), re.S
    )
    text = old.sub(lambda _: new, text) if old.search(text) else f"{text.rstrip()}\n\n{new}\n"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text)
    for name, plot in section.plots.items():
        file = page.parent / "performance" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(plot)


def lines_of(section: Section, where: Mapping[str, str]) -> Iterator[str]:
    yield f"## {section.title}"
    yield ""
    yield section.text.strip()
    yield ""
    yield from (f"- {name.capitalize()}: {value}" for name, value in where.items())
    yield ""
    met = sum(goal.reached for goal in section.goals)
    yield f"Goals: {met} of {len(section.goals)} reached."
    yield ""
    rows = [
        (goal.name, goal.value, goal.unit, goal.wanted, "yes" if goal.reached else "**no**")
        for goal in section.goals
    ]
    yield from _table(("figure", "measured", "unit", "goal", "reached"), rows)
    if reasons := dict.fromkeys(goal.why for goal in section.goals if goal.why and not goal.reached):
        yield ""
        yield from (f"- {why}" for why in reasons)
    if section.unmet:
        yield ""
        yield section.unmet.strip()
    for table in section.tables:
        yield ""
        yield f"### {table.title}"
        yield ""
        yield from _table(table.columns, table.rows)
    for name in section.plots:
        yield ""
        yield f"![{Path(name).stem}](performance/{name})"


def _table(columns, rows) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    yield from (f"| {' | '.join(number(value) for value in row)} |" for row in rows)
