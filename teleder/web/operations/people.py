"""The admin's pages about people, and the page that an invitation links to."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from teleder.accounts import licences
from teleder.accounts import people as verbs
from teleder.accounts.attempts import FAILED_LOGINS_KEPT_DAYS
from teleder.accounts.licences import LicenceState
from teleder.accounts.models import FailedLogin, Invitation, Role, User
from teleder.cases.models import name_or_number
from teleder.web.operations.people_forms import InvitationForm, InviteForm
from teleder.web.roles import admin_required, recent_login_required

PEOPLE_SHOWN = 50
VERBS = {
    "activate": (verbs.activate, gettext_lazy("%(name)s may log in.")),
    "deactivate": (verbs.deactivate, gettext_lazy("%(name)s can no longer log in.")),
    "make-admin": (
        partial(verbs.change_role, role=Role.ADMIN),
        gettext_lazy("%(name)s is now an admin and must log in again."),
    ),
    "make-dermatologist": (
        partial(verbs.change_role, role=Role.DERMATOLOGIST),
        gettext_lazy("%(name)s is now a dermatologist and must log in again."),
    ),
    "on-call": (
        partial(verbs.set_duty, on_call=True),
        gettext_lazy("%(name)s is on call and is notified of urgent cases."),
    ),
    "off-call": (
        partial(verbs.set_duty, on_call=False),
        gettext_lazy("%(name)s is no longer on call."),
    ),
    "make-lead": (
        partial(verbs.set_duty, is_lead=True),
        gettext_lazy("%(name)s is notified when four fifths of a promised time have passed."),
    ),
    "unmake-lead": (
        partial(verbs.set_duty, is_lead=False),
        gettext_lazy("%(name)s is no longer told of promised times as a lead."),
    ),
    "forget-factors": (
        verbs.reset_second_factors,
        gettext_lazy("%(name)s must log in again and set up a new second factor."),
    ),
}


@require_safe
@admin_required
def people(request: HttpRequest) -> HttpResponse:
    return _people(request, InviteForm())


def _people(request: HttpRequest, form: InviteForm, *, status: int = 200) -> HttpResponse:
    query, role = request.GET.get("find", "").strip()[:100], request.GET.get("role", "")
    rows = (
        User.objects.visible_to(request.user)
        .select_related("clinic", "dermatologist")
        .prefetch_related("guardianships__guardian")
        .order_by("-date_joined")
    )
    if query:
        rows = rows.matching(query)
    if role in Role.values:
        rows = rows.filter(role=role)
    licence = request.GET.get("licence", "")
    if licence in LicenceState.values:
        rows = rows.filter(licences.in_state(licence))
    context: dict[str, Any] = {
        "page": Paginator(rows, PEOPLE_SHOWN).get_page(request.GET.get("page")),
        "form": form,
        "find": query,
        "role": role,
        "roles": Role.choices,
        "licence": licence,
        "licences": _licences(request.user),
        "invitations": Invitation.objects.visible_to(request.user).open(),
    }
    return render(request, "web/operations/people.html", context, status=status)


def _licences(user: User) -> list[tuple[str, str, int]]:
    """Return each state of licences with its label and how many are in it, those first that need an admin."""
    shown = (LicenceState.EXPIRED, LicenceState.EXPIRING, LicenceState.UNCHECKED, LicenceState.IN_FORCE)
    counts = {state.value: Count("pk", filter=licences.in_state(state)) for state in shown}
    found = User.objects.visible_to(user).filter(role=Role.DERMATOLOGIST).aggregate(**counts)
    return [(state.value, state.label, found[state.value]) for state in shown]


@require_safe
@admin_required
@never_cache
def failed_logins(request: HttpRequest) -> HttpResponse:
    """Failed log-ins of the last 90 days: of the whole clinic, or of the person in `?person=`."""
    rows = FailedLogin.objects.visible_to(request.user).select_related("person")
    person = None
    if wanted := request.GET.get("person", ""):
        try:
            person = get_object_or_404(User.objects.visible_to(request.user), pk=UUID(wanted))
        except ValueError:
            raise Http404 from None
        rows = rows.filter(person=person)
    context = {
        "page": Paginator(rows, PEOPLE_SHOWN).get_page(request.GET.get("page")),
        "person": person,
        "title": name_or_number(person) if person else "",
        "days": FAILED_LOGINS_KEPT_DAYS,
    }
    return render(request, "web/operations/failed_logins.html", context)


@require_POST
@admin_required
@recent_login_required
def invite(request: HttpRequest) -> HttpResponse:
    form = InviteForm(request.POST)
    if form.is_valid():
        try:
            invitation = verbs.invite(**form.cleaned_data, by=request.user)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("An invitation was sent to %(email)s.") % {"email": invitation.email})
            return redirect("web:people")
    return _people(request, form, status=422)


@require_POST
@admin_required
@recent_login_required
def change_person(request: HttpRequest, pk: UUID, verb: str) -> HttpResponse:
    person = get_object_or_404(User.objects.visible_to(request.user), pk=pk)
    if verb not in VERBS:
        raise Http404
    try:
        VERBS[verb][0](person, by=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, VERBS[verb][1] % {"name": person})
    return redirect("web:people")


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Create the invited person's account: name, password, and for dermatologists the licence number."""
    found = Invitation.by_token(token)
    if found is None:
        return render(request, "web/operations/invitation_expired.html", status=410)
    form = InvitationForm(request.POST or None, invitation=found)
    if not form.is_valid():
        context = {"form": form, "invitation": found}
        return render(
            request, "web/operations/invitation.html", context, status=422 if form.is_bound else 200
        )
    if verbs.accept_invitation(found, **form.cleaned_data) is None:
        return render(request, "web/operations/invitation_expired.html", status=410)
    messages.success(request, _("Your account is ready. Please log in."))
    return redirect("account_login")
