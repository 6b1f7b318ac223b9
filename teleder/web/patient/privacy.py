"""One's own data, for patients: download and erase. For admins: the same of who asks by letter, and legal holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from teleder.accounts import people
from teleder.accounts.models import User
from teleder.audit import trail
from teleder.audit.models import Verb
from teleder.privacy import erasure, holds
from teleder.privacy import export as exports
from teleder.privacy.models import Hold, Why
from teleder.privacy.policy import policy
from teleder.privacy.statement import statement_for
from teleder.security import rate_limits
from teleder.web.roles import admin_required, patient_required, recent_login_required


# --- The patient ------------------------------------------------------------------------------------------
@require_safe
@patient_required
@recent_login_required
@never_cache
def data(request: HttpRequest) -> HttpResponse:
    """What is held, what goes, what stays and when."""
    context = statement_for(request.user) | {"is_draft": not policy().signed_by}
    return render(request, "web/patient/data.html", context)


@require_POST
@patient_required
@recent_login_required
def export(request: HttpRequest) -> StreamingHttpResponse:
    rate_limits.spend(rate_limits.EXPORTS, request.user)
    trail.call(request, Verb.EXPORT)
    return exports.answer(request.user)


@require_POST
@patient_required
@recent_login_required
def erase(request: HttpRequest) -> HttpResponse:
    if "sure" not in request.POST:
        messages.error(request, _("Please tick that you have read what happens."))
    else:
        erasure.ask(request.user, why=Why.REQUEST)
        messages.success(request, _("Noted. Until the day below you can change your mind here."))
    return redirect("web:data")


@require_POST
@patient_required
def keep(request: HttpRequest) -> HttpResponse:
    """Take the wish back: no password is asked for, as nothing is lost by it."""
    if erasure.take_back(request.user):
        messages.success(request, _("Your account and your data stay."))
    return redirect("web:home")


# --- The admin --------------------------------------------------------------------------------------------
def _patient(request: HttpRequest, pk: UUID) -> User:
    found = get_object_or_404(User.objects.visible_to(request.user), pk=pk)
    if not found.is_patient:
        raise Http404
    return found


@require_safe
@admin_required
@never_cache
def person_data(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _shown(request, _patient(request, pk))


def _shown(request: HttpRequest, person: User, *, errors: Any = (), status: int = 200) -> HttpResponse:
    context = statement_for(person) | {
        "person": person,
        "holds": Hold.objects.visible_to(request.user)
        .filter(person=person)
        .select_related("set_by", "lifted_by"),
        "consents": people.last_words_on_consent(person),
        "is_held": Hold.objects.in_force().filter(person=person).exists(),
        "errors": errors,
    }
    return render(request, "web/operations/person_data.html", context, status=status)


def _hold(request: HttpRequest, person: User) -> str:
    trail.call(request, Verb.HOLD)
    holds.set_hold(person, reason=request.POST.get("reason", ""), by=request.user)
    return _("The hold is in force: nothing of this person is erased until it is lifted.")


def _lift(request: HttpRequest, person: User) -> str:
    trail.call(request, Verb.RELEASE_HOLD)
    holds.lift_hold(person, by=request.user)
    return _("The hold is lifted.")


def _erase(request: HttpRequest, person: User) -> str:
    if "sure" not in request.POST:
        raise ValidationError(_("Please tick that the person asked for it and that you know who it was."))
    erasure.ask(person, why=Why.LETTER, by=request.user)
    return _("Noted. The person is told by mail and can stop it.")


def _keep(request: HttpRequest, person: User) -> str:
    erasure.call_off(person)
    return _("The erasure is called off.")


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
        return _shown(request, person, errors=error.messages, status=422)
    except User.DoesNotExist as error:  # erased at this very moment
        raise Http404 from error
    return redirect("web:person_data", pk)
