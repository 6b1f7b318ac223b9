"""The worker beside a bare loop of its own steps and beside other servers: photos a second and CPU time of 12 MP photos.

All sides use the same steps, weights, engine, decoder and disk. The product reads submissions that wait, with its sweeper
stopped until they are there; its web takes no part. The other servers (`benchmarks/peers`) are asked by clients that name a
file. CPU in the first table is that of the
whole machine, so nothing else should run on it; in goals and in the second table, of the processes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from benchmarks import other_servers
from benchmarks.bookkeeping import BOOKKEEPING, cpu_seconds, seconds_of
from benchmarks.draft import drawn
from benchmarks.frame import ROOT, Goal, Section, Table, in_turns, median
from benchmarks.own_system import own_system
from benchmarks.steps import ORIGINALS, WARM_UP, sources_in
from contract.environment import PROCESSES
from drills.client import wait_until
from drills.system import System, descendants

SATURATED = 0.85  # of the machine's CPU
SETTLE_SECONDS = 900
LEAN, BARE, PRODUCT = "lean loop, one process", "bare loops, two processes", "teleder"
LIMIT = (
    "The other servers do the same steps with the same engine on the same cores: no side can be faster than the bare loops, "
    "and where another server comes near them, 1.15 times its rate is more than the cores give."
)
STATEMENTS = (
    "The results worker and the sweeper spend their time in SQL statements through Django's ORM, 24 to 44 a photo: locking and "
    "reading submission, photo and job (a quarter), choosing and sending the next jobs (a third), the rest in writing findings, "
    "events and urgency. Each is a rule that a result may not skip."
)
OF_A_PHOTO = ("prepare", "inference", *BOOKKEEPING)


class Found(NamedTuple):
    """Photos a second, CPU ms a photo of the whole machine, and the share of the machine's CPU that was used."""

    rate: float
    cpu_ms: float
    share: float


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument("--worker-photos", type=int, default=40, help="photos of each side in each round")
    parser.add_argument("--worker-rounds", type=int, default=3, help="rounds of all sides")
    parser.add_argument(
        "--no-peers", action="store_true", help="without the other servers (pip installs them)"
    )


def run(options: argparse.Namespace) -> Section:
    count = options.worker_photos
    peers = {} if options.no_peers else other_servers.known(other_servers.own_python())
    with (
        tempfile.TemporaryDirectory(prefix="teleder-bench-") as state,
        own_system(**{PROCESSES: "2", "TELEDER_INFERENCE_SLOTS": "2"}) as system,
    ):
        folder = _originals(Path(state))
        product = Product(system, folder)
        product.work(2 * WARM_UP)
        product.forget()
        sides: dict[str, Callable[[], tuple[Found, float]]] = {
            LEAN: lambda: _loops(folder, count, 1),
            BARE: lambda: _loops(folder, count, 2),
            PRODUCT: lambda: (product.work(count), 0.0),
        }
        for name, peer in peers.items():
            sides[name] = lambda peer=peer: (_asked(peer, folder, count), 0.0)
        rounds: dict[str, list[Any]] = in_turns(sides, options.worker_rounds)
        profile = _profile(folder, count)
    found = {name: [each for each, _own in rows] for name, rows in rounds.items()}
    lean = median([own for _each, own in rounds[LEAN]])
    return section(found, lean, product.cpu_ms, list(peers), profile)


def section(
    found: dict[str, list[Found]],
    lean: float,
    cpu_ms: dict[str, list[float]],
    peers: Sequence[str],
    profile: dict[str, dict[str, float]],
) -> Section:
    """Return the page's section; `lean` and `cpu_ms` (by process, a value a round) are CPU ms a photo of processes.

    `profile` is what `benchmarks.photo_profile` prints.
    """
    rates = {name: median([each.rate for each in rows]) for name, rows in found.items()}
    best = max((rates[name] for name in peers), default=None)
    spent = {name: median(rows) for name, rows in cpu_ms.items()}
    worker = spent["prepare"] + spent["inference"]
    books = sum(spent[name] for name in BOOKKEEPING)
    goals = [
        Goal("CPU of the worker against the lean loop", worker / lean, "times", 1.15),
        Goal("photos/s against the bare loops", rates[PRODUCT] / rates[BARE], "times", 0.95, at_least=True),
        Goal("photos/s against the best other server", best and rates[PRODUCT] / best, "times", 1.15, at_least=True, why=LIMIT),
        Goal("results worker, CPU a photo", spent["results"], "ms", 15, why=STATEMENTS),
        Goal("bookkeeping: results worker and sweeper, of all CPU", books / (worker + books), "", 0.05, why=STATEMENTS),
    ]  # fmt: skip
    rows = [_row(name, rates, rows) for name, rows in found.items()]
    return Section(
        name="worker",
        title="The worker beside bare loops and other servers",
        text=__doc__.split("\n\n", 1)[1].replace("\n", " ").strip(),
        goals=goals,
        tables=[
            Table(
                "Sides",
                ("side", "photos/s", "of the bare loops", "CPU ms a photo", "of the CPU", "saturated"),
                rows,
            ),
            Table("CPU of processes", ("process", "ms a photo"), [(LEAN, lean), *spent.items()]),
            Table(
                "Where a photo's time goes, one process, one photo at a time",
                ("step", "ms"),
                list(profile["steps"].items()),
            ),
            Table(
                "Preparation by kind of file, its child's start included",
                ("file", "ms"),
                list(profile["kinds"].items()),
            ),
        ],
    )


