"""Step 3 of a submission: its photos, sent one request each."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from contract.messages import Stage
from contract.photos import ACCEPT, QualityFault
from teleder.cases import case_places, intake
from teleder.cases.missing_photos import ASKED, is_reason_wanted, missing_photos, reasons
from teleder.cases.models import (
    PHOTOS_PER_SUBMISSION,
    MissingPhoto,
    Photo,
    PhotoState,
    PhotoView,
    Status,
    Submission,
)
from teleder.cases.originals import RefusedError
from teleder.cases.questionnaire import FACE_SITES, INTIMATE_SITES
from teleder.cases.remedies import (
    ICONS,
    REMEDIES,
    SHORT,
    icon_of_remedy,
    is_better_retaken,
    name_of_problem,
    remedy_for,
    remedy_for_wish,
    state_for_patient,
)
from teleder.cases.transitions import EDITABLE, IllegalMoveError
from teleder.pipeline.transitions import UNFINISHED
from teleder.security import rate_limits
from teleder.security.rate_limits import RateLimitedError
from teleder.web.conditional import unless_same
from teleder.web.patient.common import (
    HISTORY_PARTS,
    UNPROCESSABLE,
    contact_for_minor,
    own_submission,
    try_or_explain,
    urgent_advice,
)
from teleder.web.roles import patient_required

PLAIN = "text/plain; charset=utf-8"
POLL_SECONDS = 1  # while the worker has not looked at a photo
LATER_POLL_SECONDS = 2


class Guide(NamedTuple):
    """What the page says of one of the three kinds of photo."""

    title: str | Promise
    missing: str | Promise
    distance: str | Promise
    advice: str | Promise
    reason: str | Promise
    drawing: str


GUIDES = {
    PhotoView.OVERVIEW: Guide(
        gettext_lazy("From a distance"),
        gettext_lazy("There is no photo from a distance yet"),
        gettext_lazy("an arm's length (about 60 cm)"),
        gettext_lazy("With some healthy skin around it"),
        gettext_lazy("The doctor sees how large the area is"),
        "slot-overview",
    ),
    PhotoView.CLOSE_UP: Guide(
        gettext_lazy("Close up"),
        gettext_lazy("There is no close-up photo yet"),
        gettext_lazy("about 30 cm"),
        gettext_lazy("The worst spot in the middle, in focus"),
        gettext_lazy("The doctor sees the surface of the skin"),
        "slot-closeup",
    ),
    PhotoView.OTHER: Guide(
        gettext_lazy("Another angle"),
        "",
        "",
        gettext_lazy("From the side, or another spot"),
        gettext_lazy("You need not add one"),
        "slot-other",
    ),
}
# What the browser itself notices of a photo (smaller.js), until the worker has looked at it.
HINTS = {"dark": QualityFault.TOO_DARK, "blurred": QualityFault.BLURRED, "small": QualityFault.TOO_SMALL}


@patient_required
@require_safe
def photos(request: HttpRequest, pk: UUID) -> HttpResponse:
    submission = own_submission(request, pk)
    if submission.status not in EDITABLE:
        return redirect(submission)
    is_draft = submission.status == Status.DRAFT
    contact = contact_for_minor(submission)
    if contact and not submission.case.sites:
        return redirect("web:about", pk)
    context = photo_context(submission) | {
        "hints": [(name, SHORT[fault], REMEDIES[fault], ICONS[fault]) for name, fault in HINTS.items()],
        "back": reverse("web:history", args=[pk, [*HISTORY_PARTS][-1]])
        if is_draft
        else submission.get_absolute_url(),
        "stage": 3,
        "contact": contact,
        "shows_intimate": not INTIMATE_SITES.isdisjoint(submission.case.sites),
        "shows_face": not FACE_SITES.isdisjoint(submission.case.sites),
    }
    return render(request, "web/patient/photos.html", context)


def photo_context(submission: Submission) -> dict[str, Any]:
    """Return what the templates of the photos show."""
    found = list(submission.current_photos().prefetch_related("jobs"))
    impatient = timezone.now() - timedelta(seconds=settings.CHECK_PATIENCE_SECONDS)
    tiles = [
        {
            "photo": photo,
            "guide": GUIDES[PhotoView(photo.view)],
            "remedy": remedy_for(photo),
            "icon": icon_of_remedy(photo),
            "words": state_for_patient(photo),
            "problem": name_of_problem(photo) if is_better_retaken(photo) else "",
            "checking": is_awaited(photo, settings.CHECK_PATIENCE_SECONDS)
            and not (photo.state == PhotoState.STORED and photo.created_at < impatient),
        }
        for photo in found
    ]
    full = sum(photo.state != PhotoState.UNUSABLE for photo in found) >= PHOTOS_PER_SUBMISSION
    missing = missing_photos(submission)
    # One thing at a time: first what is to be taken again, then what is missing.
    is_open = not any(tile["problem"] and not tile["checking"] for tile in tiles)
    places = _places_of(submission, tiles)
    taken = {(place["id"], tile["photo"].view) for place in places for tile in place["tiles"]}
    current = next((wanted for wanted in missing if wanted not in taken), None) if is_open else None
    earlier = functools.cache(lambda: case_places.earlier_photos(submission))  # asked by an empty slot alone
    for number, place in enumerate(places):
        place["slots"] = [
            {
                "place": place,
                "view": view.value,
                "id": f"{view.value}-{number}" if number else view.value,
                "guide": guide,
                "tiles": [tile for tile in place["tiles"] if tile["photo"].view == view],
                "is_asked": view in ASKED,
                "last": lambda key=(place["id"], view.value): earlier().get(key),
                "is_current": (place["id"], view) == current,
                "is_offered": not full
                and (
                    (place["id"], view) not in taken if view in ASKED else _may_add_more(place, len(places))
                ),
            }
            for view, guide in GUIDES.items()
        ]
        for n, slot in enumerate(place["slots"], 1):
            # Other angles have a number each, the next one too.
            for more, tile in enumerate(slot["tiles"]):
                tile["number"] = n if slot["is_asked"] else n + more
            slot["number"] = n if slot["is_asked"] else n + len(slot["tiles"])
            for row in (slot, *slot["tiles"]):
                row["heading"] = f"{row['number']}\N{NO-BREAK SPACE}{slot['guide'].title}"
    can_go_on = any(photo.state != PhotoState.UNUSABLE for photo in found)
    unseen = any(photo.state == PhotoState.STORED for photo in found)
    return {
        "submission": submission,
        "urgent": urgent_advice(submission),
        "wish": remedy_for_wish(submission.photos_wanted),
        "tiles": tiles,
        "places": places,
        "accepted_formats": ACCEPT,
        "missing": missing,
        "part": 100 * (len(places) + 1 - len(missing)) // (len(places) + 1),
        "checking": any(tile["checking"] for tile in tiles),
        "polling": any(is_awaited(photo, settings.CHECK_POLL_SECONDS) for photo in found),
        "poll_seconds": POLL_SECONDS if unseen else LATER_POLL_SECONDS,
        "full": full,
        "next": "web:missing_photo" if can_go_on and is_reason_wanted(submission) else "web:send",
        "enough": not missing and is_open,
        "can_go_on": can_go_on,
    }


def _may_add_more(place: dict[str, Any], places: int) -> bool:
    """Whether another angle is offered: among several places only where this one has both photos."""
    return places == 1 or {*ASKED} <= {tile["photo"].view for tile in place["tiles"]}


def _places_of(submission: Submission, tiles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each place of the case with its name and its photos; one without a name where no place is chosen."""
    places = submission.case.body_places
    rows: list[dict[str, Any]] = [{"id": str(place), "name": place.label, "tiles": []} for place in places]
    rows = rows or [{"id": "", "name": "", "tiles": []}]
    at = {row["id"]: row for row in rows}
    for tile in tiles:
        at.get(tile["photo"].place, rows[0])["tiles"].append(tile)
    return rows


