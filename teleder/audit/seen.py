"""Which rows of the clinical record a request has loaded: collected by signals, so no view can forget to report them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from django.db.models import Model, Q
from django.db.models.signals import post_init

from teleder.accounts.models import User
from teleder.cases.models import Analysis, Case, Event, Job, Photo, Review, Submission
from teleder.notifications.models import Message

# Which column of a row leads to its case, and what it names.
LEADS: dict[type[Model], tuple[str, str]] = {
    Case: ("id", "case"),
    Submission: ("case_id", "case"),
    Photo: ("submission_id", "submission"),
    Review: ("submission_id", "submission"),
    Event: ("submission_id", "submission"),
    Job: ("photo_id", "photo"),
    Analysis: ("photo_id", "photo"),
    Message: ("event_id", "event"),
    User: ("id", "patient"),
}


class Seen:
    """What was loaded: `rows` by kind and id, `leads` by what they name on the way to a case."""

    def __init__(self) -> None:
        self.rows: set[tuple[str, str]] = set()
        self.leads: dict[str, set[Any]] = {}

    def add(self, row: Model) -> None:
        column, names = LEADS[type(row)]
        self.rows.add((row._meta.model_name, str(row.__dict__.get(row._meta.pk.attname))))
        self.leads.setdefault(names, set()).add(row.__dict__.get(column))

    def cases(self, by: User) -> list[UUID]:
        """Return the ids of the cases, sorted; of a patient only their own, of staff only their clinic's.

        Rows loaded for other work (a request also dispatches other patients' jobs) are not what its user saw.
        """
        paths = {"case": "pk", "submission": "submissions", "photo": "submissions__photos"}
        paths |= {"event": "submissions__events"}
        wanted = Q()
        for names, ids in self.leads.items():
            if names in paths and ids != {None}:
                wanted |= Q(**{f"{paths[names]}__in": ids - {None}})
        if not wanted:
            return []
        whose = Q(patient=by) if by.is_patient else by.in_own_clinic()
        return sorted(Case.objects.filter(wanted, whose).values_list("pk", flat=True).distinct())


_seen: ContextVar[Seen | None] = ContextVar("seen", default=None)


@contextmanager
def collected() -> Iterator[Seen]:
    found = Seen()
    token = _seen.set(found)
    try:
        yield found
    finally:
        _seen.reset(token)


def _note(instance: Model, **_signal: Any) -> None:
    if found := _seen.get():
        found.add(instance)


def watch() -> None:
    for model in LEADS:
        post_init.connect(_note, sender=model, dispatch_uid="teleder.audit.seen")