def _row(name: str, rates: dict[str, float], rows: Sequence[Found]) -> tuple:
    share = median([each.share for each in rows])
    spent = median([each.cpu_ms for each in rows])
    return (name, rates[name], rates[name] / rates[BARE], spent, share, "yes" if share >= SATURATED else "no")


def _originals(folder: Path) -> Path:
    (folder / ORIGINALS).mkdir()
    for seed in range(4):
        (folder / ORIGINALS / f"{seed}.jpg").write_bytes(drawn(seed))
    return folder


# --- Measuring --------------------------------------------------------------------------------------------
def _measured(act: Callable[[], object], count: int) -> Found:
    busy, began = _busy_seconds(), time.monotonic()
    act()
    seconds, used = time.monotonic() - began, _busy_seconds() - busy
    return Found(count / seconds, 1000 * used / count, used / seconds / os.cpu_count())


def _busy_seconds() -> float:
    """Return the CPU seconds that all cores of the machine were busy since it started."""
    fields = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
    return (sum(fields) - fields[3] - fields[4] - fields[7]) / os.sysconf("SC_CLK_TCK")  # idle, iowait, steal


def _loops(folder: Path, count: int, processes: int) -> tuple[Found, float]:
    """Run so many loops of bare steps at once; return what was found, and the CPU ms a photo of these processes alone."""
    command = [sys.executable, "-m", "benchmarks.steps", str(folder), str(count // processes)]
    loops = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(processes)
    ]
    for loop in loops:
        if loop.stdout.readline().strip() != "ready":
            raise RuntimeError("a bare loop did not start")

    def work() -> None:
        for loop in loops:
            loop.stdin.write("\n")
            loop.stdin.flush()
        for loop in loops:
            loop.stdout.readline()

    done = processes * (count // processes)
    before = _cpu_seconds(loops)
    found = _measured(work, done)
    used = _cpu_seconds(loops) - before
    for loop in loops:
        loop.communicate()
    return found, 1000 * used / done


def _cpu_seconds(loops: Sequence[subprocess.Popen]) -> float:
    return sum(seconds_of([loop.pid, *descendants(loop.pid)]) for loop in loops)


def _asked(peer: Any, folder: Path, count: int) -> Found:
    with other_servers.running(peer, folder) as ask:
        return _measured(lambda: ask(count), count)


def _profile(folder: Path, count: int) -> dict[str, dict[str, float]]:
    command = [sys.executable, "-m", "benchmarks.photo_profile", str(folder), str(count)]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


class Product:
    """Submissions of one photo each, in a running system."""

    def __init__(self, system: System, folder: Path) -> None:
        from drills.people import patients
        from teleder.accounts.models import User

        self.system = system
        self.patient = User.objects.get(email=patients(1)[0].email)
        self.photos = itertools.cycle([(folder / source).read_bytes() for source in sources_in(folder)])
        self.cpu_ms: dict[str, list[float]] = {}
        self.forget()

    def forget(self) -> None:
        """Forget the CPU time of the rounds so far."""
        self.cpu_ms = {name: [] for name in OF_A_PHOTO}

    def work(self, count: int) -> Found:
        from teleder.cases.models import Analysis
        from teleder.pipeline.dispatch import dispatch_all

        with self._stopped("sweeper"):
            drafts = self._submit(count)
        own = Analysis.objects.filter(photo__submission__in=drafts, classified_at__isnull=False)
        before = {name: cpu_seconds(self.system, name) for name in OF_A_PHOTO}

        def wait() -> None:
            dispatch_all()
            if not wait_until(lambda: own.count() == count, SETTLE_SECONDS):
                raise RuntimeError("photos were not read")

        found = _measured(wait, count)
        for name, rows in self.cpu_ms.items():
            rows.append(1000 * (cpu_seconds(self.system, name) - before[name]) / count)
        return found

    def _submit(self, count: int) -> list[Any]:
        from django.core.files.uploadedfile import SimpleUploadedFile

        from drills.client import calm
        from teleder.cases import intake

        drafts = []
        with patch("teleder.pipeline.dispatch.dispatch_all", lambda *_stages: 0):
            for _ in range(count):
                draft = intake.start(patient=self.patient, answers=calm())
                intake.describe(draft, body_site="elbow_crease")
                upload = SimpleUploadedFile("photo.jpg", next(self.photos), "image/jpeg")
                intake.add_photo(draft, view="close_up", upload=upload)
                drafts.append(intake.submit(draft, by=self.patient, missing_photo="other"))
        return [draft.pk for draft in drafts]

    @contextmanager
    def _stopped(self, name: str) -> Iterator[None]:
        """Stop a process while work is queued: what is measured begins with the first message."""
        pids = self.system.pids(name)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