@patient_required
@require_http_methods(["GET", "HEAD", "POST"])
def missing_photo(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Between photos and review where the overview or the close-up is missing: take it, or say why not."""
    submission = own_submission(request, pk)
    if submission.status not in EDITABLE:
        return redirect(submission)
    context = photo_context(submission)
    slots = [slot for place in context["places"] for slot in place["slots"]]
    slot = next((slot for slot in slots if (slot["place"]["id"], slot["view"]) in context["missing"]), None)
    if not slot or not context["can_go_on"]:
        return redirect("web:send" if context["can_go_on"] else "web:photos", pk=pk)
    error = ""
    if request.method == "POST":
        try:
            intake.explain_missing_photo(submission, request.POST.get("because"))
            return redirect("web:send", pk=pk)
        except ValidationError as refusal:
            error = " ".join(refusal.messages)
        except IllegalMoveError:
            return redirect(submission)
    # One of several places without any photo that can be used: it is named, and not the kind of photo.
    usable = [tile for tile in slot["place"]["tiles"] if tile["photo"].state != PhotoState.UNUSABLE]
    place = slot["place"]["name"] if len(context["places"]) > 1 and not usable else ""
    words = reasons(is_whole_place=bool(place))
    if submission.patient == request.user:
        del words[MissingPhoto.STILL]  # of a child
    context |= {"slot": slot, "place": place, "reasons": words.items(), "error": error, "stage": 3}
    context["back"] = reverse("web:photos", args=[pk])
    status = UNPROCESSABLE if error else 200
    return render(request, "web/patient/missing_photo.html", context, status=status)


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
    return unless_same(request, render(request, "web/patient/_slots.html", context))


@patient_required
@require_POST
def add_photo(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Store one photo. A script gets the new slots or a sentence; a plain form leads back to the page."""
    submission = own_submission(request, pk)
    by_script = "X-Photo-Script" in request.headers
    try:
        rate_limits.spend(rate_limits.UPLOADS, request.user)
        kept = _store(request, submission)
    except RateLimitedError as refusal:
        if not by_script:
            raise
        return HttpResponse(
            refusal.message, status=429, content_type=PLAIN, headers={"Retry-After": refusal.wait}
        )
    if not by_script:
        if isinstance(kept, str):
            messages.error(request, kept)
        elif kept.is_repeat:
            said = _("This photo is already here: %(which)s.") % {"which": GUIDES[PhotoView(kept.view)].title}
            messages.warning(request, said)
        return redirect("web:photos", pk=pk)
    if isinstance(kept, str):
        return HttpResponse(kept, status=UNPROCESSABLE, content_type=PLAIN)
    response = render(request, "web/patient/_slots.html", photo_context(submission), status=201)
    response["X-Photo"] = str(kept.pk)
    if kept.is_repeat:
        response["X-Photo-Repeat"] = "1"
    return response


def _store(request: HttpRequest, submission: Submission) -> Photo | str:
    """Store the upload; return the photo, or an error message for the patient. Raises `RateLimitedError`."""
    upload = request.FILES.get("photo")
    if upload is None:
        return _("Please choose a photo first.")
    given = {name: request.POST.get(name) for name in ("view", "place", "replaces")}
    try:
        return intake.add_photo(submission, upload=upload, **given)
    except RefusedError as refusal:
        if refusal.wait:
            raise RateLimitedError(refusal.wait, refusal.message) from refusal
        return str(refusal.message)
    except ValidationError as error:
        return " ".join(error.messages)
    except IllegalMoveError as refusal:
        return str(refusal)


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
