"""Step 3 of a submission: its photos, sent one request each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from contract.messages import Stage
from contract.photos import ACCEPT
from teleder.cases import intake
from teleder.cases.models import PHOTOS_PER_SUBMISSION, Photo, PhotoState, PhotoView, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.remedies import remedy_for, remedy_for_wish, state_for_patient
from teleder.cases.transitions import EDITABLE, IllegalMoveError
from teleder.pipeline.transitions import UNFINISHED
from teleder.security import rate_limits
from teleder.security.rate_limits import RateLimitedError
from teleder.web.conditional import unless_same
from teleder.web.patient.common import UNPROCESSABLE, own_submission, try_or_explain, urgent_advice
from teleder.web.roles import patient_required

PLAIN = "text/plain; charset=utf-8"
HOW_TO_TAKE = {
    PhotoView.OVERVIEW: gettext_lazy(
        "From about an arm's length: the whole area and some healthy skin around it."
    ),
    PhotoView.CLOSE_UP: gettext_lazy("From about 30 cm: the worst spot, in focus, filling the picture."),
    PhotoView.OTHER: gettext_lazy("Another spot, or the same from the side."),
}


@patient_required
@require_safe
def photos(request: HttpRequest, pk: UUID) -> HttpResponse:
    submission = own_submission(request, pk)
    if submission.status not in EDITABLE:
        return redirect(submission)
    slots = [(view.value, view.label, HOW_TO_TAKE[view]) for view in PhotoView]
    context = photo_context(submission) | {"slots": slots, "accepted_formats": ACCEPT}
    return render(request, "web/patient/photos.html", context)


def photo_context(submission: Submission) -> dict[str, Any]:
    """Return what the template of the photos shows."""
    found = list(submission.current_photos().prefetch_related("jobs"))
    tiles = [
        {
            "photo": photo,
            "remedy": remedy_for(photo),
            "words": state_for_patient(photo),
            "checking": is_awaited(photo, settings.CHECK_PATIENCE_SECONDS),
        }
        for photo in found
    ]
    return {
        "submission": submission,
        "urgent": urgent_advice(submission),
        "wish": remedy_for_wish(submission.photos_wanted),
        "tiles": tiles,
        "checking": any(tile["checking"] for tile in tiles),
        "polling": any(is_awaited(photo, settings.CHECK_POLL_SECONDS) for photo in found),
        "full": sum(photo.state != PhotoState.UNUSABLE for photo in found) >= PHOTOS_PER_SUBMISSION,
        "can_go_on": any(photo.state != PhotoState.UNUSABLE for photo in found),
    }


def is_awaited(photo: Photo, seconds: int) -> bool:
    """Whether the worker has still to prepare the photo, or to check it and was asked less than `seconds` ago."""
    since = timezone.now() - timedelta(seconds=seconds)
    return photo.state == PhotoState.STORED or any(
        job.stage == Stage.CHECK and job.state in UNFINISHED and job.created_at > since
        for job in photo.jobs.all()
    )


@patient_required
@require_safe
def tiles(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The photos alone, for polling."""
    context = photo_context(own_submission(request, pk))
    return unless_same(request, render(request, "web/patient/_tiles.html", context))


@patient_required
@require_POST
def add_photo(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Store one photo. A script gets the new tiles or a sentence; a plain form leads back to the page."""
    submission = own_submission(request, pk)
    by_script = "X-Photo-Script" in request.headers
    try:
        rate_limits.spend(rate_limits.UPLOADS, request.user)
        problem = _store(request, submission)
    except RateLimitedError as refusal:
        if not by_script:
            raise
        return HttpResponse(
            refusal.message, status=429, content_type=PLAIN, headers={"Retry-After": refusal.wait}
        )
    if not by_script:
        if problem:
            messages.error(request, problem)
        return redirect("web:photos", pk=pk)
    if problem:
        return HttpResponse(problem, status=UNPROCESSABLE, content_type=PLAIN)
    return render(request, "web/patient/_tiles.html", photo_context(submission), status=201)


def _store(request: HttpRequest, submission: Submission) -> str:
    """Store the upload; return an error message for the patient, or "". Raises `RateLimitedError`."""
    upload = request.FILES.get("photo")
    if upload is None:
        return _("Please choose a photo first.")
    try:
        intake.add_photo(submission, view=request.POST.get("view"), upload=upload)
    except RefusedError as refusal:
        if refusal.wait:
            raise RateLimitedError(refusal.wait, refusal.message) from refusal
        return str(refusal.message)
    except ValidationError as error:
        return " ".join(error.messages)
    except IllegalMoveError as refusal:
        return str(refusal)
    return ""


@patient_required
@require_POST
def remove_photo(request: HttpRequest, pk: UUID) -> HttpResponse:
    photo = get_object_or_404(Photo.objects.visible_to(request.user), pk=pk)
    try_or_explain(request, intake.remove_photo, photo)
    return redirect("web:photos", pk=photo.submission_id)


@patient_required
@require_POST
def send_photo_anyway(request: HttpRequest, pk: UUID) -> HttpResponse:
    photo = get_object_or_404(Photo.objects.visible_to(request.user), pk=pk)
    intake.send_anyway(photo)
    return redirect("web:photos", pk=photo.submission_id)
