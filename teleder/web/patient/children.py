"""Children: whom a guardian answers for, their consents, and the hand-over of their record when they are grown up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from teleder.accounts.children import add_child
from teleder.accounts.consent_texts import consent_text
from teleder.accounts.guardians import ChildInvitation, children_of
from teleder.accounts.models import Purpose, User
from teleder.accounts.people import give_consent
from teleder.cases import consents
from teleder.privacy import guardians, hand_over
from teleder.web.patient.common import UNPROCESSABLE, choices_of_consent, is_child
from teleder.web.patient.forms import (
    ChildForm,
    ConsentForm,
    GuardianForm,
    HandOverForm,
    RelationForm,
    TakeOverForm,
)
from teleder.web.roles import patient_required, recent_login_required


def own_child(request: HttpRequest, pk: UUID) -> User:
    return get_object_or_404(children_of(request.user), pk=pk)


@patient_required
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """A further child, with the consents that the guardian gives for the child."""
    if is_child(request.user):
        return redirect("web:guardian_needed")
    data = request.POST or None
    form, consents = ChildForm(data), ConsentForm(data)
    if request.method == "POST" and form.is_valid() and consents.is_valid():
        try:
            child = add_child(guardian=request.user, **form.cleaned_data, purposes=consents.purposes())
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("%(name)s was added.") % {"name": child.name})
            return redirect("web:child", child.pk)
    texts = {purpose.value: consent_text(purpose, for_child=True) for purpose in Purpose}
    context = {"form": form, "consents": consents, "texts": texts}
    return render(request, "web/patient/add_child.html", context, status=UNPROCESSABLE if data else 200)


@patient_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def child(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Name, date of birth and consents of one child."""
    found = own_child(request, pk)
    form = ChildForm(request.POST or None, child=found)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("web:child", pk)
    return _child_page(request, own_child(request, pk), form=form)


def _child_page(request: HttpRequest, found: User, *, form: ChildForm, **more: Any) -> HttpResponse:
    invitations = {row.kind: row for row in found.child_invitations.open()}
    context = {
        "patient": found,
        "form": form,
        "consents": choices_of_consent(found, by=request.user),
        "is_due": hand_over.is_due(found),
        "years": settings.AGE_OF_CONSENT_YEARS,
        "hand_over": HandOverForm(),
        "take_over": invitations.get(ChildInvitation.Kind.TAKE_OVER),
        "guardians": [
            (row, guardians.may_remove(found, row.guardian, by=request.user)) for row in found.guardians
        ],
        "invited": invitations.get(ChildInvitation.Kind.GUARDIAN),
        "invite": GuardianForm(),
        "may_invite": len(found.guardians) < guardians.GUARDIANS_LIMIT,
        **more,
    }
    status = UNPROCESSABLE if request.method == "POST" else 200
    return render(request, "web/patient/child.html", context, status=status)


@patient_required
@require_POST
def child_consent(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give or withdraw one consent for a child."""
    found = own_child(request, pk)
    if request.POST.get("purpose") in Purpose.values:
        purpose = Purpose(request.POST["purpose"])
        try:
            if request.POST.get("verb") == "give":
                give_consent(found, purpose, by=request.user)
            else:
                consents.withdraw_consent(found, purpose, by=request.user)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, _("Saved."))
    return redirect("web:child", pk)


@require_POST
@patient_required
@recent_login_required
def hand_over_child(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send the link by which a grown-up child takes over, or stop it."""
    form = HandOverForm(request.POST)
    return _send_or_stop(request, pk, "hand_over", form, send=hand_over.send_link, stop=hand_over.stop)


@require_POST
@patient_required
@recent_login_required
def invite_guardian(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send the link by which another guardian joins, or stop it."""
    form, send = GuardianForm(request.POST), guardians.invite_guardian
    return _send_or_stop(request, pk, "invite", form, send=send, stop=guardians.cancel_invitation)


def _send_or_stop(
    request: HttpRequest, pk: UUID, place: str, form: Form, *, send: Callable, stop: Callable
) -> HttpResponse:
    """Send a link for a child to the form's address, or stop it; a refused form is shown at its place on the child's page."""
    found = own_child(request, pk)
    if request.POST.get("verb") == "stop":
        stop(found)
        messages.success(request, _("The link no longer works."))
        return redirect("web:child", pk)
    if form.is_valid():
        try:
            send(found, email=form.cleaned_data["email"])
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The link was sent."))
            return redirect("web:child", pk)
    return _child_page(request, found, form=ChildForm(child=found), **{place: form})


@require_POST
@patient_required
@recent_login_required
def remove_guardian(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Leave a child, or end what a guardian who joined later may do."""
    found = own_child(request, pk)
    rows = {str(row.guardian_id): row.guardian for row in found.guardians}
    guardian = rows.get(request.POST.get("guardian", ""))
    if guardian is None or not guardians.remove(found, guardian, by=request.user):
        messages.error(request, _("This guardian stays: somebody must answer for the child."))
        return redirect("web:child", pk)
    messages.success(request, _("Saved."))
    return redirect("web:settings") if guardian == request.user else redirect("web:child", pk)


@patient_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """For the invited guardian: their consents for the child, and how they are related."""
    if is_child(request.user):
        return redirect("web:guardian_needed")
    found = ChildInvitation.objects.by_token(token, ChildInvitation.Kind.GUARDIAN)
    if found is None or not guardians.is_for(found, request.user):
        context = {"is_for_another": found is not None}
        return render(request, "web/patient/join_expired.html", context, status=410)
    data = request.POST or None
    form, consents = RelationForm(data), ConsentForm(data)
    if request.method == "POST" and form.is_valid() and consents.is_valid():
        try:
            child = guardians.join(
                token, by=request.user, relation=form.cleaned_data["relation"], purposes=consents.purposes()
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            if child is None:
                return render(request, "web/patient/join_expired.html", status=410)
            messages.success(request, _("You are a guardian of %(name)s now.") % {"name": child.name})
            return redirect("web:child", child.pk)
    texts = {purpose.value: consent_text(purpose, for_child=True) for purpose in Purpose}
    context = {"form": form, "consents": consents, "texts": texts, "child": found.child}
    return render(request, "web/patient/join.html", context, status=UNPROCESSABLE if data else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
@never_cache
def take_over(request: HttpRequest, token: str) -> HttpResponse:
    """For the grown-up child who follows the link: choose a password, then log in."""
    found = ChildInvitation.objects.by_token(token, ChildInvitation.Kind.TAKE_OVER)
    if found is None:
        return render(request, "web/patient/take_over_expired.html", status=410)
    form = TakeOverForm(request.POST or None)
    if form.is_valid():
        try:
            taken = hand_over.take_over(token, password=form.cleaned_data["password"])
        except ValidationError as error:
            form.add_error("password", error)
        else:
            if taken is None:
                return render(request, "web/patient/take_over_expired.html", status=410)
            messages.success(request, _("Your account is ready. Please log in."))
            return redirect("account_login")
    context = {"form": form, "email": found.email}
    status = UNPROCESSABLE if form.is_bound else 200
    return render(request, "web/patient/take_over.html", context, status=status)


@patient_required
@require_safe
def guardian_needed(request: HttpRequest) -> HttpResponse:
    """Who is too young to ask alone reads here how a guardian does it."""
    if not is_child(request.user):
        return redirect("web:home")
    years, profile = settings.AGE_OF_CONSENT_YEARS, request.user.patient
    # A year alone may leave open whether the birthday was already.
    context = {"years": years, "asks_date": profile.birth_date is None and profile.age == years}
    return render(request, "web/patient/guardian_needed.html", context)
