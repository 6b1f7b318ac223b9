"""The first page, and the one after signing up."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from teleder.accounts.models import PatientProfile, Purpose, Role
from teleder.accounts.people import consent_text, give_consent
from teleder.cases import triage
from teleder.cases.models import Submission
from teleder.cases.transitions import IN_PROGRESS, WITH_ANSWER
from teleder.web.patient.common import UNPROCESSABLE, is_ready_to_ask
from teleder.web.patient.forms import ConsentForm, ProfileForm
from teleder.web.patient.submission import progress
from teleder.web.roles import patient_required

EARLIER_SHOWN = 20


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show a visitor what this is, a patient their submissions; lead staff to their own first page."""
    if not request.user.is_authenticated:
        return render(request, "web/patient/landing.html", {"receipt": triage.policy().advice("receipt")})
    if request.user.role == Role.DERMATOLOGIST:
        return redirect("web:worklist")
    if request.user.role == Role.ADMIN:
        return redirect("web:operations")
    if not is_ready_to_ask(request.user):
        return redirect("web:welcome")
    mine = Submission.objects.visible_to(request.user).select_related("case")
    context = {
        "open": [
            {"submission": each, "steps": progress(each)} for each in mine.filter(status__in=IN_PROGRESS)
        ],
        "earlier": mine.filter(status__in=WITH_ANSWER)[:EARLIER_SHOWN],
    }
    return render(request, "web/patient/home.html", context)


@patient_required
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    """After signing up: year of birth, skin type and the consents."""
    profile = getattr(request.user, "patient", None) or PatientProfile(user=request.user)
    data = request.POST or None
    form, consents = ProfileForm(data, instance=profile), ConsentForm(data)
    if request.method == "POST" and form.is_valid() and consents.is_valid():
        with transaction.atomic():
            form.save()
            for purpose in consents.purposes():
                give_consent(request.user, purpose)
        return redirect("web:home")
    texts = {purpose.value: consent_text(purpose) for purpose in Purpose}
    context = {"form": form, "consents": consents, "texts": texts}
    return render(request, "web/patient/welcome.html", context, status=UNPROCESSABLE if data else 200)
