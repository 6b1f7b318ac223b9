"""Messages, profile and consents. Staff use the settings page too, with fewer fields."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from knox.models import AuthToken

from teleder.accounts import licences
from teleder.accounts.guardians import children_of
from teleder.accounts.models import PatientProfile, Purpose
from teleder.accounts.people import give_consent
from teleder.cases import consents
from teleder.cases.models import EventKind
from teleder.notifications.models import Message, Preference
from teleder.security.devices import devices_of
from teleder.web.display import TEXT_SIZES
from teleder.web.patient.common import NAME_ASKED, UNPROCESSABLE, choices_of_consent
from teleder.web.patient.forms import (
    LanguageForm,
    NameForm,
    NoticeForm,
    PersonForm,
    ProfileForm,
    TimeZoneForm,
)
from teleder.web.roles import patient_required

MESSAGES_SHOWN = 100
ICONS = {
    EventKind.PHOTOS_REQUESTED: "camera",
    EventKind.SIGNED: "message",
    EventKind.AMENDED: "message",
    EventKind.REPLIED: "message",
    EventKind.PHOTOS_DUE: "camera",
    EventKind.MOVED_UP: "up",
}
# What a doctor wrote or asked for; everything else is a notice of the app.
FROM_DOCTORS = {EventKind.PHOTOS_REQUESTED, EventKind.SIGNED, EventKind.AMENDED, EventKind.REPLIED}


@patient_required
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """What doctors wrote, one row a case with the newest, and the notices. Opening the page marks all as read."""
    related = ("event__submission__case__patient", "event__actor__dermatologist")
    mine = Message.objects.inbox_of(request.user).select_related(*related)
    rows = list(mine[:MESSAGES_SHOWN])
    talks: dict[UUID, Message] = {}
    for row in rows:
        row.icon, row.is_unread = ICONS.get(row.event.kind, "check"), row.read_at is None
        row.address = row.event.submission.get_absolute_url()
        if row.event.kind in FROM_DOCTORS:
            if row.event.kind == EventKind.REPLIED:
                row.address = reverse("web:ask_back", args=[row.event.submission_id])
            newest = talks.setdefault(row.event.submission.case_id, row)
            newest.is_unread |= row.is_unread
    context = {
        "talks": [*talks.values()],
        "notices": [row for row in rows if row.event.kind not in FROM_DOCTORS],
    }
    response = render(request, "web/patient/inbox.html", context)
    mine.mark_read()
    return response


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: HttpRequest) -> HttpResponse:
    """Name and language of staff in one form; for patients a section with a form for each of several things."""
    user = request.user
    sections = _sections_of_patient(request) if user.is_patient else {"": _forms_of_staff(request)}
    sent = sections.get(request.POST.get("section", ""), {}) if request.method == "POST" else {}
    if sent and all(form.is_valid() for form in sent.values()):
        with transaction.atomic():
            for form in sent.values():
                form.save()
        messages.success(request, _("Saved."))
        return redirect("web:settings")
    context: dict[str, Any] = {name: form for forms in sections.values() for name, form in forms.items()}
    if user.is_patient:
        context |= {
            "consents": choices_of_consent(user, by=user),
            "text_sizes": TEXT_SIZES,
            "devices": devices_of(user),
            "apps": AuthToken.objects.filter(user=user, expiry__gt=timezone.now()).count(),
            "children": children_of(user),
            "withdrawn": user.consents.exclude(withdrawn_at=None).order_by("-withdrawn_at"),
        }
    if user.is_dermatologist:
        context["licence"] = licences.concern_of(user)
    status = UNPROCESSABLE if request.method == "POST" else 200
    return render(request, "web/patient/settings.html", context, status=status)


def _forms_of_staff(request: HttpRequest) -> dict[str, Any]:
    data = request.POST or None
    user = request.user
    return {"person": PersonForm(data, instance=user), "speech": LanguageForm(data, instance=user)}


def _sections_of_patient(request: HttpRequest) -> dict[str, dict[str, Any]]:
    """Return the forms of each section by name; those of the section that was sent hold what was sent."""
    user, section = request.user, request.POST.get("section", "")
    data = {section: request.POST}
    profile = getattr(user, "patient", None) or PatientProfile(user=user)
    wants_mail = not Preference.objects.filter(person=user, email=False).exists()
    return {
        "me": {
            "person": PersonForm(data.get("me"), instance=user),
            "profile": ProfileForm(data.get("me"), instance=profile),
        },
        "language": {
            "speech": LanguageForm(data.get("language"), instance=user),
            "zone": TimeZoneForm(data.get("language"), instance=user),
        },
        "notices": {"notices": NoticeForm(data.get("notices"), person=user, initial={"email": wants_mail})},
    }


@patient_required
@require_http_methods(["GET", "HEAD", "POST"])
def name(request: HttpRequest) -> HttpResponse:
    """Ask a patient without a name for it, once a log-in: home leads here."""
    request.session[NAME_ASKED] = True
    form = NameForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        return redirect("web:home")
    status = UNPROCESSABLE if request.method == "POST" else 200
    return render(request, "web/patient/name.html", {"form": form}, status=status)


@patient_required
@require_POST
def consent(request: HttpRequest) -> HttpResponse:
    """Give or withdraw one consent."""
    if request.POST.get("purpose") in Purpose.values:
        purpose = Purpose(request.POST["purpose"])
        try:
            if request.POST.get("verb") == "give":
                give_consent(request.user, purpose)
            else:
                consents.withdraw_consent(request.user, purpose, by=request.user)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, _("Saved."))
    return redirect("web:settings")
