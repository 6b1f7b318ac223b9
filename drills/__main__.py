"""`./run drills [--short] [--without GUARD] [NAME...]`: exit 1 where a promise breaks.

A lane is a separate system that runs one drill after the other. The short form has two lanes, because most of a drill is
waiting. Everything runs in a mount namespace, which allows small disks and leaves nothing mounted.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from drills.guards import GUARDS
from drills.system import ROOT, System
from local.servers import die_with_parent

if TYPE_CHECKING:
    from drills.oracle import Figures
    from drills.run import Drill, Run

PATIENTS, DERMATOLOGISTS = 20, 50
NAMES = [
    *(f"R{number}" for number in range(1, 8)),
    "R7-database",
    *(f"R{number}" for number in range(8, 20)),
    "R18-log",
]
# The longest start first, so that the lanes end together.
LONGEST_FIRST = ("R8", "R2", "R17", "R9", "R19", "R12", "R1", "R6", "R7-database")
APART = "DRILLS_APART"


def main(arguments: list[str]) -> int:
    _go_apart(arguments)
    options = _options(arguments)
    if options.lane:
        return _lane(options)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="teleder-drills-todo-") as folder:
        options.lane = Path(folder)
        for name in options.names:
            (options.lane / name).touch()
        print(f"seed {options.seed}{f', without {options.without}' if options.without else ''}", flush=True)
        lanes = options.lanes or (2 if options.short and len(options.names) > 3 else 1)
        if lanes == 1:
            _lane(options)
        else:
            _beside_one_another(lanes, [*arguments, f"--seed={options.seed}", f"--lane={folder}"])
        held, not_run = (
            [name for name in options.names if (options.lane / f"{name}.{word}").exists()]
            for word in ("held", "not-run")
        )
    failed = [name for name in options.names if name not in held + not_run]
    print(
        f"{len(failed)} of {len(options.names)} drills failed{': ' * bool(failed)}{' '.join(failed)}; "
        f"{f'{len(not_run)} not run or in part: ' + ' '.join(not_run) + '; ' if not_run else ''}"
        f"{time.monotonic() - began:.0f} s, {_cpu_seconds():.0f} s of CPU time, {_commit()}"
    )
    return bool(failed)


def _go_apart(arguments: list[str]) -> None:
    """Restart in a mount namespace of our own; return if this machine has none."""
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *as_root, "--mount", "--"]
    if APART in os.environ or not shutil.which("unshare"):
        return
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
        os.environ[APART] = "1"
        os.execvp("unshare", [*command, sys.executable, "-m", "drills", *arguments])


def _beside_one_another(lanes: int, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "drills", *arguments]
    running = [subprocess.Popen(command, preexec_fn=die_with_parent) for _ in range(lanes)]
    try:
        for each in running:
            each.wait()
    finally:
        for each in running:
            with suppress(ProcessLookupError):
                each.send_signal(signal.SIGINT)
            each.wait()


def _lane(options: argparse.Namespace) -> int:
    """Run the drills that no lane has started, until all have been started."""
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell's background jobs ignore the second
        signal.signal(number, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="teleder-drills-"))
    system = System(folder, options.without)
    failed = True
    try:
        system.start()
        failed = not _drills(system, options)
    finally:
        system.stop()
        if failed:
            print(f"Logs: {folder}", flush=True)
        else:
            shutil.rmtree(folder)
    return failed


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run drills", description="Break teleder and count what was lost."
    )
    parser.add_argument("--short", action="store_true", help="few trials of each: minutes in place of hours")
    parser.add_argument("--without", default="", choices=["", *GUARDS], help="take a guard out: it must fail")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="draws the same lots again")
    parser.add_argument(
        "--minutes", type=float, default=0, help="how long R1, R2, R10 and R19 last at the most"
    )
    parser.add_argument("--times", type=int, default=20, help="how often R2 crashes at each step")
    parser.add_argument("--part", type=_part, default=(1, 1), metavar="N/OF", help="which part of R2's steps")
    parser.add_argument("--lanes", type=int, default=0, help="how many systems at once (default: 2 if short)")
    parser.add_argument("--lane", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME", help=" ".join(NAMES))
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no drill is called {' '.join(sorted(unknown))}")
    return options


def _part(text: str) -> tuple[int, int]:
    number, of = map(int, text.split("/"))
    return number, of


def _drills(system: System, options: argparse.Namespace) -> bool:
    import django

    django.setup()
    from drills import people
    from drills.run import all_drills

    drills = all_drills()
    cast, all_well = (people.patients(PATIENTS), people.dermatologists(DERMATOLOGISTS)), True
    for name in _not_begun(options):
        found = _judged(drills[name], system, cast, options)
        if not found.failed():
            (options.lane / f"{name}.{'held' if found.held() else 'not-run'}").touch()
        all_well = all_well and not found.failed()
    return all_well


def _judged(drill: Drill, system: System, cast: tuple, options: argparse.Namespace) -> Figures:
    """Run a drill; if only a time was missed, measure it once more: the machine may have been busy."""
    from django.db import connection

    from drills.run import Run

    seeds = [options.seed] if options.without else [options.seed, options.seed + 1]
    for seed in seeds:
        extent = options.minutes, options.times, options.part
        run = Run(system, *cast, options.short, random.Random(seed), *extent)
        connection.close()  # the drill before may have restarted the server
        found = _told(drill, run, is_last=seed == seeds[-1])
        if not found.only_late():
            break
    return found


def _told(drill: Drill, run: Run, *, is_last: bool) -> Figures:
    """Run a drill and return its result."""
    began = time.monotonic()
    found = _tried(drill, run)
    seconds = time.monotonic() - began
    print(
        f"{_word(found, is_last)} {drill.name} {drill.promise}: {found.line()} [{seconds:.0f} s]", flush=True
    )
    return found


def _word(found: Figures, is_last: bool) -> str:
    if found.failed():
        return "again" if found.only_late() and not is_last else "FAIL "
    return "holds" if found.held() else "part " if found.accepted else "-----"


def _tried(drill: Drill, run: Run) -> Figures:
    """Run a drill; one that raises counts as failed and does not stop the next."""
    from drills.oracle import Figures

    try:
        return drill.run(run)
    except Exception as error:  # noqa: BLE001  (whatever it is, the promise was not shown)
        traceback.print_exc()
        return Figures(broken=[f"the drill itself failed: {type(error).__name__}"])


def _not_begun(options: argparse.Namespace) -> Iterator[str]:
    """Yield the drills that no other lane has taken."""
    order = [name for name in LONGEST_FIRST if name in options.names]
    for name in [*order, *(name for name in options.names if name not in order)]:
        with suppress(FileNotFoundError):
            (options.lane / name).unlink()
            yield name


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(each.ru_utime + each.ru_stime for each in usage)


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return f"commit {done.stdout.strip() or 'unknown'}"


if __name__ == "__main__":
    os.environ.setdefault("DRILLS_ARMED", os.devnull)
    sys.exit(main(sys.argv[1:]))
