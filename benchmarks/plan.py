"""How many processes a year's submissions need: measured costs, a simulation, and a check of the simulation.

1. What a lone photo costs each process is measured in the running system, with what the processes cost when nothing happens.
2. Drafts are prepared and then submitted all at once, to one and to two processes of the networks. The
   simulation (`benchmarks/simulation.py`) predicts from the costs of 1 when the last finding is stored.
3. The simulation plans the hour of the evening's peak of 10 and of 100 million submissions a year.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.bookkeeping import cpu_seconds
from benchmarks.draft import drawn
from benchmarks.frame import Goal, Section, Table, median, number, percentile
from benchmarks.own_system import own_system
from benchmarks.simulation import Photo, Station, arrivals, simulate
from contract.environment import PROCESSES
from drills.client import App, Clients, wait_until
from drills.system import NAMES, System

LARGEST_ERROR = 0.15
CORES = "cores"
COMPUTING = ("inference", "results")  # between a submission and its finding
IDLE_SECONDS = 15
PATIENCE_SECONDS = 600
YEARS = (10_000_000, 100_000_000)  # submissions
PHOTOS_EACH = 2  # of a submission: an assumption
PEAK_HOURS = range(20, 21)
WEEKDAY = 1.3  # of the mean day: an assumption
WAIT_SECONDS = 60  # for 95 % of findings
SPREAD = 0.3  # coefficient of variation of a photo's cost: an assumption


class Costs(NamedTuple):
    """CPU seconds of each process: for each photo, and for each second in which nothing happens."""

    photo: dict[str, float]
    idle: dict[str, float]


class Drained(NamedTuple):
    """Seconds from the first of `submitted` until the last finding was stored, and what the simulation predicts."""

    workers: int
    photos: int
    measured: float
    simulated: float

    @property
    def error(self) -> float:
        return abs(self.simulated / self.measured - 1)


def add_arguments(parser: Any) -> None:
    parser.add_argument("--plan-lone", type=int, default=24, help="photos whose cost is measured")
    parser.add_argument("--plan-backlog", type=int, default=60, help="photos that are submitted at once")


def run(options: argparse.Namespace) -> Section:
    found = [_measured(workers, options) for workers in (1, 2)]
    costs = Costs(*found[0]["costs"])
    return section(costs, [drained(one, costs) for one in found])


def _measured(workers: int, options: argparse.Namespace) -> dict[str, Any]:
    """Measure a system of its own, in a process of its own: settings are read once."""
    with tempfile.NamedTemporaryFile(suffix=".json") as found:
        command = [
            sys.executable,
            "-m",
            "benchmarks.plan",
            str(workers),
            str(options.plan_lone),
            str(options.plan_backlog),
            found.name,
        ]
        subprocess.run(command, check=True)
        return json.load(found)


def main() -> None:
    workers, lone, backlog = map(int, sys.argv[1:4])
    with own_system(**{PROCESSES: str(workers), "TELEDER_INFERENCE_SLOTS": str(workers)}) as system:
        from drills.people import patients

        clients = Clients(system.url, patients(12))
        photos = [drawn(seed) for seed in range(4)]
        for _ in range(4 * workers):  # warm
            _finish(clients, photos[0])
        costs = measured_costs(system, clients, photos, lone)
        submitted, stored, beside = backlog_times(system, clients, photos, backlog)
    found = {"workers": workers, "costs": costs, "submitted": submitted, "stored": stored, "beside": beside}
    Path(sys.argv[4]).write_text(json.dumps(found))


def measured_costs(system: System, clients: Clients, photos: Sequence[bytes], count: int) -> Costs:
    before = _used(system)
    time.sleep(IDLE_SECONDS)
    idle = {name: (value - before[name]) / IDLE_SECONDS for name, value in _used(system).items()}
    before, began = _used(system), time.monotonic()
    for turn in range(count):
        _finish(clients, photos[turn % len(photos)])
    seconds = time.monotonic() - began
    used = {name: value - before[name] - idle[name] * seconds for name, value in _used(system).items()}
    return Costs({name: max(0.0, value) / count for name, value in used.items()}, idle)


def backlog_times(
    system: System, clients: Clients, photos: Sequence[bytes], count: int
) -> tuple[list[float], list[float], float]:
    """Prepare drafts and submit them all.

    Return when each was submitted and when each finding was stored, in seconds, and how many cores were used meanwhile by
    what computes no finding: this client, web, sweeper and the rest.
    """
    from teleder.cases.models import Analysis, Submission

    people = itertools.cycle(clients.people)
    apps = [App(clients, next(people)) for _ in range(count)]
    drafts = [_prepared(app, photos[turn % len(photos)]) for turn, app in enumerate(apps)]
    before, own_before = _used(system), time.process_time()
    for app, draft in zip(apps, drafts, strict=True):
        app.submit(draft)
    own = Analysis.objects.filter(photo__submission__in=drafts)
    if not wait_until(lambda: own.count() == count, PATIENCE_SECONDS):
        raise RuntimeError("the findings did not arrive in time")
    used = {name: value - before[name] for name, value in _used(system).items() if name not in COMPUTING}
    sent = Submission.objects.filter(pk__in=drafts).values_list("submitted_at", flat=True)
    submitted = sorted(when.timestamp() for when in sent)
    stored = sorted(when.timestamp() for when in own.values_list("created_at", flat=True))
    beside = sum(used.values()) + time.process_time() - own_before
    return submitted, stored, beside / (stored[-1] - submitted[0])


def drained(found: dict[str, Any], costs: Costs) -> Drained:
    """Compare when the last finding was stored with when the simulation has it."""
    submitted, workers = found["submitted"], found["workers"]
    ends = simulate(
        [Photo(when - submitted[0]) for when in submitted],
        [
            Station("inference", CORES, workers, costs.photo["inference"]),
            Station("results", CORES, 1, costs.photo["results"] / 2),  # the other half is the preparation's
        ],
        {CORES: (os.cpu_count() or 1) - found["beside"]},
    )
    return Drained(workers, len(submitted), found["stored"][-1] - submitted[0], max(ends))


def _prepared(app: App, photo: bytes) -> str:
    """Upload a photo and wait until it is prepared and checked."""
    draft = app.open()
    app.add_photo(draft, photo)

    def is_ready() -> bool:
        time.sleep(0.1)
        (own,) = app.ask("GET", f"submissions/{draft}").json()["photos"]
        return own["state_text"] == "good" or bool(own["advice"] or own["fault"])

    wait_until(is_ready, PATIENCE_SECONDS)
    return draft


def _finish(clients: Clients, photo: bytes) -> None:
    """Send a submission of one photo and wait for its finding."""
    from teleder.cases.models import Analysis

    sent = clients.send_one(clients.people[len(clients.accepted) % len(clients.people)], (photo,))
    if sent is None:
        raise RuntimeError("a submission was not accepted")
    own = Analysis.objects.filter(photo__submission=sent.submission)
    if not wait_until(own.exists, PATIENCE_SECONDS):
        raise RuntimeError("a finding did not arrive in time")


def _used(system: System) -> dict[str, float]:
    return {name: cpu_seconds(system, name) for name in NAMES}


# --- The plan ---------------------------------------------------------------------------------------------
def planned(costs: Costs, submissions: float) -> tuple[int, list[float]]:
    """Return the fewest inference processes that keep the promise at the peak, and the waits with so many.

    Every process has a core; web, preparation and results have as many as their load needs at a utilisation of .6.
    """
    photos = list(arrivals(submissions * WEEKDAY, PHOTOS_EACH, PEAK_HOURS))
    rate = len(photos) / (len(PEAK_HOURS) * 3600)
    for slots in itertools.count(math.ceil(rate * costs.photo["inference"])):
        stations = [
            Station(name, name, count, costs.photo[name])
            for name, count in (("prepare", _enough(rate * costs.photo["prepare"])), ("inference", slots))
        ]
        stations.append(
            Station("results", "results", _enough(rate * costs.photo["results"]), costs.photo["results"])
        )
        cores = {station.pool: station.slots for station in stations}
        ends = simulate(photos, stations, cores, SPREAD)
        waits = [end - photo.arrival for end, photo in zip(ends, photos, strict=True)]
        if percentile(waits, 95) <= WAIT_SECONDS:
            return slots, waits
    raise AssertionError("unreachable")


def _enough(load: float) -> int:
    return max(1, int(load / 0.6) + 1)


def section(costs: Costs, checks: Sequence[Drained], years: Sequence[int] = YEARS) -> Section:
    rows = []
    for submissions in years:
        slots, waits = planned(costs, submissions)
        rate = submissions * WEEKDAY * PHOTOS_EACH / 365 * 0.10 / 3600
        rows.append(
            [
                f"{submissions / 1e6:.0f} million",
                number(rate),
                slots,
                _enough(rate * costs.photo["web"]),
                _enough(rate * costs.photo["prepare"]),
                _enough(rate * costs.photo["results"]),
                number(median(waits)),
                number(percentile(waits, 95)),
            ]
        )
    return Section(
        "plan",
        "How many processes a year's submissions need",
        f"Submissions of {PHOTOS_EACH} photos, {WEEKDAY:g} times the mean day, a tenth of them in the hour of the peak; each process on a core "
        f"of its own, {WAIT_SECONDS} s for 95 % of findings. These are assumptions; the costs are measured.",
        [
            Goal(f"{one.workers} inference processes: error of the simulation", one.error, "", LARGEST_ERROR)
            for one in checks
        ],
        [
            Table(
                "CPU ms",
                ["process", "a photo", "a second without work"],
                [[name, number(costs.photo[name] * 1000), number(costs.idle[name] * 1000)] for name in NAMES],
            ),
            Table(
                "The simulation and the running system, photos submitted at once",
                ["inference processes", "photos", "measured, s", "simulated, s", "error"],
                [
                    [one.workers, one.photos, number(one.measured), number(one.simulated), f"{one.error:.0%}"]
                    for one in checks
                ],
            ),
            Table(
                "Processes at the evening's peak",
                [
                    "submissions a year",
                    "photos a second",
                    "inference",
                    "web",
                    "prepare",
                    "results",
                    "wait p50, s",
                    "wait p95, s",
                ],
                rows,
            ),
        ],
    )


if __name__ == "__main__":
    main()
