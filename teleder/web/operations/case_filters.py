"""Which submissions the admin's list of cases shows: filters in its address, and the counts beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, Exists, Min, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import User
from teleder.accounts.normalisation import normalise_code, normalise_email
from teleder.cases.counting import recent
from teleder.cases.models import (
    AIStatus,
    Case,
    Photo,
    PhotoState,
    Status,
    Submission,
    SubmissionQuerySet,
)
from teleder.cases.transitions import AWAITING_DERMATOLOGIST
from teleder.cases.triage import Urgency

FEW_CASES = 1000
COUNTS_SECONDS = 5
WAITING = "waiting"  # a choice beside the statuses: all that wait for a dermatologist
NOBODY = "nobody"
STATUSES = [
    (WAITING, _("waits for a dermatologist")),
    *(choice for choice in Status.choices if choice[0] != Status.DRAFT),
]
URGENCIES = {level.code: level for level in sorted(Urgency, reverse=True)}
# How long ago it was sent.
AGES = {
    "1h": (timedelta(hours=1), _("more than 1 hour ago")),
    "1d": (timedelta(days=1), _("more than 1 day ago")),
    "3d": (timedelta(days=3), _("more than 3 days ago")),
    "7d": (timedelta(days=7), _("more than 7 days ago")),
}


def _overdue() -> Q:
    return Q(due_at__lt=timezone.now())


def _due_soon() -> Q:
    return Q(due_at__gte=timezone.now(), due_at__lt=timezone.now() + timedelta(hours=1))


# The filters with a count: each is a condition on what waits for a dermatologist.
MARKS = {
    "overdue": (_("overdue"), _overdue),
    "soon": (_("due within 1 hour"), _due_soon),
    "unclaimed": (_("nobody holds it"), lambda: Q(claimed_by=None)),
    "unseen": (
        _("a photo can't be seen"),
        lambda: Q(Exists(Photo.objects.current().filter(submission=OuterRef("pk"), state=PhotoState.STORED))),
    ),
    "for_ai": (_("waits for the AI"), lambda: Q(ai_status=AIStatus.WAITING)),
    "without_ai": (_("AI unavailable"), lambda: Q(ai_status=AIStatus.UNAVAILABLE)),
    "unread": (
        _("without AI results"),
        lambda: Q(ai_status__in=(AIStatus.WAITING, AIStatus.UNAVAILABLE)),
    ),
}
CHIPS = ("overdue", "soon", "unclaimed", "unseen", "for_ai", "without_ai")


@dataclass(frozen=True)
class CaseFilters:
    """What the address asks for; anything unknown in it is ignored."""

    mark: str = ""
    status: str = ""
    urgency: str = ""
    holder: str = ""
    age: str = ""
    find: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> CaseFilters:
        holder = query.get("holder", "")
        return cls(
            mark=query.get("mark", "") if query.get("mark") in MARKS else "",
            status=query.get("status", "") if query.get("status") in dict(STATUSES) else "",
            urgency=query.get("urgency", "") if query.get("urgency") in URGENCIES else "",
            holder=holder if holder == NOBODY or parse_ids([holder]) else "",
            age=query.get("age", "") if query.get("age") in AGES else "",
            find=query.get("find", "").strip()[:100],
        )

    @property
    def address(self) -> str:
        """The query of the list's address, with what is set."""
        return urlencode({name: value for name, value in asdict(self).items() if value})

    @property
    def is_waiting(self) -> bool:
        """Whether only submissions that wait for a dermatologist can be found."""
        return self.status == WAITING or bool(self.mark) or self.holder == NOBODY

    def rows(self, user: User) -> SubmissionQuerySet:
        """What `user` may see of it: what waits in the order of due times, all else the newest first."""
        rows = Submission.objects.visible_to(user).select_related("case__patient__patient", "claimed_by")
        if self.is_waiting:
            rows = rows.filter(status__in=AWAITING_DERMATOLOGIST)
        if self.status in Status.values:
            rows = rows.filter(status=self.status)
        if self.mark:
            rows = rows.filter(MARKS[self.mark][1]())
        if self.urgency:
            rows = rows.filter(urgency=URGENCIES[self.urgency])
        if self.holder:
            rows = rows.filter(claimed_by=None if self.holder == NOBODY else UUID(self.holder))
        if self.age:
            rows = rows.filter(submitted_at__lt=timezone.now() - AGES[self.age][0])
        if self.find:
            rows = rows.filter(found_by(self.find))
        return rows.order_by("due_at", "id") if self.is_waiting else rows.order_by("-submitted_at")


def counts(user: User) -> dict[str, Any]:
    """Count what waits for a dermatologist, and of it each mark; `oldest` is the first sending."""
    rows = Submission.objects.visible_to(user).filter(status__in=AWAITING_DERMATOLOGIST)

    def count() -> dict[str, Any]:
        marks = {name: Count("pk", filter=condition()) for name, (_label, condition) in MARKS.items()}
        return rows.aggregate(waiting=Count("pk"), oldest=Min("submitted_at"), **marks)

    return recent("marks", user, COUNTS_SECONDS, count, rows=lambda found: found["waiting"])


def found_by(query: str) -> Q:
    """Return the condition that a submission's case number or patient's address contains this, or a request had this id.

    Few cases are looked up by themselves, each by its own index: one condition over both tables reads every submission.
    The number of a case that was merged finds the case into which it was.
    """
    if requests := parse_ids([query]):
        return Q(pk__in=list(Photo.objects.filter(trace=requests[0]).values_list("submission", flat=True)))
    letters, address = "".join(filter(str.isalnum, normalise_code(query).upper())), normalise_email(query)
    number = f"{letters[:4]}-{letters[4:]}" if len(letters) > 4 else letters
    people = User.objects.filter(email__icontains=address).values_list("pk", flat=True)[:FEW_CASES]
    addressed = Case.objects.filter(patient__in=list(people)).values_list("pk", flat=True)[:FEW_CASES]
    numbers = Case.objects.filter(number__contains=number).values_list("pk", "merged_into")[:FEW_CASES]
    numbered = {pk for pair in numbers for pk in pair if pk} if letters else set()
    found = {*addressed, *numbered}
    if len(found) < FEW_CASES > len(people):
        return Q(case__in=found)
    by_number = Q(case__number__contains=number) if letters else Q()
    return Q(case__patient__email__icontains=address) | by_number


def parse_ids(texts: list[str]) -> list[UUID]:
    """Return the ids among the texts that came with a request."""
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found
