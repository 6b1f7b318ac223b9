"""Messages, profile and consents. Staff use the settings page too, with fewer fields."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from teleder.accounts.models import PatientProfile, Purpose
from teleder.accounts.people import consent_text, give_consent
from teleder.cases import intake
from teleder.notifications.models import Message, Preference
from teleder.web.patient.common import UNPROCESSABLE
from teleder.web.patient.forms import NoticeForm, PersonForm, ProfileForm
from teleder.web.roles import patient_required

MESSAGES_SHOWN = 100


@patient_required
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """All messages. Opening the page marks them as read."""
    mine = Message.objects.inbox_of(request.user).select_related("event__submission__case")
    response = render(request, "web/patient/inbox.html", {"rows": list(mine[:MESSAGES_SHOWN])})
    mine.mark_read()
    return response


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: HttpRequest) -> HttpResponse:
    """Name and language; for patients also the profile, notices and consents."""
    user, data = request.user, request.POST or None
    forms: dict[str, Any] = {"person": PersonForm(data, instance=user)}
    context: dict[str, Any] = {}
    if user.is_patient:
        wants_mail = not Preference.objects.filter(person=user, email=False).exists()
        profile = getattr(user, "patient", None) or PatientProfile(user=user)
        forms["profile"] = ProfileForm(data, instance=profile)
        forms["notices"] = NoticeForm(data, initial={"email": wants_mail})
        given = {row.purpose: row for row in user.consents.given()}
        context = {
            "consents": [(p.value, p.label, given.get(p.value), consent_text(p)) for p in Purpose],
            "withdrawn": user.consents.exclude(withdrawn_at=None).order_by("-withdrawn_at"),
        }
    if data and all(form.is_valid() for form in forms.values()):
        with transaction.atomic():
            forms["person"].save()
            if user.is_patient:
                forms["profile"].save()
                wanted = forms["notices"].cleaned_data["email"]
                Preference.objects.update_or_create(person=user, defaults={"email": wanted})
        messages.success(request, _("Saved."))
        return redirect("web:settings")
    status = UNPROCESSABLE if data else 200
    return render(request, "web/patient/settings.html", context | forms, status=status)


@patient_required
@require_POST
def consent(request: HttpRequest) -> HttpResponse:
    """Give or withdraw one consent."""
    if request.POST.get("purpose") in Purpose.values:
        purpose = Purpose(request.POST["purpose"])
        if request.POST.get("verb") == "give":
            give_consent(request.user, purpose)
        else:
            intake.withdraw_consent(request.user, purpose)
        messages.success(request, _("Saved."))
    return redirect("web:settings")
