"""`manage.py audit verify | head | protect`: see docs/running.md."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.core.management.base import BaseCommand, CommandError, CommandParser

from contract import environment
from teleder.audit import entries, rights
from teleder.audit.models import Entry


class Command(BaseCommand):
    help = "Check whether the audit log was tampered with; print or mail its head; limit a role's rights."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verify = verbs.add_parser(
            "verify", help="exit 1 and say which entries were changed, moved or removed"
        )
        verify.add_argument("--head", default="", help="NUMBER:HASH that was kept elsewhere")
        head = verbs.add_parser("head", help="print NUMBER:HASH of the last entry")
        head.add_argument("--mail", action="store_true", help="also mail it to TELEDER_AUDIT_MAIL")
        protect = verbs.add_parser(
            "protect", help="give ROLE the rights of web and workers, or of jobs, and take all others"
        )
        protect.add_argument(
            "--jobs", action="store_true", help="ROLE is for exports, backups and checks of the record"
        )
        protect.add_argument("role", help="made, or given this password, where TELEDER_ROLE_PASSWORD is set")

    def handle(self, *, verb: str, **options: Any) -> None:
        getattr(self, verb)(**options)

    def verify(self, *, head: str, **_: Any) -> None:
        try:
            found = list(entries.faults(head))
        except ValueError as error:
            raise CommandError(error) from error
        for fault in found:
            self.stdout.write(fault)
        self.stdout.write(f"{Entry.objects.count()} entries, {len(found)} faults; head {entries.head()}")
        if not head:
            self.stdout.write("without --head, missing entries at the end cannot be detected")
        if found:
            sys.exit(1)

    def head(self, *, mail: bool, **_: Any) -> None:
        head = entries.head()
        self.stdout.write(head)
        if mail and not settings.AUDIT_MAIL:
            raise CommandError("TELEDER_AUDIT_MAIL says to whom; it is not set")
        if mail:
            send_mail("teleder audit head", head, None, [settings.AUDIT_MAIL])

    def protect(self, *, role: str, jobs: bool, **_: Any) -> None:
        given = rights.JOBS if jobs else rights.WEB
        try:
            rights.protect(role, environment.secret("TELEDER_ROLE_PASSWORD"), given)
        except rights.ExcessiveRightsError as error:
            raise CommandError(f"nothing was changed, this role can do too much: {error}") from error
        if left := rights.limit_times(role, given):
            self.stdout.write("who may change roles must set its time-outs:\n" + ";\n".join(left) + ";")
        self.stdout.write(f"{role} has the rights of {'jobs' if jobs else 'web and workers'}, and no others")
