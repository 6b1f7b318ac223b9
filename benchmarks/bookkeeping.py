"""What a photo costs each process, in CPU ms, and which share of it is bookkeeping.

    python -m benchmarks.bookkeeping [--photos 60] [--stub] [--json OUT]

Submissions of one drawn photo each go through a system of its own: web, decoder, networks (with --stub: two that only wait),
results, sweeper. CPU is user and system time of a process and of its children, so that other load on the machine does
not count. Bookkeeping is what results worker and sweeper use.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable
from pathlib import Path

from benchmarks.own_system import own_system
from drills.client import Clients
from drills.system import NAMES, System

WARM_UP = 8
SETTLE_SECONDS = 300
BOOKKEEPING = ("results", "sweeper")
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--stub", action="store_true", help="two networks that only wait")
    parser.add_argument("--json", type=Path, metavar="OUT")
    chosen = parser.parse_args()
    found = measure(chosen.photos, "stub" if chosen.stub else "real")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1) + "\n")
    for name, milliseconds in found["cpu_ms_a_photo"].items():
        print(f"{name:10} {milliseconds:7.1f} CPU ms a photo")
    print(f"bookkeeping {found['bookkeeping_share']:.1%} of {found['total_ms']:.0f} CPU ms a photo")


def measure(photos: int, networks: str) -> dict:
    """Return the CPU ms of each process for each photo, after a warm-up."""
    with own_system(networks) as system:
        from drills.oracle import settle
        from drills.people import patients

        people = patients(4)
        for count in (WARM_UP, photos):
            before = {name: cpu_seconds(system, name) for name in NAMES}
            clients = Clients(system.url, people)
            clients.send(count, threads=4)
            settle(clients, SETTLE_SECONDS)
        used = {name: 1000 * (cpu_seconds(system, name) - before[name]) / photos for name in NAMES}
    total = sum(used.values())
    return {
        "photos": photos,
        "networks": networks,
        "cpu_ms_a_photo": {name: round(each, 1) for name, each in used.items()},
        "total_ms": round(total, 1),
        "bookkeeping_share": round(sum(used[name] for name in BOOKKEEPING) / total, 4),
    }


def cpu_seconds(system: System, name: str) -> float:
    """User and system time of a process, of its running children and of those it has waited for."""
    return seconds_of(system.pids(name))


def seconds_of(pids: Iterable[int]) -> float:
    """Return user and system time of these processes and of children they have waited for, in seconds."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS


if __name__ == "__main__":
    main()
