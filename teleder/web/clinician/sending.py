"""From a signature to the patient: the strip on every staff page, undoing, sending at once, and taking back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from teleder.cases import answer_drafts, colleagues, held, reading
from teleder.cases.models import Submission
from teleder.cases.triage import Urgency
from teleder.notifications import on_call
from teleder.web import wording
from teleder.web.clinician.rows import age_band
from teleder.web.clinician.views import submission_action
from teleder.web.conditional import unless_unchanged
from teleder.web.roles import staff_required

CALLS_SHOWN = 4


@require_safe
@staff_required
def strip(request: HttpRequest) -> HttpResponse:
    """What staff must not miss on any page, polled by each: 304 while nothing changes."""
    wanted = list(colleagues.opinions_wanted(request.user).values_list("pk", flat=True))
    stamp = (on_call.calls_stamp(request.user), held.held_stamp(request.user), wanted, get_language())
    return unless_unchanged(
        request, repr(stamp), lambda: render(request, "web/clinician/_strip.html", _strip(request))
    )


def _strip(request: HttpRequest) -> dict[str, Any]:
    calls = on_call.announced(request.user)
    urgent = {
        "calls": calls[:CALLS_SHOWN],
        "more_calls": len(calls[CALLS_SHOWN:]),
        "number_of_calls": len(calls),
    }
    for call in urgent["calls"]:
        call.round = on_call.round_of(call.opened_at)
        call.level = Urgency(call.submission.rule_urgency)
        place, band = call.submission.case.place_names, age_band(call.submission.patient)
        call.about = " · ".join(filter(None, [place, band]))
    if not request.user.is_dermatologist:
        return urgent | {"held": [], "stopped": [], "opinions_wanted": []}
    stopped = [
        {"submission": draft.submission, "why": wording.STOPS.get(draft.stopped_because)}
        for draft in answer_drafts.stopped(request.user)
    ]
    shown = {"held": held.held_by(request.user), "stopped": stopped}
    return urgent | shown | {"opinions_wanted": list(colleagues.opinions_wanted(request.user))}


@require_POST
@staff_required
def acknowledge(request: HttpRequest, pk: UUID) -> HttpResponse:
    """See to an urgent case: its announcements and calls end for some minutes, in which somebody claims it."""
    rows = Submission.objects.visible_to(request.user)
    on_call.acknowledge(get_object_or_404(rows, pk=pk), by=request.user)
    if request.htmx:
        return render(request, "web/clinician/_strip.html", _strip(request))
    return redirect("web:home")


@submission_action
def undo(request: HttpRequest, submission: Submission) -> HttpResponse:
    held.undo(submission, by=request.user)
    messages.success(request, _("The answer was not sent. It is your draft again."))
    return redirect("web:review", submission.pk)


@submission_action
def send_now(request: HttpRequest, submission: Submission) -> HttpResponse:
    held.send_now(submission, by=request.user)
    if request.htmx:
        return render(request, "web/clinician/_strip.html", _strip(request))
    messages.success(request, _("The answer to %(case)s was sent.") % {"case": submission.case})
    return redirect("web:worklist")


@submission_action
def take_back_answer(request: HttpRequest, submission: Submission) -> HttpResponse:
    try:
        reading.take_back_answer(submission, by=request.user, reason=request.POST.get("reason", ""))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(
            request, _("The answer was taken back: the patient has not seen it. Write it again.")
        )
    return redirect("web:review", submission.pk)
