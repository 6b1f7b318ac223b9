"""`manage.py retention [--dry-run | --apply | --reapply [FILE]]`: see docs/running.md."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from teleder.privacy import retention, tombstones
from teleder.privacy.policy import retention_policy


class Command(BaseCommand):
    help = "List what has passed its retention period, by purpose (changes nothing); or erase it; or erase again after a restore."

    def add_arguments(self, parser: ArgumentParser) -> None:
        ways = parser.add_mutually_exclusive_group()
        ways.add_argument(
            "--dry-run", action="store_true", help="count only (what happens without any option)"
        )
        ways.add_argument("--apply", action="store_true", help="erase it")
        ways.add_argument(
            "--reapply",
            nargs="?",
            type=Path,
            const=Path(settings.ERASED_LIST),
            metavar="FILE",
            help="after a restore: erase again who is in the list of tombstones (default: TELEDER_ERASED_LIST)",
        )

    def handle(self, *, apply: bool, reapply: Path | None, **_: Any) -> None:
        if reapply:
            return self._reapply(reapply)
        signed = (
            f"signed by {retention_policy().signed_by}"
            if retention_policy().signed_by
            else "a draft that nobody signed"
        )
        self.stdout.write(f"policy {retention_policy().version}, {signed}")
        for rule, count in retention.apply() if apply else retention.report():
            purpose = rule.purpose
            self.stdout.write(f"{rule.name:16}{count:8}  older than {purpose.days} days: {purpose.basis}")
        self.stdout.write("done" if apply else "nothing was changed; --apply erases it")

    def _reapply(self, path: Path) -> None:
        try:
            erased, held = tombstones.reapply(path)
        except FileNotFoundError as error:
            raise CommandError(
                f"{path} is not there. Where nobody was erased yet that is right; else find the list first: "
                "without it who was erased is back."
            ) from error
        except (OSError, tombstones.TombstoneListError) as error:
            raise CommandError(f"{path}: {error}") from error
        self.stdout.write(f"{erased} erased again, {held} under a legal hold of the backup")
        if held:
            self.stdout.write("lift those holds (People), then run it again")
            sys.exit(1)
