"""`manage.py check_record`: is everything in the record as it must be? Exit 1 where it is not."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from teleder.cases.invariants import broken


class Command(BaseCommand):
    help = "Check the named invariants of the clinical record; print the ids of what breaks one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--without-files", action="store_true", help="compare no stored file with its hash"
        )

    def handle(self, *, without_files: bool, **_: Any) -> None:
        found = dict(broken(reads_files=not without_files))
        for name, rows in found.items():
            self.stdout.write(f"BROKEN {name}")
            for row in rows:
                self.stdout.write(f"       {row}")
        self.stdout.write(f"{len(found)} invariants broken")
        if found:
            sys.exit(1)
