"""Memory of the running system while it reads 2,000 photos, with one and with two processes of the networks.

PSS: what a process has alone, and its share of what it has in common with others. The photos have four shapes; of each
measurement 20 are uploaded, the rest are copies that wait to be analysed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.frame import Goal, Section, Table
from benchmarks.own_system import own_system
from benchmarks.queueing import copy_waiting, lone_photo, messages_until_done
from contract.environment import PROCESSES
from drills.client import Clients
from drills.system import System, descendants

UPLOADS = 20
AT_ONCE = 250  # photos that wait: all are read within the time that `messages_until_done` gives them
MOST = {1: (600, 1_400), 2: (1_100, 1_800)}  # MB, by processes of the networks: the inference worker, all
GROWN = 0.05  # of what was there after a quarter of the photos
SHAPES = ((4000, 3000), (3000, 4000), (3000, 3000), (4000, 2250))  # px


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--memory-photos", type=int, default=2_000, help="that two processes read (one: a quarter)"
    )


def run(options: argparse.Namespace) -> Section:
    count = options.memory_photos
    found = {1: _measured(1, [count // 4]), 2: _measured(2, [count // 4, count // 2, count])}
    goals = []
    for workers, rows in found.items():
        of_worker, of_all = MOST[workers]
        most = {name: max(row[name] for row in rows) for name in rows[0]}
        goals += [
            Goal(f"{workers} of the networks: the inference worker", most["inference"], "MB", of_worker),
            Goal(f"{workers} of the networks: all processes", most["all"], "MB", of_all),
        ]
    first, *_, last = found[2]
    goals += [
        Goal(
            f"growth of {name} from {count // 4:,} to {count:,} photos",
            last[name] / first[name] - 1,
            "",
            GROWN,
        )
        for name in ("inference", "prepare", "results", "web", "sweeper")
    ]
    rows = [
        (workers, f"{row['photos']:,}", *(row[name] for name in row if name != "photos"))
        for workers, each in found.items()
        for row in each
    ]
    names = [name for name in found[2][0] if name != "photos"]
    return Section(
        name="memory",
        title=f"Memory over {count:,} photos",
        text=__doc__.replace("\n", " ").strip(),
        goals=goals,
        tables=[Table("MB", ("of the networks", "photos", *names), rows)],
    )


def _measured(workers: int, counts: list[int]) -> list[dict[str, Any]]:
    """Measure a system of its own after so many photos, in a process of its own: settings are read once."""
    with tempfile.NamedTemporaryFile(suffix=".json") as found:
        command = [sys.executable, "-m", "benchmarks.memory", str(workers), found.name, *map(str, counts)]
        subprocess.run(command, check=True)
        return json.load(found)


def main() -> None:
    workers, answer, counts = int(sys.argv[1]), Path(sys.argv[2]), list(map(int, sys.argv[3:]))
    with own_system(**dict.fromkeys((PROCESSES, "TELEDER_INFERENCE_SLOTS"), str(workers))) as system:
        from drills.people import patients

        clients, rows, done = Clients(system.url, patients(4)), [], 0
        for count in counts:
            for turn in range(UPLOADS):
                lone_photo(clients, _drawn(SHAPES[turn % len(SHAPES)]))
            done += UPLOADS
            while more := min(count - done, AT_ONCE):
                copy_waiting(system, more)
                messages_until_done(more)
                done += more
            megabytes = _megabytes(system)
            rows.append({"photos": count, **megabytes, "all": sum(megabytes.values())})
    answer.write_text(json.dumps(rows))


def _drawn(size: tuple[int, int]) -> bytes:
    import cv2
    import numpy as np

    from benchmarks.draft import drawn

    photo = cv2.imdecode(np.frombuffer(drawn(0), np.uint8), cv2.IMREAD_COLOR)
    return cv2.imencode(".jpg", cv2.resize(photo, size))[1].tobytes()


def _megabytes(system: System) -> dict[str, float]:
    """Return the PSS of each of our processes with its children, and of both servers."""
    pids = {name: system.pids(name) for name in system.supervisor.running}
    for name in system.stacks:
        pid = system.pid_of(name)
        pids[name] = [pid, *descendants(pid)]
    return {name: sum(map(_pss, own)) for name, own in pids.items()}


def _pss(pid: int) -> float:
    with suppress(OSError):
        found = re.search(r"^Pss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
