"""`manage.py doctor`: examine the installation; exit 1 where something is missing."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from teleder.web.operations import doctor


class Command(BaseCommand):
    help = "Says what this installation lacks and what to do; prints no secret, address or person."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--brief", action="store_true", help="only faults, and the count")

    def handle(self, *, brief: bool, **_: Any) -> None:
        found = list(doctor.examine())
        for each in found:
            if brief and each.state != doctor.State.FAULT:
                continue
            self.stdout.write(f"{each.state:<6} {each.part:<9} {each.words}")
            if each.remedy:
                self.stdout.write(f"{'':<16} {each.remedy}")
        faults = sum(each.state == doctor.State.FAULT for each in found)
        notes = sum(each.state == doctor.State.NOTE for each in found)
        self.stdout.write(f"{len(found)} findings: {faults} faults, {notes} notes")
        if faults:
            sys.exit(1)
