"""A patient's own data: download and erase."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from teleder.audit import entries
from teleder.audit.models import Verb
from teleder.privacy import erasure
from teleder.privacy import export as exports
from teleder.privacy.models import Why
from teleder.privacy.policy import retention_policy
from teleder.privacy.statement import statement_for
from teleder.security import rate_limits
from teleder.web.roles import patient_required, recent_login_required


@require_safe
@patient_required
@recent_login_required
@never_cache
def data(request: HttpRequest) -> HttpResponse:
    """What is held, what goes, what stays and when."""
    context = statement_for(request.user) | {"is_draft": not retention_policy().signed_by}
    return render(request, "web/patient/data.html", context)


@require_POST
@patient_required
@recent_login_required
def export_data(request: HttpRequest) -> StreamingHttpResponse:
    rate_limits.spend(rate_limits.EXPORTS, request.user)
    entries.set_verb(request, Verb.EXPORT)
    return exports.answer(request.user)


@require_POST
@patient_required
@recent_login_required
def erase_data(request: HttpRequest) -> HttpResponse:
    if "sure" not in request.POST:
        messages.error(request, _("Please confirm that you have read what will happen."))
    else:
        erasure.ask(request.user, why=Why.REQUEST)
        messages.success(request, _("Your request is recorded. You can cancel it here until the date below."))
    return redirect("web:data")


@require_POST
@patient_required
def keep_data(request: HttpRequest) -> HttpResponse:
    """Cancel the erasure. It asks for no password, because nothing is lost by it."""
    if erasure.take_back(request.user):
        messages.success(request, _("Your account and your data are kept."))
    return redirect("web:home")
