"""Parts of a patient's settings with a form of their own: how texts are shown, and where the patient is logged in."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from teleder.security import devices
from teleder.web.display import TEXT_SIZES, Display, keep_display
from teleder.web.roles import patient_required


@require_POST
@patient_required
def display(request: HttpRequest) -> HttpResponse:
    """Set text size and furigana for this browser."""
    response = redirect("web:settings")
    if request.POST.get("text_size") in dict(TEXT_SIZES):
        keep_display(response, Display(request.POST["text_size"], request.POST.get("furigana") == "1"))
        messages.success(request, _("Saved."))
    return response


@require_POST
@patient_required
def end_device(request: HttpRequest, pk: int) -> HttpResponse:
    """Log one of the patient's own devices out."""
    devices.end_device(get_object_or_404(request.user.devices, pk=pk))
    messages.success(request, _("Logged out there."))
    return redirect("web:settings")


@require_POST
@patient_required
def end_other_devices(request: HttpRequest) -> HttpResponse:
    devices.end_other_devices(request)
    messages.success(request, _("You are logged in here only."))
    return redirect("web:settings")
