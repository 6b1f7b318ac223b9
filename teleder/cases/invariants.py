"""Named checks over the tables: what must be true of the record at any moment (`manage.py check_record`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from teleder.cases.models import OPEN, UNDER_WAY, AIStatus, Analysis, Event, Job, JobState, Photo, Submission

LATE_MINUTES = 5  # what the sweeper must have dealt with by then


def submissions_that_are_open_have_a_due_time() -> Iterator[str]:
    yield from _ids(Submission.objects.filter(status__in=OPEN, due_at=None))


def submissions_that_wait_for_ai_are_not_late() -> Iterator[str]:
    late = Now() - timedelta(minutes=LATE_MINUTES)
    yield from _ids(Submission.objects.filter(ai_status=AIStatus.WAITING, ai_deadline__lt=late))


def submissions_that_wait_for_ai_have_a_job_that_can_still_move() -> Iterator[str]:
    movable = Job.objects.filter(state__in=[JobState.QUEUED, *UNDER_WAY]).values("photo__submission")
    yield from _ids(Submission.objects.filter(ai_status=AIStatus.WAITING).exclude(pk__in=movable))


def jobs_under_way_are_not_silent() -> Iterator[str]:
    late = Now() - timedelta(minutes=LATE_MINUTES)
    yield from _ids(Job.objects.filter(state__in=UNDER_WAY, deadline__lt=late))


def photos_have_their_files() -> Iterator[str]:
    root = Path(settings.MEDIA_ROOT)
    for photo in Photo.objects.iterator():
        keys = (photo.original_key, photo.display_key, photo.analysis_key, photo.thumbnail_key)
        yield from (f"{photo.pk} {key}" for key in keys if key and not (root / key).is_file())


def masks_and_attributions_have_their_files() -> Iterator[str]:
    root = Path(settings.MEDIA_ROOT)
    for pk, *keys in Analysis.objects.values_list("photo", "mask_key", "attribution_key"):
        yield from (f"{pk} {key}" for key in keys if key and not (root / key).is_file())


def events_are_told_or_young() -> Iterator[str]:
    late = Now() - timedelta(minutes=LATE_MINUTES)
    yield from _ids(Event.objects.filter(Q(told_at=None), at__lt=late))


def _ids(rows) -> Iterator[str]:
    yield from (str(pk) for pk in rows.values_list("pk", flat=True).iterator())


INVARIANTS: tuple[Callable[[], Iterator[str]], ...] = (
    submissions_that_are_open_have_a_due_time,
    submissions_that_wait_for_ai_are_not_late,
    submissions_that_wait_for_ai_have_a_job_that_can_still_move,
    jobs_under_way_are_not_silent,
    photos_have_their_files,
    masks_and_attributions_have_their_files,
    events_are_told_or_young,
)
