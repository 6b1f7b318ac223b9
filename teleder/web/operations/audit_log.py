"""The access log of a case: every entry for admins, views of photos for the patient."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from teleder.accounts.models import Role, User
from teleder.audit.models import Entry, EntryQuerySet
from teleder.cases.models import Submission
from teleder.web.roles import admin_required, patient_required

ENTRIES_SHOWN = 200


@require_safe
@admin_required
def of_case(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _log_page(request, pk, lambda entries: entries)


@require_safe
@patient_required
def of_photos(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Other people's views of the photos of the patient's case."""
    return _log_page(
        request, pk, lambda entries: entries.filter(kind="photo").exclude(person=request.user.pk)
    )


def _log_page(request: HttpRequest, pk: UUID, narrow: Any) -> HttpResponse:
    rows = Submission.objects.visible_to(request.user).select_related("case")
    submission = get_object_or_404(rows, pk=pk)
    entries: EntryQuerySet = narrow(Entry.objects.of_case(submission.case))
    shown = list(entries[:ENTRIES_SHOWN])
    roles = dict(Role.choices)
    people = User.objects.in_bulk({entry.person for entry in shown if entry.person})
    context = {
        "submission": submission,
        "rows": [(entry, people.get(entry.person), roles.get(entry.role, entry.role)) for entry in shown],
    }
    return render(request, "web/access_log.html", context)
