"""The full-size copy of a photo on the review page: asked for when the zoom passes the display copy, shown once it is made."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from teleder.cases import transitions
from teleder.cases.models import Photo, Submission
from teleder.pipeline import queue
from teleder.web.clinician.views import submission_action, visible
from teleder.web.conditional import unless_same
from teleder.web.roles import dermatologist_required


@require_safe
@dermatologist_required
def full_copy(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How the full-size copy of the photo `?photo=` stands, polled by the open page while it is made."""
    submission = visible(request, pk)
    photo = _photo_of(request, submission, request.GET.get("photo"))
    if photo is None:
        raise Http404
    return unless_same(request, _shown(request, submission, photo))


@submission_action
def make_full_copy(request: HttpRequest, submission: Submission) -> HttpResponse:
    photo = _photo_of(request, submission, request.POST.get("photo", ""))
    if photo is None:
        raise transitions.IllegalMoveError(_("This photo is no longer part of the submission."))
    queue.request_full_copy(photo)
    if request.htmx:
        return _shown(request, submission, _photo_of(request, submission, str(photo.pk)))
    return redirect(f"{reverse('web:review', args=[submission.pk])}?photo={photo.pk}")


def _photo_of(request: HttpRequest, submission: Submission, wanted: str | None) -> Photo | None:
    """Return a photo of the case, also of an earlier visit: its page shows those too."""
    rows = Photo.objects.visible_to(request.user).current().filter(submission__case=submission.case)
    photos = queue.with_full_copy_state(rows)
    return next((one for one in photos if wanted in (None, str(one.pk))), None)


def _shown(request: HttpRequest, submission: Submission, photo: Photo) -> HttpResponse:
    context = {"submission": submission, "photo": photo, "full_copy": queue.full_copy_state(photo)}
    return render(request, "web/clinician/_full_copy.html", context)
