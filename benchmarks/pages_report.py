"""What `benchmarks.pages` reports: its goals, tables and the plot."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from benchmarks.frame import Goal, Section, Table
from benchmarks.plot import log_log

TITLE = "Pages"
DATABASE_MS, P95_MS, LIST_QUERIES, CASE_QUERIES, BOARD_QUERIES, POLL_CPU_MS = 2, 100, 8, 12, 15, 10
COLUMNS = ("database", "planning", "queries", "cpu", "p50", "p95")
# A search by a name or by a part of a number asks first which cases are meant, each by its own index.
QUERIES = {"list": LIST_QUERIES, "search": LIST_QUERIES + 1, "case": CASE_QUERIES, "board": BOARD_QUERIES}
BUSY = (
    "Other work kept the cores busy while this was measured: milliseconds, of CPU too, are not those of a quiet machine. "
    "Numbers of queries are."
)
ROWS = (
    "A worklist page costs the database about as much at any size: its rows with cases and people, then analyses, then findings, each by "
    "an index. Most of its time is Python: rows become models and the template writes them. Neither grows with the record "
    '("Cost against size").'
)
BOARD = (
    "The board lists and counts stopped jobs of cases that wait: in the filled record these grow with the open cases, of which the largest "
    "size has hundreds of times as many as the smallest. It reads no closed case."
)
CASE_P95_MS = 300  # with 10,000 waiting
FLAT = 2.0  # the largest size costs at most so many times the smallest one, in the database


def busy() -> str:
    """Return a sentence where other work keeps the cores busy."""
    return BUSY if os.getloadavg()[0] > 2 * (os.cpu_count() or 1) else ""


def explained(goals: list[Goal]) -> str:
    """Return why goals were missed, as far as a profile says it."""
    missed = [goal.name for goal in goals if not goal.reached]
    said = [
        ROWS if any(name.startswith(("worklist", "search")) for name in missed) else "",
        BOARD if any(name.startswith("operations board") for name in missed) else "",
        busy(),
    ]
    return " ".join(filter(None, said))


def section(
    filled: Mapping[int, Mapping[str, Any]],
    costs: Mapping[int, Mapping[str, float]],
    measured: Mapping[int, Mapping[str, Mapping[str, Any]]],
) -> Section:
    largest = max(filled)
    pages = {name: found for name, found in measured[largest].items() if found["group"] != "poll"}
    poll_costs = measured[largest]["poll"]
    goals = [
        *goals_of(pages, measured[min(filled)]),
        Goal("poll of the worklist, answered 304: CPU", poll_costs["cpu"], "ms", POLL_CPU_MS),
        Goal("poll of the worklist: share answered 304", poll_costs["unchanged"], "", 0.95, at_least=True),
        Goal(
            "check_record on the filled tables: broken",
            sum(found["broken"] for found in costs.values()),
            "",
            0,
        ),
    ]
    names = [name for name in costs[largest] if not name.startswith(("check: ", "broken"))]
    lines = {name: [(size, max(costs[size][name], 0.01)) for size in sorted(costs)] for name in names}
    made = filled[largest]
    return Section(
        name="pages",
        title=f"{TITLE} at {largest:,} submissions",
        text=(
            f"{largest:,} submissions with {made['photos']:,} photos of four clinics (70, 20, 8 and 2 % of the patients), of "
            f"which {made['open']:,} are open, with findings, answers, events, messages, jobs and audit log: "
            f"{made['bytes'] / 1e9:.1f} GB in PostgreSQL, filled in {made['seconds']:.0f} s. Files exist for the photos of "
            "open submissions, by hard link. "
            "`database` is the execution of all queries of a request and `planning` what comes before it, both by "
            "pg_stat_statements; `CPU` is that of the web's processes. `p50` and `p95` are over HTTP on loopback, one request at "
            "a time, page after page in turns, by Granian with two workers on the same cores as PostgreSQL."
        ),
        goals=goals,
        tables=[
            Table(
                "Each page",
                ("page", "database, ms", "planning, ms", "queries", "CPU, ms", "p50, ms", "p95, ms"),
                [(n, *(f[key] for key in COLUMNS)) for n, f in pages.items()],
            ),
            Table(
                "Cost against size, ms",
                ("size", *names),
                [(size, *(costs[size][name] for name in names)) for size in sorted(costs)],
            ),
            Table(
                f"Slowest checks of check_record at {largest:,}",
                ("check", "ms"),
                [
                    (n.removeprefix("check: "), ms)
                    for n, ms in costs[largest].items()
                    if n.startswith("check: ")
                ],
            ),
            *profile_of(goals, pages),
        ],
        unmet=explained(goals),
        plots={"pages.svg": log_log("Cost against size", "submissions", "ms", lines)},
    )


def profile_of(goals: list[Goal], pages: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    """Return a table of the slowest queries of pages that missed a goal."""
    missed = {goal.name.rpartition(":")[0] for goal in goals if not goal.reached}
    rows = [(name, *query) for name, found in pages.items() if name in missed for query in found["slowest"]]
    return (
        [Table("Where pages that missed a goal spend their time", ("page", "ms", "query"), rows)]
        if rows
        else []
    )


def goals_of(pages: Mapping[str, Mapping[str, Any]], smallest: Mapping[str, Mapping[str, Any]]) -> list[Goal]:
    """Return the goals of point 7: each list by itself, and of the other pages the number of queries and whether it is flat."""
    goals = []
    for name, found in pages.items():
        group = found["group"]
        if group in ("list", "search"):
            goals.append(Goal(f"{name}: database", found["database"], "ms", DATABASE_MS, why=ROWS))
            goals.append(Goal(f"{name}: p95", found["p95"], "ms", P95_MS, why=ROWS))
        if group in QUERIES:
            goals.append(Goal(f"{name}: queries", found["queries"], "", QUERIES[group]))
        if group == "case":  # by the largest size, 14,000 wait in that clinic
            goals.append(Goal(f"{name}: p95", found["p95"], "ms", CASE_P95_MS))
        if group in ("case", "board"):
            before = smallest[name]["database"]
            goals.append(
                Goal(f"{name}: against the smallest size", found["database"] / before, "times", FLAT)
            )
    return goals
