"""The duty of the sweeper that compares the boards of all clinics with the alerts that are open."""

from __future__ import annotations

from teleder.accounts.models import Clinic, Role, User
from teleder.notifications import alerts
from teleder.notifications.runbook import OF_CLINIC
from teleder.web.operations import health


def look() -> int:
    """Open and close alerts as the boards show problems now; return how many. It tells nobody."""
    found = set()
    for clinic in Clinic.objects.all():
        reader = User(
            role=Role.ADMIN, clinic=clinic
        )  # never saved: a clinic's board needs none of its people
        for problem in health.board(reader).problems:
            found.add((problem.kind.value, clinic.pk if problem.kind in OF_CLINIC else None))
    return alerts.update(found)
