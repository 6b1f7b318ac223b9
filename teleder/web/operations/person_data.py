"""A person's data, for admins: download and erasure on a letter's request, and legal holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from teleder.accounts import people
from teleder.accounts.models import User
from teleder.audit import entries
from teleder.audit.models import Verb
from teleder.cases.models import name_or_number
from teleder.privacy import erasure, holds
from teleder.privacy.models import Hold, Why
from teleder.privacy.statement import statement_for
from teleder.web.roles import admin_required, recent_login_required


def _patient(request: HttpRequest, pk: UUID) -> User:
    found = get_object_or_404(User.objects.visible_to(request.user), pk=pk)
    if not found.is_patient:
        raise Http404
    return found


@require_safe
@admin_required
@never_cache
def person_data(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _page(request, _patient(request, pk))


def _page(request: HttpRequest, person: User, *, errors: Any = (), status: int = 200) -> HttpResponse:
    context = statement_for(person) | {
        "person": person,
        "title": name_or_number(person),
        "holds": Hold.objects.visible_to(request.user)
        .filter(person=person)
        .select_related("set_by", "lifted_by"),
        "consents": people.latest_consents(person),
        "is_held": Hold.objects.in_force().filter(person=person).exists(),
        "errors": errors,
    }
    return render(request, "web/operations/person_data.html", context, status=status)


def _hold(request: HttpRequest, person: User) -> str:
    entries.set_verb(request, Verb.HOLD)
    holds.set_hold(person, reason=request.POST.get("reason", ""), by=request.user)
    return _("The legal hold is in force: no data of this person is erased until it is lifted.")


def _lift(request: HttpRequest, person: User) -> str:
    entries.set_verb(request, Verb.RELEASE_HOLD)
    holds.lift_hold(person, by=request.user)
    return _("The legal hold was lifted.")


def _erase(request: HttpRequest, person: User) -> str:
    if "sure" not in request.POST:
        raise ValidationError(
            _("Please confirm that the person asked for it and that you have checked their identity.")
        )
    erasure.ask(person, why=Why.LETTER, by=request.user)
    return _("The request is recorded. The person is notified by e-mail and can cancel it.")


def _keep(request: HttpRequest, person: User) -> str:
    erasure.cancel_erasure(person)
    return _("The erasure was cancelled.")


VERBS: dict[str, Callable[[HttpRequest, User], str]] = {
    "hold": _hold,
    "lift": _lift,
    "erase": _erase,
    "keep": _keep,
}


@require_POST
@admin_required
@recent_login_required
def change_person_data(request: HttpRequest, pk: UUID, verb: str) -> HttpResponse:
    person = _patient(request, pk)
    if verb not in VERBS:
        raise Http404
    try:
        messages.success(request, VERBS[verb](request, person))
    except ValidationError as error:
        return _page(request, person, errors=error.messages, status=422)
    except User.DoesNotExist as error:  # erased meanwhile
        raise Http404 from error
    return redirect("web:person_data", pk)
