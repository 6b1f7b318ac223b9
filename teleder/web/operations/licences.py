"""A dermatologist's licence, for admins: what was checked, by whom and when, and a new check."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from teleder.accounts import licences
from teleder.accounts.models import User
from teleder.web.operations.people_forms import LicenceForm
from teleder.web.roles import admin_required, recent_login_required

CHECKS_SHOWN = 20
LOGGED = "licence checked: "  # as `licences.check` writes it


def _dermatologist(request: HttpRequest, pk: UUID) -> User:
    found = get_object_or_404(User.objects.visible_to(request.user).select_related("dermatologist"), pk=pk)
    if not found.is_dermatologist:
        raise Http404
    return found


@require_safe
@admin_required
@never_cache
def licence(request: HttpRequest, pk: UUID) -> HttpResponse:
    person = _dermatologist(request, pk)
    profile = getattr(person, "dermatologist", None)
    kept = {"number": profile.licence_number, "expires_on": profile.licence_expires_on} if profile else {}
    return _page(request, person, LicenceForm(initial=kept))


def _page(request: HttpRequest, person: User, form: LicenceForm, *, status: int = 200) -> HttpResponse:
    # Said in the words of the check (`licences.check`), so that an address that was changed as well is not among them.
    about = ContentType.objects.get_for_model(User)
    checks = LogEntry.objects.filter(content_type=about, object_id=person.pk).select_related("user")
    checks = checks.filter(change_message__startswith=LOGGED)
    context = {
        "person": person,
        "profile": getattr(person, "dermatologist", None),
        "form": form,
        "told_at_days": licences.TOLD_AT_DAYS,
        "checks": [_logged(entry) for entry in checks.order_by("-action_time")[:CHECKS_SHOWN]],
    }
    return render(request, "web/operations/licence.html", context, status=status)


def _logged(entry: LogEntry) -> dict[str, Any]:
    """Take the English words of the log apart, so that a page says them in its own language."""
    number, _until, last_day = entry.change_message.removeprefix(LOGGED).rpartition(", until ")
    return {"entry": entry, "number": number, "last_day": "" if last_day == "no date" else last_day}


@require_POST
@admin_required
@recent_login_required
def check_licence(request: HttpRequest, pk: UUID) -> HttpResponse:
    person, form = _dermatologist(request, pk), LicenceForm(request.POST)
    if form.is_valid():
        try:
            given = {name: form.cleaned_data[name] for name in ("number", "expires_on")}
            licences.check(person, **given, by=request.user)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The licence of %(name)s was checked.") % {"name": person})
            return redirect("web:licence", pk)
    return _page(request, person, form, status=422)
