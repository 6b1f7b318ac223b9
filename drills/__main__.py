"""`./run drills [--short] [--without GUARD] [NAME...]`: exit 1 if a promise breaks.

Each runner has its own system and runs one drill after another. The short form uses two runners at once, because most
of a drill is waiting. Everything runs in a mount namespace, so that small disks can be mounted and no mount remains.
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
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from drills.guards import GUARDS
from drills.system import ROOT, System
from local.servers import die_with_parent

if TYPE_CHECKING:
    from drills.oracle import Figures
    from drills.run import Drill

PATIENTS, DERMATOLOGISTS = 20, 50
NAMES = [
    *(f"R{number}" for number in range(1, 8)),
    "R7-database",
    "R7-missing",
    "R5-slow",
    *(f"R{number}" for number in range(8, 24)),
    "R18-log",
]
# The longest drills start first, so that the runners end at about the same time.
LONGEST_FIRST = ("R8", "R23", "R2", "R17", "R9", "R19", "R12", "R1", "R6", "R7-database")
# Kinds of faults, each with the drills that cause it: `./run drills --set lies`.
SETS = {
    "stands-still": ("R5", "R11", "R21", "R23"),
    "lies": ("R11", "R12", "R17", "R22"),
    "missing": ("R3", "R4", "R7", "R7-database", "R7-missing", "R18"),
    "slow": ("R5-slow", "R8", "R12", "R15"),
}
IN_NAMESPACE = "DRILLS_IN_NAMESPACE"


def main(arguments: list[str]) -> int:
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    unshare = ["unshare", *as_root, "--mount", "--"]
    can_unshare = shutil.which("unshare") and IN_NAMESPACE not in os.environ
    if can_unshare and not subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        os.environ[IN_NAMESPACE] = "1"  # the same command again, in its own mount namespace
        os.execvp("unshare", [*unshare, sys.executable, "-m", "drills", *arguments])
    options = _options(arguments)
    if options.queue:
        return _run_queue(options)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="teleder-drills-queue-") as folder:
        options.queue = Path(folder)
        for name in options.names:
            (options.queue / name).touch()
        print(f"seed {options.seed}{f', without {options.without}' if options.without else ''}", flush=True)
        runners = options.runners or (2 if options.short and len(options.names) > 3 else 1)
        if runners == 1:
            _run_queue(options)
        else:
            _start_runners(runners, [*arguments, f"--seed={options.seed}", f"--queue={folder}"])
        held, not_run = (
            [name for name in options.names if (options.queue / f"{name}.{word}").exists()]
            for word in ("held", "not-run")
        )
    failed = [name for name in options.names if name not in held + not_run]
    usage = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu_seconds = sum(each.ru_utime + each.ru_stime for each in usage)
    describe = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=False)
    print(
        f"{len(failed)} of {len(options.names)} drills failed{': ' * bool(failed)}{' '.join(failed)}; "
        f"{f'{len(not_run)} not run or in part: ' + ' '.join(not_run) + '; ' if not_run else ''}"
        f"{time.monotonic() - began:.0f} s, {cpu_seconds:.0f} s of CPU time, "
        f"commit {done.stdout.strip() or 'unknown'}"
    )
    return bool(failed)


def _start_runners(count: int, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "drills", *arguments]
    running = [subprocess.Popen(command, preexec_fn=die_with_parent) for _ in range(count)]
    try:
        for each in running:
            each.wait()
    finally:
        for each in running:
            with suppress(ProcessLookupError):
                each.send_signal(signal.SIGINT)
            each.wait()


def _run_queue(options: argparse.Namespace) -> int:
    """Run drills that no other runner has taken, until none is left; return whether one failed."""
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell's background jobs ignore SIGINT by default
        signal.signal(number, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="teleder-drills-"))
    system = System(folder, options.without)
    failed = True
    try:
        system.start()
        failed = not _run_drills(system, options)
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
    parser.add_argument(
        "--short", action="store_true", help="few trials of each drill: minutes instead of hours"
    )
    parser.add_argument(
        "--without", default="", choices=["", *GUARDS], help="remove a guard: the drill must fail"
    )
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="seed of the random numbers, to repeat a run"
    )
    parser.add_argument(
        "--minutes", type=float, default=0, help="the longest duration of R1, R2, R10 and R19"
    )
    parser.add_argument("--times", type=int, default=20, help="how often R2 crashes at each step")
    parser.add_argument(
        "--part", type=_part, default=(1, 1), metavar="N/OF", help="run only this part of R2's steps"
    )
    parser.add_argument(
        "--runners", "--lanes", type=int, default=0, help="number of systems at once (default: 2 if short)"
    )
    parser.add_argument("--set", choices=SETS, default="", help="the drills of one kind of fault")
    parser.add_argument("--queue", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME", help=" ".join(NAMES))
    options = parser.parse_args(arguments)
    if options.set:
        options.names = [*SETS[options.set]] if options.names == NAMES else options.names
        print(f"set {options.set}: {' '.join(options.names)}", flush=True)
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no drill is called {' '.join(sorted(unknown))}")
    return options


def _part(text: str) -> tuple[int, int]:
    number, of = map(int, text.split("/"))
    return number, of


def _run_drills(system: System, options: argparse.Namespace) -> bool:
    import django

    django.setup()
    from drills import people
    from drills.run import all_drills

    drills, all_held = all_drills(), True
    cast = people.patients(PATIENTS), people.dermatologists(DERMATOLOGISTS)
    order = [name for name in LONGEST_FIRST if name in options.names]
    for name in [*order, *(name for name in options.names if name not in order)]:
        try:
            (options.queue / name).unlink()
        except FileNotFoundError:  # another runner has taken it
            continue
        found = _run_drill(drills[name], system, cast, options)
        if not found.failed():
            (options.queue / f"{name}.{'held' if found.held() else 'not-run'}").touch()
        all_held = all_held and not found.failed()
    return all_held


def _run_drill(drill: Drill, system: System, cast: tuple, options: argparse.Namespace) -> Figures:
    """Run a drill and print its result. Repeat it once if it only exceeded a time limit: the machine may be busy."""
    from django.db import connection

    from drills.oracle import Figures
    from drills.run import Run

    seeds = [options.seed] if options.without else [options.seed, options.seed + 1]
    for seed in seeds:
        extent = options.minutes, options.times, options.part
        run = Run(system, *cast, options.short, random.Random(seed), *extent)
        connection.close()  # the previous drill may have restarted the server
        began = time.monotonic()
        try:
            found = drill.run(run)
        except Exception as error:  # noqa: BLE001  (after any error the promise was not shown to hold)
            traceback.print_exc()
            found = Figures(broken=[f"the drill itself failed: {type(error).__name__}"])
        is_last = seed == seeds[-1] or not found.only_late()
        word = "holds" if found.held() else "part " if found.accepted else "-----"
        if found.failed():
            word = "FAIL " if is_last else "again"
        seconds = time.monotonic() - began
        print(f"{word} {drill.name} {drill.promise}: {found.line()} [{seconds:.0f} s]", flush=True)
        if is_last:
            break
    return found


if __name__ == "__main__":
    os.environ.setdefault("DRILLS_ARMED", os.devnull)
    sys.exit(main(sys.argv[1:]))
