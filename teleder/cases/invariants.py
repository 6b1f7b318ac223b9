"""Named checks over the tables: what must be true of the record at any moment (`manage.py check_record`).

What must not be there is asked for by `Exists`: PostgreSQL reads the whole list of a NOT IN anew for each row once it
outgrows its memory, which at a million submissions took hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils.module_loading import import_string

from contract.encryption import SEALED_MORE_BYTES
from contract.messages import Stage
from contract.storage import StorageUnavailableError
from contract.storage.keys import ORIGINAL
from teleder.accounts.models import Role, User
from teleder.cases.leftovers import COLUMNS, KEEP_HOURS, leftovers
from teleder.cases.models import (
    NOT_AWAITED,
    AIStatus,
    Analysis,
    Case,
    DrawnCropFinding,
    Event,
    HeldAnswer,
    Job,
    JobState,
    Photo,
    PhotoState,
    Review,
    Status,
    Submission,
)
from teleder.cases.stored_files import size_of
from teleder.cases.transitions import OPEN
from teleder.cases.triage import Urgency
from teleder.pipeline.transitions import UNDER_WAY, UNFINISHED

SHOWN = 10
QUEUED_HOURS = 24  # a backlog takes hours at most; a job not tried by then was forgotten
LATE_MINUTES = 5  # by then the sweeper must have handled it


def submissions_that_are_open_have_a_due_time() -> Iterator[str]:
    yield from _ids(Submission.objects.filter(status__in=OPEN, due_at=None))


def submissions_that_are_open_have_somebody_who_may_answer() -> Iterator[str]:
    staff = User.objects.filter(role=Role.DERMATOLOGIST, is_active=True, clinic=OuterRef("clinic"))
    yield from _ids(Submission.objects.filter(status__in=OPEN).exclude(Exists(staff)))


def submissions_that_wait_for_photos_have_a_patient_who_can_send_them() -> Iterator[str]:
    waiting = Submission.objects.filter(status=Status.NEEDS_PHOTOS)
    yield from _ids(waiting.filter(case__patient__is_active=False))


def submissions_are_on_hold_while_they_wait_for_photos() -> Iterator[str]:
    waits = Q(status=Status.NEEDS_PHOTOS)
    yield from _ids(
        Submission.objects.filter((waits & Q(paused_at=None)) | (~waits & Q(paused_at__isnull=False)))
    )
    yield from _ids(Submission.objects.filter(waits, urgency__gte=Urgency.SAME_DAY))


def submissions_know_their_clinic_and_when_they_were_signed() -> Iterator[str]:
    yield from _ids(Submission.objects.exclude(clinic=F("case__clinic")))
    reviews, known = Review.objects.filter(submission=OuterRef("pk")), OuterRef("last_signed_at")
    missed = Q(Exists(reviews), last_signed_at=None) | Q(Exists(reviews.filter(signed_at__gt=known)))
    unfounded = Q(~Exists(reviews.filter(signed_at=known)), last_signed_at__isnull=False)
    yield from _ids(Submission.objects.filter(missed | unfounded))


def submissions_that_were_not_sent_are_not_read() -> Iterator[str]:
    reading = Job.objects.filter(state__in=UNFINISHED, stage=Stage.ANALYSE)
    drafts = Submission.objects.filter(status=Status.DRAFT)
    yield from _ids(drafts.filter(pk__in=reading.values("photo__submission")))


def submissions_that_wait_for_ai_are_not_late() -> Iterator[str]:
    late = Now() - timedelta(minutes=LATE_MINUTES)
    yield from _ids(Submission.objects.filter(ai_status=AIStatus.WAITING, ai_deadline__lt=late))


def submissions_that_wait_for_ai_have_a_job_that_can_still_move() -> Iterator[str]:
    movable = Job.objects.filter(state__in=UNFINISHED, photo__submission=OuterRef("pk"))
    waiting = Submission.objects.filter(ai_status=AIStatus.WAITING)
    yield from _ids(waiting.exclude(Exists(movable.exclude(stage__in=NOT_AWAITED))))


def submissions_that_were_sent_have_a_photo() -> Iterator[str]:
    photos = Photo.objects.current().filter(submission=OuterRef("pk"))
    yield from _ids(Submission.objects.filter(status__in=OPEN).exclude(Exists(photos)))


def submissions_in_review_are_held_by_somebody_who_may_sign() -> Iterator[str]:
    late = Now() - timedelta(minutes=settings.CLAIM_IDLE_MINUTES + LATE_MINUTES)
    held = Submission.objects.filter(status=Status.IN_REVIEW)
    may_sign = Q(claimed_by__is_active=True, claimed_by__role=Role.DERMATOLOGIST)
    yield from _ids(held.filter(Q(claimed_at__lt=late) | ~may_sign))


def cases_that_were_merged_are_empty_and_lead_to_one_in_force() -> Iterator[str]:
    merged = Case.objects.filter(merged_into__isnull=False)
    left = Exists(Submission.objects.filter(case=OuterRef("pk")))
    yield from _ids(merged.filter(left | Q(merged_into__merged_into__isnull=False)))


def answers_that_are_held_are_sent_soon() -> Iterator[str]:
    late = Now() - timedelta(minutes=LATE_MINUTES)
    yield from _ids(HeldAnswer.objects.filter(send_at__lt=late))


def answers_that_are_held_are_of_who_holds_the_case() -> Iterator[str]:
    fits = Q(submission__status=Status.IN_REVIEW, submission__claimed_by=F("author")) | Q(
        amends__isnull=False
    )
    yield from _ids(HeldAnswer.objects.exclude(fits))


def photos_being_checked_have_a_job() -> Iterator[str]:
    checks = Job.objects.filter(stage=Stage.PREPARE, photo=OuterRef("pk"))
    yield from _ids(Photo.objects.current().filter(state=PhotoState.STORED).exclude(Exists(checks)))


def jobs_that_are_done_have_left_their_result() -> Iterator[str]:
    done = Job.objects.filter(state=JobState.DONE)
    unprepared = Q(stage=Stage.PREPARE, photo__state=PhotoState.STORED)
    analyses = Analysis.objects.filter(photo=OuterRef("photo"))
    unread = Q(stage=Stage.ANALYSE) & ~Exists(analyses.filter(findings__isnull=False))
    unchecked = Q(stage=Stage.CHECK, photo__check_result__isnull=True)
    unmeasured = Q(stage=Stage.DISTANCE) & ~Exists(analyses.filter(distance__isnull=False))
    unmade = Q(stage=Stage.FULL, photo__full_key="")
    drawn = DrawnCropFinding.objects.filter(drawn_crop__photo=OuterRef("photo"))
    unfound = Q(stage=Stage.REANALYSE) & ~Exists(drawn)
    yield from _ids(done.filter(unprepared | unread | unchecked | unmeasured | unmade | unfound))


def jobs_that_are_unfinished_have_something_to_read() -> Iterator[str]:
    unfinished = Job.objects.filter(state__in=UNFINISHED)
    without_copy = ~Q(stage=Stage.PREPARE) & Q(photo__analysis_key="")
    unread = Q(stage__in=[Stage.DISTANCE, Stage.REANALYSE], photo__analyses=None)
    yield from _ids(unfinished.filter(without_copy | unread))


def jobs_are_in_a_state_they_can_leave() -> Iterator[str]:
    # Done, failed, quarantined and cancelled jobs wait for nothing but an admin's decision.
    yield from _ids(Job.objects.exclude(state__in=JobState.values))
    late = Now() - timedelta(hours=QUEUED_HOURS)
    yield from _ids(Job.objects.filter(state=JobState.QUEUED, created_at__lt=late))


def jobs_under_way_are_not_silent() -> Iterator[str]:
    late = Now() - timedelta(minutes=LATE_MINUTES)
    yield from _ids(Job.objects.filter(state__in=UNDER_WAY, deadline__lt=late))


def photos_have_their_files() -> Iterator[str]:
    for photo in Photo.objects.iterator():
        whole = photo.size + (SEALED_MORE_BYTES if photo.sealed_by else 0)
        if photo.original_key and size_of(photo.pk, ORIGINAL, photo.original_key) != whole:
            yield f"{photo.pk} {photo.original_key}"
        for column, stage in COLUMNS.items():
            key = getattr(photo, column)
            if key and stage != ORIGINAL and not size_of(photo.pk, stage, key):
                yield f"{photo.pk} {key}"


def originals_have_a_key_that_we_hold() -> Iterator[str]:
    yield from _ids(Photo.objects.exclude(sealed_by__in=["", *settings.PHOTO_KEYS.by_name]))


def originals_are_sealed() -> Iterator[str]:
    """After an upgrade from before encryption they are not, until `manage.py rotate_photo_keys` has run."""
    yield from _ids(Photo.objects.unsealed())


def masks_and_attributions_have_their_files() -> Iterator[str]:
    for pk, *keys in Analysis.objects.values_list("photo", "mask_key", "attribution_key"):
        for key in filter(None, keys):
            if not size_of(pk, Stage.ANALYSE, key):
                yield f"{pk} {key}"
    for pk, key in DrawnCropFinding.objects.values_list("drawn_crop__photo", "mask_key"):
        if not size_of(pk, Stage.REANALYSE, key):
            yield f"{pk} {key}"


def files_have_their_row() -> Iterator[str]:
    # Files without a row are removed every night, a day after they were written.
    yield from (key.rpartition("/")[0] for key in leftovers(2 * KEEP_HOURS))


def events_are_notified_or_recent() -> Iterator[str]:
    late = Now() - timedelta(minutes=LATE_MINUTES)
    yield from _ids(Event.objects.filter(Q(told_at=None), at__lt=late))


def broken(*, reads_files: bool = True) -> Iterator[tuple[str, list[str]]]:
    """Yield a description of each broken invariant, with the first ids that break it."""
    for path in settings.RECORD_INVARIANTS + settings.READING_INVARIANTS * reads_files:
        for check in import_string(path):
            try:
                rows = list(islice(check(), SHOWN))
            except StorageUnavailableError as error:
                rows = [f"unknown, as the storage is unavailable ({error})"]
            if rows:
                yield check.__name__.replace("_", " "), rows


def _ids(rows) -> Iterator[str]:
    yield from (str(pk) for pk in rows.values_list("pk", flat=True).iterator())


INVARIANTS: tuple[Callable[[], Iterator[str]], ...] = (
    submissions_that_are_open_have_a_due_time,
    submissions_that_are_open_have_somebody_who_may_answer,
    submissions_that_wait_for_photos_have_a_patient_who_can_send_them,
    submissions_know_their_clinic_and_when_they_were_signed,
    submissions_that_were_not_sent_are_not_read,
    submissions_that_wait_for_ai_are_not_late,
    submissions_that_wait_for_ai_have_a_job_that_can_still_move,
    submissions_that_were_sent_have_a_photo,
    submissions_in_review_are_held_by_somebody_who_may_sign,
    cases_that_were_merged_are_empty_and_lead_to_one_in_force,
    answers_that_are_held_are_sent_soon,
    answers_that_are_held_are_of_who_holds_the_case,
    photos_being_checked_have_a_job,
    jobs_that_are_done_have_left_their_result,
    jobs_that_are_unfinished_have_something_to_read,
    jobs_are_in_a_state_they_can_leave,
    jobs_under_way_are_not_silent,
    photos_have_their_files,
    originals_have_a_key_that_we_hold,
    originals_are_sealed,
    masks_and_attributions_have_their_files,
    files_have_their_row,
    events_are_notified_or_recent,
)
