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
        "Write the photos of signed cases of patients who agreed to training, under pseudonyms, with a CSV."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--out", type=Path, required=True, help="folder to make")
        parser.add_argument("--clinic", help="name of the clinic; needed where there are several")

    def handle(self, *, out: Path, clinic: str | None, **_: Any) -> None:
        try:
            count = training.export(_clinic(clinic), out)
        except FileExistsError as error:
            raise CommandError(f"{out} exists; name a new folder") from error
        self.stdout.write(f"{count} photos in {out}")


def _clinic(name: str | None) -> Clinic:
    found = Clinic.objects.filter(name=name) if name else Clinic.objects.all()
    if found.count() != 1:
        raise CommandError(
            f"--clinic: name one of {', '.join(Clinic.objects.values_list('name', flat=True))}"
        )
    return found.get()
