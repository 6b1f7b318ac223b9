"""The form in which a dermatologist draws a crop and a lesion, and the section that says what the model makes of it."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from contract.drawn import RUNS_AT_MOST, Rectangle
from contract.fields import LARGEST
from teleder.cases import ai_opinion, drawn_crops
from teleder.cases.models import Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import IllegalMoveError
from teleder.cases.verdict import verdict_of
from teleder.web.clinician.case_photos import photos_of
from teleder.web.clinician.drawn import SIDES, drawing_of
from teleder.web.clinician.views import is_mine, submission_action, visible
from teleder.web.conditional import unless_same
from teleder.web.roles import dermatologist_required

_NUMBER = re.compile(r"[0-9]{1,10}")


@require_safe
@dermatologist_required
def drawn_crops_section(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What was drawn on the photo `?photo=`, polled by the open page while a crop is analysed."""
    submission = visible(request, pk)
    return unless_same(request, _section(request, submission))


@submission_action
def draw_crop(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Keep what was drawn; a refusal stands in the section, where the drawing stays as it is."""
    asked = request.POST.get("photo")
    photo = next((one for one in submission.current_photos() if str(one.pk) == asked), None)
    if photo is None:
        raise IllegalMoveError(_("This photo is no longer part of the submission."))
    try:
        drawn_crops.draw_crop(photo, by=request.user, **_given(request))
    except ValidationError as error:
        refused = " ".join(error.messages)
        if not request.htmx:
            raise RefusedError("invalid", refused) from error
        return _section(request, submission, refused=refused, status=422)
    except IllegalMoveError as error:
        if not request.htmx or not ai_opinion.is_open(submission, request.user):
            raise
        return _section(request, submission, refused=str(error), status=409)
    if request.htmx:
        return _section(request, submission)
    return redirect(f"{reverse('web:review', args=[submission.pk])}?photo={photo.pk}#drawn-crops")


def _given(request: HttpRequest) -> dict[str, Any]:
    """Return box and lesion of the form. Raises `ValidationError`."""
    sent = {name: request.POST.get(name, "") for name in SIDES}
    sides = {name: int(text) for name, text in sent.items() if _NUMBER.fullmatch(text)}
    is_box = len(sides) == len(SIDES) and max(sides.values()) <= LARGEST
    if not is_box or not (sides["width"] and sides["height"]):
        raise ValidationError({"box": _("Please give the crop as four whole numbers.")})
    runs = request.POST.get("lesion", "")
    parts = runs.split(",") if runs else []
    if len(parts) > RUNS_AT_MOST or not all(map(_NUMBER.fullmatch, parts)):
        raise ValidationError({"lesion": _("The lesion does not fit the photo.")})
    return {"box": Rectangle(**sides), "lesion": [int(part) for part in parts] or None}


def _section(
    request: HttpRequest, submission: Submission, *, refused: str = "", status: int = 200
) -> HttpResponse:
    if not ai_opinion.is_open(submission, request.user):
        raise Http404
    photos = list(submission.current_photos().prefetch_related("analyses__findings"))
    verdict = verdict_of(submission, photos)
    found = photos_of(request, photos, verdict, is_open=True)
    drawing = drawing_of(submission, found["reading"], is_mine=is_mine(request, submission))
    if drawing is None:
        raise Http404
    drawing.refusal = refused
    context = {"submission": submission, "drawing": drawing, "reading": found["reading"], "verdict": verdict}
    return render(request, "web/clinician/_drawn.html", context, status=status)
