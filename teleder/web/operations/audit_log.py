"""The access log of a case, one line a sitting: everything for admins, views of photos for the patient."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from teleder.accounts.models import Role, User
from teleder.audit.entries import LINK
from teleder.audit.models import Entry, EntryQuerySet
from teleder.audit.sittings import Sitting, sittings
from teleder.cases.models import Submission
from teleder.web.roles import admin_required, patient_required

ENTRIES_READ = 2000  # on one page


@require_safe
@admin_required
def of_case(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The sittings, the newest first; `?before=` is the number of an entry behind which a page begins."""
    submission = _submission(request, pk)
    entries = Entry.objects.of_case(submission.case)
    before = request.GET.get("before", "")[:18]
    if before.isdecimal():
        entries = entries.filter(number__lt=int(before))
    read = list(entries[:ENTRIES_READ])
    context = {
        "submission": submission,
        "rows": _with_people(read),
        "older": read[-1].number if len(read) == ENTRIES_READ else None,
    }
    return render(request, "web/access_log.html", context)


@require_safe
@patient_required
def of_photos(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Other people's views of the photos of the patient's case."""
    submission = _submission(request, pk)
    entries: EntryQuerySet = Entry.objects.of_case(submission.case)
    others = entries.filter(kind="photo").exclude(person=request.user.pk)
    context = {"submission": submission, "rows": _with_people(list(others[:ENTRIES_READ]))}
    return render(request, "web/patient/looks.html", context)


def _submission(request: HttpRequest, pk: UUID) -> Submission:
    return get_object_or_404(Submission.objects.visible_to(request.user).select_related("case"), pk=pk)


def _with_people(entries: list[Entry]) -> list[tuple[Sitting, User | None, Any]]:
    """Return each sitting with its person, if any, and the role in words."""
    roles = {**dict(Role.choices), LINK: _("somebody with a share link")}
    people = User.objects.in_bulk({entry.person for entry in entries if entry.person})
    return [(row, people.get(row.person), roles.get(row.role, row.role)) for row in sittings(entries)]
