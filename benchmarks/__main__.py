"""`./run bench [NAME...] [--json OUT]`: measure, print each figure beside its goal, write docs/performance.md.

Exit code 1 where a goal is missed. Each benchmark is a module with a docstring, `add_arguments(parser)` and
`run(options) -> Section`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import page
from benchmarks.frame import Section, number, place

BENCHMARKS = {
    "draft": "benchmarks.draft",
    "intake": "benchmarks.intake",
    "loading": "benchmarks.loading",
    "memory": "benchmarks.memory",
    "pages": "benchmarks.pages",
    "plan": "benchmarks.plan",
    "queue": "benchmarks.queueing",
    "upload": "benchmarks.upload",
    "worker": "benchmarks.worker",
}


def main(arguments: Sequence[str] | None = None) -> int:
    modules = {name: importlib.import_module(path) for name, path in BENCHMARKS.items()}
    parser = argparse.ArgumentParser(
        prog="./run bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(modules)}; all without one")
    parser.add_argument("--json", type=Path, help="write all figures to this file, too")
    parser.add_argument("--no-page", action="store_true", help="leave docs/performance.md as it is")
    for name, module in modules.items():
        module.add_arguments(parser.add_argument_group(name))
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(modules):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(modules)}")
    reached, found = True, {}
    for name in options.names or modules:
        section = modules[name].run(options)
        where = place()
        print("\n".join(report(section)), flush=True)
        if not options.no_page:
            page.write(section, where)
        found[name] = {"where": where, "goals": [goal.as_json() for goal in section.goals]}
        reached = reached and section.reached
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0 if reached else 1


def report(section: Section) -> list[str]:
    """Return the lines that the terminal shows: every figure beside its goal."""
    widest = max((len(goal.name) for goal in section.goals), default=0)
    lines = ["", section.title]
    for goal in section.goals:
        mark = "pass" if goal.reached else "MISS"
        lines.append(
            f"{mark}  {goal.name:{widest}}  {number(goal.value):>9} {goal.unit:7} goal {goal.wanted}"
        )
    missed = sum(not goal.reached for goal in section.goals)
    return [*lines, f"{missed} of {len(section.goals)} goals missed"]


if __name__ == "__main__":
    sys.exit(main())
