"""A patient's own data: download and erase."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from teleder.accounts.guardians import children_of
from teleder.accounts.models import User
from teleder.audit import entries
from teleder.audit.models import Verb
from teleder.privacy import erasure
from teleder.privacy import export as exports
from teleder.privacy.models import Why
from teleder.privacy.policy import retention_policy
from teleder.privacy.statement import kept_by_law, statement_for
from teleder.security import rate_limits
from teleder.web.roles import patient_required, recent_login_required


def _person(request: HttpRequest, pk: UUID | None) -> User:
    """Return the child of this id, or without one the person who asks."""
    return get_object_or_404(children_of(request.user), pk=pk) if pk else request.user


@require_safe
@patient_required
@recent_login_required
@never_cache
def data(request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
    """What is held, what goes, what stays and when; of oneself or of one's child."""
    person = _person(request, pk)
    context = statement_for(person) | {
        "is_draft": not retention_policy().signed_by,
        "patient": person,
        "is_unsure": "unsure" in request.GET,
        "kept_by_law": kept_by_law(),
    }
    return render(request, "web/patient/data.html", context)


@require_POST
@patient_required
@recent_login_required
def export_data(request: HttpRequest, pk: UUID | None = None) -> StreamingHttpResponse:
    person = _person(request, pk)
    rate_limits.spend(rate_limits.EXPORTS, request.user)
    entries.set_verb(request, Verb.EXPORT)
    return exports.answer(person)


@require_POST
@patient_required
@recent_login_required
def erase_data(request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
    person = _person(request, pk)
    address = reverse("web:child_data", args=[pk]) if pk else reverse("web:data")
    if "sure" not in request.POST:
        return redirect(f"{address}?unsure=1#sure")
    erasure.ask(person, why=Why.REQUEST)
    messages.success(request, _("Your request is recorded. You can cancel it here until the date below."))
    return redirect(address)


@require_POST
@patient_required
def keep_data(request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
    """Cancel the erasure. It asks for no password, because nothing is lost by it."""
    if erasure.take_back(_person(request, pk)):
        messages.success(
            request, _("Your account and your data are kept.") if pk is None else _("The record is kept.")
        )
    return redirect("web:home")
