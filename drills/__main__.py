"""`./run drills [--short] [--without GUARD] [NAME...]`: exit 1 where a promise breaks."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from drills.guards import GUARDS
from drills.system import System

PATIENTS, DERMATOLOGISTS = 20, 50
NAMES = [f"R{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 14, 15, 16, 18)]


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="teleder-drills-"))
    began = time.monotonic()
    system = System(folder, options.without)
    try:
        system.start()
        failed = _drills(system, options)
    finally:
        system.stop()
    print(
        f"{len(failed)} of {len(options.names)} drills failed; {time.monotonic() - began:.0f} s, {_commit()}"
    )
    if failed:
        print(f"Logs: {folder}")
    else:
        shutil.rmtree(folder)
    return bool(failed)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run drills", description="Break teleder and count what was lost."
    )
    parser.add_argument("--short", action="store_true", help="few trials of each: minutes in place of hours")
    parser.add_argument("--without", default="", choices=["", *GUARDS], help="take a guard out: it must fail")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="draws the same lots again")
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME", help=" ".join(NAMES))
    return parser.parse_args(arguments)


def _drills(system: System, options: argparse.Namespace) -> list[str]:
    import django

    django.setup()
    from drills import broker, crowds, database, disk, kills, messages, people  # noqa: F401  (each registers its drills)
    from drills.run import DRILLS, Run

    cast = people.patients(PATIENTS), people.dermatologists(DERMATOLOGISTS)
    print(f"seed {options.seed}{f', without {options.without}' if options.without else ''}", flush=True)
    failed = []
    for name in options.names:
        run = Run(system, *cast, options.short, random.Random(options.seed))
        began = time.monotonic()
        found = DRILLS[name].run(run)
        seconds = time.monotonic() - began
        print(
            f"{'FAIL ' if found.broken else 'holds'} {name} {DRILLS[name].promise}: {found.line()} [{seconds:.0f} s]",
            flush=True,
        )
        failed += [name] if found.broken else []
    return failed


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return f"commit {done.stdout.strip() or 'unknown'}"


if __name__ == "__main__":
    os.environ.setdefault("DRILLS_ARMED", os.devnull)
    sys.exit(main(sys.argv[1:]))
