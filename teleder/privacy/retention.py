"""What has passed its retention period, by purpose (`policies/`): counted, or erased as in erasure.py. A hold wins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.admin.models import LogEntry
from django.db import OperationalError, connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from teleder.accounts.models import Invitation, Role, User
from teleder.audit.models import Verb
from teleder.cases.models import (
    Case,
    Event,
    EventKind,
    Photo,
    Status,
    Submission,
)
from teleder.cases.transitions import OPEN
from teleder.privacy import belongings, erasure, holds, remnants
from teleder.privacy.models import Why
from teleder.privacy.policy import RetentionPurpose, retention_policy

AT_ONCE = 50  # in one transaction


# --- What is old enough -----------------------------------------------------------------------------------
def drafts(age: timedelta) -> QuerySet[Submission]:
    """Never sent, and nothing was done to it since."""
    return _untouched(age).filter(status=Status.DRAFT)


def withdrawn(age: timedelta) -> QuerySet[Submission]:
    return _untouched(age).filter(status=Status.WITHDRAWN)


def _untouched(age: timedelta) -> QuerySet[Submission]:
    since = Now() - age
    done = Event.objects.filter(submission=OuterRef("pk"), at__gt=since)
    photographed = Photo.objects.filter(submission=OuterRef("pk"), created_at__gt=since)
    reviewed = Q(reviews__isnull=False)
    rows = Submission.objects.exclude(case__patient__in=holds.held()).exclude(reviewed)
    return rows.filter(~Exists(done), ~Exists(photographed), created_at__lte=since)


def removed_photos(age: timedelta) -> QuerySet[Photo]:
    """Taken out before it was ever sent: what a dermatologist may have seen is part of the medical record."""
    sent = Event.objects.filter(
        submission=OuterRef("submission"),
        kind=EventKind.SUBMITTED,
        at__gte=OuterRef("created_at"),
        at__lte=OuterRef("removed_at"),
    )
    rows = Photo.objects.exclude(submission__case__patient__in=holds.held())
    return rows.filter(~Exists(sent), removed_at__lte=Now() - age)


def medical_records(age: timedelta) -> QuerySet[Case]:
    """Cases that were sent once, where nothing is open and nothing was done since."""
    mine = Submission.objects.filter(case=OuterRef("pk"))
    done = Event.objects.filter(submission__case=OuterRef("pk"), at__gt=Now() - age)
    signed = mine.filter(reviews__signed_at__gt=Now() - age)
    sent = Event.objects.filter(submission__case=OuterRef("pk"), kind=EventKind.SUBMITTED)
    rows = Case.objects.exclude(patient__in=holds.held()).filter(opened_at__lte=Now() - age)
    return rows.filter(Exists(sent), ~Exists(done), ~Exists(signed), ~Exists(mine.filter(status__in=OPEN)))


def accounts(age: timedelta) -> QuerySet[User]:
    since = Now() - age
    rows = User.objects.filter(role=Role.PATIENT, cases=None, erasure=None, date_joined__lte=since)
    # A child goes with their guardian, who stays as long as a child has a case.
    rows = rows.filter(email__isnull=False).exclude(children__child__cases__isnull=False)
    return rows.exclude(pk__in=holds.held()).filter(Q(last_login=None) | Q(last_login__lte=since))


def invitations(age: timedelta) -> QuerySet[Invitation]:
    return Invitation.objects.filter(expires_at__lte=Now() - age)


def back_room_log(age: timedelta) -> QuerySet[LogEntry]:
    return LogEntry.objects.filter(action_time__lte=Now() - age)


# --- What is done to it -----------------------------------------------------------------------------------
def _erase_submissions(rows: QuerySet[Submission]) -> None:
    cases = Case.objects.filter(pk__in=list(rows.values_list("case", flat=True)))
    erasure.erase_submissions(rows)
    erasure.erase_empty(cases)


def _erase_cases(rows: QuerySet[Case]) -> None:
    cases = Case.objects.filter(pk__in=list(rows.values_list("pk", flat=True)))
    erasure.erase_submissions(Submission.objects.filter(case__in=cases))
    erasure.erase_empty(cases)


def _erase_photos(rows: QuerySet[Photo]) -> None:
    pks = list(rows.values_list("pk", flat=True))
    erasure.erase_files(Photo.objects.filter(pk__in=pks))
    belongings.delete(belongings.OF_PHOTO, pks)


def _announce(rows: QuerySet[User]) -> None:
    """Tell people first, who can keep their account; it is erased when they do not."""
    for person in rows:
        erasure.ask(person, why=Why.RETENTION)


@dataclass(frozen=True)
class Rule:
    """One purpose: which rows are old enough, what is done to some of them, whose they are."""

    name: str
    found: Callable[[timedelta], QuerySet]
    erase: Callable[[QuerySet], object]
    person: str = ""

    @property
    def purpose(self) -> RetentionPurpose:
        return retention_policy().purposes[self.name]

    def rows(self) -> QuerySet:
        return self.found(self.purpose.age)


RULES = (
    Rule("draft", drafts, _erase_submissions, person="case__patient"),
    Rule("withdrawn", withdrawn, _erase_submissions, person="case__patient"),
    Rule("removed_photo", removed_photos, _erase_photos, person="submission__case__patient"),
    Rule("medical_record", medical_records, _erase_cases, person="patient"),
    Rule("account", accounts, _announce, person="pk"),
    Rule("invitation", invitations, QuerySet.delete),
    Rule("back_room_log", back_room_log, QuerySet.delete),
)


def report() -> Iterator[tuple[Rule, int]]:
    """Yield each purpose with how many rows are old enough; changes nothing."""
    yield from ((rule, rule.rows().count()) for rule in RULES)


def apply() -> Iterator[tuple[Rule, int]]:
    """Erase what is old enough; yield each purpose with how many rows went. May be stopped and run again."""
    for rule in RULES:
        done = 0
        while count := _apply(rule):
            done += count
        yield rule, done
    remnants.clear()


def _apply(rule: Rule) -> int:
    try:
        with transaction.atomic():
            return _erase(rule)
    except OperationalError:  # somebody works on one of these rows: the next night
        return 0


def _erase(rule: Rule) -> int:
    with connection.cursor() as cursor:
        cursor.execute(erasure.LOCK_TIMEOUT)
    model, pks = rule.found(timedelta()).model, list(rule.rows().values_list("pk", flat=True)[:AT_ONCE])
    if not pks:
        return 0
    rows = model._default_manager.filter(pk__in=pks)
    if rule.person:  # as erasure does: people first, then submissions; a hold set meanwhile is seen below
        people = User.objects.filter(pk__in=list(rows.values_list(rule.person, flat=True)))
        list(people.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    rows = rule.rows().filter(pk__in=pks)
    count = rows.count()
    rule.erase(rows)
    erasure.write_last_entry(Verb.RETAIN, f"privacy:retention:{rule.name}")
    return count
