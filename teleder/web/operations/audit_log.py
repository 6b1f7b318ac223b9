"""Who looked at a case: all of it for the admin, the looks at photos for the patient."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from teleder.accounts.models import Role, User
from teleder.audit.models import Entries, Entry
from teleder.cases.models import Submission
from teleder.web.roles import admin_required, patient_required

ENTRIES_SHOWN = 200


@require_safe
@admin_required
def of_case(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _trail(request, pk, lambda entries: entries)


@require_safe
@patient_required
def of_photos(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Other people's looks at the photos of the patient's case."""
    return _trail(request, pk, lambda entries: entries.filter(kind="photo").exclude(person=request.user.pk))


def _trail(request: HttpRequest, pk: UUID, narrow: Any) -> HttpResponse:
    rows = Submission.objects.visible_to(request.user).select_related("case")
    submission = get_object_or_404(rows, pk=pk)
    entries: Entries = narrow(Entry.objects.of_case(submission.case))
    shown = list(entries[:ENTRIES_SHOWN])
    people = User.objects.in_bulk({entry.person for entry in shown if entry.person})
    context = {
        "submission": submission,
        "rows": [(entry, people.get(entry.person), _role(entry)) for entry in shown],
    }
    return render(request, "web/trail.html", context)


def _role(entry: Entry) -> str:
    return str(Role(entry.role).label) if entry.role in Role.values else entry.role
