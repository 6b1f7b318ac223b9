"""`manage.py export_training --out DIR`: signed cases of patients who agreed, for training; see docs/training.md."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from teleder.accounts.models import Clinic
from teleder.cases import training


class Command(BaseCommand):
    help = (
        "Write the photos of signed cases of patients who agreed to training, under pseudonyms, with a CSV, and what "
        "dermatologists drew on them."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--out", type=Path, required=True, help="folder to make")
        parser.add_argument("--clinic", help="name of the clinic; needed where there are several")

    def handle(self, *, out: Path, clinic: str | None, **_: Any) -> None:
        found = Clinic.objects.filter(name=clinic) if clinic else Clinic.objects.all()
        if found.count() != 1:
            names = ", ".join(Clinic.objects.values_list("name", flat=True))
            raise CommandError(f"--clinic: name one of {names}")
        try:
            count = training.export(found.get(), out)
        except FileExistsError as error:
            raise CommandError(f"{out} exists; name a new folder") from error
        self.stdout.write(f"{count} photos in {out}")
