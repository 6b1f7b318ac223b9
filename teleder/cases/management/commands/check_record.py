"""`manage.py check_record`: is everything in the record as it must be? Exit 1 where it is not."""

from __future__ import annotations

import sys
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand

from teleder.cases.invariants import INVARIANTS

SHOWN = 10


class Command(BaseCommand):
    help = "Check the named invariants of the clinical record; print the ids of what breaks one."

    def handle(self, **_: Any) -> None:
        broken = 0
        for check in INVARIANTS:
            found = list(islice(check(), SHOWN))
            broken += bool(found)
            self.stdout.write(f"{'BROKEN' if found else 'holds '} {check.__name__.replace('_', ' ')}")
            self.stdout.writelines(f"       {row}" for row in found)
        if broken:
            sys.exit(1)
