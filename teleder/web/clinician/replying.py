"""The reply to a patient's question, on the review page."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from teleder.cases import asking_back
from teleder.cases.models import PatientQuestion
from teleder.cases.transitions import IllegalMoveError
from teleder.web.clinician.views import show_review, visible
from teleder.web.roles import dermatologist_required


@require_http_methods(["GET", "HEAD", "POST"])
@dermatologist_required
def reply(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Sign the reply. A refused one comes back with its text; a GET, after a log-in, leads to the page."""
    asked = PatientQuestion.objects.asked().filter(submission__in=[visible(request, pk)])
    if request.method != "POST":
        return redirect("web:review", pk)
    question = get_object_or_404(asked, pk=_id(request.POST.get("question", "")))
    text = request.POST.get("text", "")
    try:
        asking_back.reply(question, by=request.user, text=text)
    except ValidationError as error:
        found, status = error.message_dict["text"], 422
    except IllegalMoveError as error:
        found, status = [str(error)], 409
    else:
        messages.success(request, _("Your reply was sent."))
        return redirect(f"{reverse('web:review', args=[pk])}?done={question.pk}")
    refused = {"question": question.pk, "text": text, "errors": found}
    return show_review(request, visible(request, pk), refused_reply=refused, status=status)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)
