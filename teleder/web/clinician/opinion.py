"""How the AI's opinion opens on the review page, and its distance report."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from contract.messages import Stage
from teleder.cases import ai_opinion, transitions
from teleder.cases.models import Confidence, Impression, Job, Photo, PhotoState, Submission
from teleder.cases.verdict import verdict_of
from teleder.pipeline import queue, recovery
from teleder.web.clinician.case_photos import photos_of
from teleder.web.clinician.distances import Distances
from teleder.web.clinician.forms import AnswerForm
from teleder.web.clinician.views import is_mine, show_review, submission_action, visible
from teleder.web.conditional import unless_same
from teleder.web.roles import dermatologist_required


@submission_action
def choose_impression(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Keep the impression of the answer form, or with `ai_first` none: the AI's opinion opens, and typed text stays.

    In a blind study `sign_look` signs it.
    """
    impression, form = request.POST.get("impression"), None
    signs = "sign_look" in request.POST
    if signs and impression in Impression.values:
        sure = request.POST.get("confidence", "")
        confidence = sure if sure in Confidence.values else ""
        ai_opinion.sign_look(submission, by=request.user, impression=impression, confidence=confidence)
    elif "ai_first" in request.POST:
        ai_opinion.see_first(submission, by=request.user)
    elif impression in Impression.values:
        ai_opinion.choose(submission, by=request.user, impression=impression)
    if is_mine(request, submission) and "amends" in request.POST:
        form = AnswerForm(initial=request.POST.dict(), submission=submission, amending=False)
        if "ai_first" not in request.POST and impression not in Impression.values:
            form.cleaned_data = {}
            form.add_error("impression", _("Please choose your impression first."))
            return show_review(request, submission, form=form, status=422)
    return show_review(request, submission, form=form)


@require_safe
@dermatologist_required
def distances(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Other distances of the photo `?photo=`, polled by the open page while they are measured."""
    submission = visible(request, pk)
    if not ai_opinion.is_open(submission, request.user):
        raise Http404
    photos = list(submission.current_photos().prefetch_related("analyses__findings"))
    reading = photos_of(request, photos, verdict_of(submission, photos), is_open=True)["reading"]
    if reading is None:
        raise Http404
    return unless_same(request, _distances(request, submission, reading.distances))


@submission_action
def check_distances(request: HttpRequest, submission: Submission) -> HttpResponse:
    asked = request.POST.get("photo")
    photo = next((one for one in submission.current_photos() if str(one.pk) == asked), None)
    if photo is None:
        raise transitions.IllegalMoveError(_("This photo is no longer part of the submission."))
    ai_opinion.require_open(submission, request.user)
    queue.request_distance_report(photo)
    if request.htmx:
        return _distances(request, submission, Distances(photo, verdict_of(submission)))
    return redirect(f"{reverse('web:review', args=[submission.pk])}?photo={photo.pk}#distances")


def _distances(request: HttpRequest, submission: Submission, found: Distances) -> HttpResponse:
    context = {"submission": submission, "distances": found}
    return render(request, "web/clinician/_distances.html", context)


@submission_action
def prepare_photo(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Prepare again what was stopped before it could be seen, and photos that could not be used."""
    jobs = Job.objects.filter(photo__in=Photo.objects.current(), photo__submission=submission)
    jobs = jobs.filter(photo__state__in=(PhotoState.STORED, PhotoState.UNUSABLE), stage=Stage.PREPARE)
    done = sum(recovery.prepare_again(job, by=request.user) for job in jobs)
    messages.success(
        request,
        _("The photo is being prepared. It appears by itself.") if done else _("Nothing was stopped."),
    )
    return redirect("web:review", submission.pk)
