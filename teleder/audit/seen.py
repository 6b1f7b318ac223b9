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
from teleder.cases.models import (
    Analysis,
    AnswerDraft,
    Case,
    DrawnCrop,
    Event,
    HandOverNote,
    HeldAnswer,
    Job,
    PatientQuestion,
    Photo,
    Review,
    SecondOpinion,
    Submission,
)
from teleder.notifications.models import Message

# Which column of a row leads to its case, and what it names.
LEADS: dict[type[Model], tuple[str, str]] = {
    Case: ("id", "case"),
    Submission: ("case_id", "case"),
    Photo: ("submission_id", "submission"),
    Review: ("submission_id", "submission"),
    AnswerDraft: ("submission_id", "submission"),
    HeldAnswer: ("submission_id", "submission"),
    SecondOpinion: ("submission_id", "submission"),
    HandOverNote: ("submission_id", "submission"),
    PatientQuestion: ("submission_id", "submission"),
    Event: ("submission_id", "submission"),
    Job: ("photo_id", "photo"),
    Analysis: ("photo_id", "photo"),
    DrawnCrop: ("photo_id", "photo"),
    Message: ("event_id", "event"),
    User: ("id", "patient"),
}

# What each lead leads to, nearest to the case last.
STEPS: tuple[tuple[str, type[Model], str, str], ...] = (
    ("photo", Photo, "submission_id", "submission"),
    ("event", Event, "submission_id", "submission"),
    ("submission", Submission, "case_id", "case"),
)
WHOSE = {"patient_id", "clinic_id"}


class Seen:
    """What was loaded: `rows` by kind and id, `leads` by what they name on the way to a case, and the way of loaded rows."""

    def __init__(self) -> None:
        self.rows: set[tuple[str, str]] = set()
        self.leads: dict[str, set[Any]] = {}
        self.known: dict[type[Model], dict[Any, Any]] = {model: {} for _lead, model, _column, _to in STEPS}
        self.loaded_cases: dict[Any, Case] = {}

    def add(self, row: Model) -> None:
        column, names = LEADS[type(row)]
        pk, lead = row.__dict__.get(row._meta.pk.attname), row.__dict__.get(column)
        self.rows.add((row._meta.model_name, str(pk)))
        self.leads.setdefault(names, set()).add(lead)
        if lead is not None and type(row) in self.known:
            self.known[type(row)][pk] = lead
        if isinstance(row, Case) and row.__dict__.keys() >= WHOSE:
            self.loaded_cases[pk] = row

    def cases(self, by: User) -> list[UUID]:
        """Return the ids of the cases, sorted; of a patient only those that they open, of staff only their clinic's.

        Rows loaded for other work (a request also dispatches other patients' jobs) are not what its user saw.
        """
        # Step by step: one query over all ways at once reads every case there is.
        found = {name: ids - {None} for name, ids in self.leads.items()}
        for lead, model, column, target in STEPS:
            ids = found.get(lead, set())
            known = self.known[model]
            there = found.setdefault(target, set())
            there |= {known[pk] for pk in ids if pk in known}
            if unknown := [pk for pk in ids if pk not in known]:
                there |= set(model.objects.filter(pk__in=unknown).values_list(column, flat=True))
        loaded = {pk: case for pk, case in self.loaded_cases.items() if not case._state.adding}
        cases = {pk for pk in found["case"] if pk in loaded and _is_of(by, loaded[pk])}
        if unknown := found["case"] - loaded.keys():
            whose = Q(patient__in=by.answers_for) if by.is_patient else by.in_own_clinic()
            cases |= set(Case.objects.filter(whose, pk__in=unknown).values_list("pk", flat=True))
        return sorted(cases)


def _is_of(user: User, case: Case) -> bool:
    """Whether a loaded case is the patient's own, or of the clinic of staff: neither ever changes."""
    if user.is_patient:
        return case.patient_id == user.pk or case.patient_id in user.answers_for
    return user.is_superuser or case.clinic_id == user.clinic_id


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
