"""The photos of the review page: those sent, those of earlier visits, which one is shown, and what covers the AI's opinion."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from contract.messages import Stage
from teleder.accounts.openings import Opening
from teleder.cases import ai_opinion
from teleder.cases.models import Job, Photo, PhotoState, Submission
from teleder.cases.verdict import Verdict, VerdictKind
from teleder.pipeline import queue
from teleder.web.clinician import readings


def photos_of(
    request: HttpRequest,
    photos: list[Photo],
    verdict: Verdict,
    *,
    is_open: bool,
    earlier: list[Submission] = (),
) -> dict[str, Any]:
    """The chosen photo (`?photo=`, else the first), the strip with the photos of earlier visits, and the neighbours for the
    keys [ and ]. An earlier photo is shown without what the AI saw in it."""
    wanted = request.POST.get("photo") or request.GET.get("photo")
    photos = sorted(photos, key=lambda photo: photo.state == PhotoState.UNUSABLE)
    past = [photo for visit in earlier for photo in visit.shown_photos if photo.was_prepared]
    strip = [*photos, *past]
    chosen = next((photo for photo in strip if str(photo.pk) == wanted), None)
    chosen = chosen or next((photo for photo in photos if photo.was_prepared), photos[0] if photos else None)
    at = strip.index(chosen) if chosen else 0
    is_past = chosen in past
    return {
        "photos": photos,
        "past_photos": past,
        "is_past": is_past,
        "full_copy": queue.full_copy_state(chosen) if chosen and hasattr(chosen, "full_job") else None,
        "reading": readings.Reading(chosen, verdict, is_open=is_open and not is_past) if chosen else None,
        "previous": strip[at - 1] if at else None,
        "next": strip[at + 1] if at + 1 < len(strip) else None,
    }


def stopped_job(photos: list[Photo]) -> Job | None:
    """Return a job that was stopped before a photo of these could be seen."""
    unseen = [photo for photo in photos if photo.state == PhotoState.STORED]
    return Job.objects.stopped().filter(photo__in=unseen, stage=Stage.PREPARE).first() if unseen else None


def opinion_of(
    submission: Submission, photos: list[Photo], verdict: Verdict, *, is_open: bool
) -> dict[str, Any]:
    """What the panel of the AI's opinion needs; it is covered where there is, or soon will be, something to cover."""
    seen = verdict.kind in {VerdictKind.HIDDEN, VerdictKind.WAITING} or any(
        photo.analysis for photo in photos
    )
    opening = ai_opinion.rule_of(submission)
    is_study = opening == Opening.STUDY and submission.is_open
    return {
        "is_covered": not is_open and (seen or is_study),
        "may_open": opening != Opening.BLIND and submission.is_open,
        "is_study": is_study,
    }
