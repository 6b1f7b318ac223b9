"""What a patient does with a submission: open, describe, add photos, submit, withdraw, restore.

Each function is one transaction, takes what it needs by keyword and may be called twice: the second caller
gets `IllegalMoveError`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from contract import logs
from contract.messages import Stage
from teleder.accounts import people
from teleder.accounts.models import Purpose, User
from teleder.cases import ai_opinion, originals, transitions, triage
from teleder.cases.models import (
    NOT_AWAITED,
    PHOTOS_PER_SUBMISSION,
    AIStatus,
    Case,
    EventKind,
    Job,
    Kind,
    Photo,
    PhotoState,
    PhotoView,
    Precedence,
    Status,
    Submission,
)
from teleder.cases.originals import RefusedError
from teleder.cases.questionnaire import (
    ADULT_YEARS,
    INTIMATE_SITES,
    clean_body_site,
    clean_history,
    clean_red_flags,
)
from teleder.cases.transitions import EDITABLE, TAKES_PHOTOS, UNCLAIMED, UNSENT, IllegalMoveError
from teleder.cases.triage import Urgency
from teleder.pipeline import ai_status, queue
from teleder.pipeline.transitions import UNFINISHED, WAITING, AIStep, JobStep, move_ai_status, move_jobs


@transaction.atomic
def start(*, patient: User, answers: Any, case: Case | None = None, key: str = "") -> Submission:
    """Open a submission with its red-flag answers; without `case` a new case is opened.

    The urgency by rules is known when this returns: no worker, broker or model takes part.
    `key` makes a repeat return the first submission. Raises `ValidationError`, `RefusedError`.
    """
    policy = triage.policy()
    answers = clean_red_flags(answers, policy)
    require_consent(patient)
    if key:
        # Two equal requests at once: the second waits here and then finds the first one's row.
        User.objects.select_for_update().get(pk=patient.pk)
        if earlier := find_repeated_request(patient, key, answers, case):
            return earlier
    kind = Kind.FOLLOW_UP if case else Kind.FIRST
    case = case or Case.objects.create(patient=patient, clinic=patient.clinic)
    result = triage.urgency_of(answers, policy=policy, site=case.body_site)
    submission = Submission.objects.create(
        case=case,
        clinic_id=case.clinic_id,
        kind=kind,
        idempotency_key=key,
        answers=answers,
        policy=policy.id,
        rule_urgency=result.urgency,
        urgency=result.urgency,
        flags=[flag.as_json() for flag in result.flags],
    )
    submission.events.create(kind=EventKind.OPENED, actor=patient)
    return submission


def require_consent(patient: User) -> None:
    if not patient.consents.given().filter(purpose=Purpose.CARE).exists():
        raise RefusedError(
            "consent_missing", _("Please agree to the care by photo first (Settings → Consent).")
        )


def find_repeated_request(
    patient: User, key: str, answers: dict[str, str], case: Case | None
) -> Submission | None:
    found = Submission.objects.filter(case__patient=patient, idempotency_key=key).first()
    if found is None:
        return None
    is_about_the_same = found.case_id == case.pk if case else found.kind == Kind.FIRST
    if found.answers != answers or not is_about_the_same:
        raise RefusedError("key_reused", _("This Idempotency-Key was already used for something else."))
    return found


@transaction.atomic
def describe(submission: Submission, *, body_site: Any = None, history: Any = None) -> None:
    """Set body site and history of a draft. Raises `ValidationError`, `IllegalMoveError`."""
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=submission.pk)
    if submission.status != Status.DRAFT:
        raise IllegalMoveError(_("This was already sent."))
    if body_site is not None:
        site = clean_body_site(body_site)
        if site != (settled_body_site(submission) or site):
            raise ValidationError(
                {
                    "body_site": _(
                        "A follow-up is about the same place. For another one start a new consultation."
                    )
                }
            )
        refuse_intimate_photos_of_children(submission.patient, site)
        Case.objects.filter(pk=submission.case_id).update(body_site=site)
    kept = submission.history if history is None else clean_history(history)
    Submission.objects.filter(pk=submission.pk).update(history=kept)  # for a new place, too: `updated_at`


def settled_body_site(submission: Submission) -> str:
    """Return the case's body site if an earlier submission already gave it to the clinic, else an empty string."""
    others = submission.case.submissions.exclude(pk=submission.pk)
    return submission.case.body_site if others.exclude(status__in=UNSENT).exists() else ""


def refuse_intimate_photos_of_children(patient: User, site: str) -> None:
    # UK practice (RCPCH, MDDUS): no intimate photos of under-18s by upload; another route is offered.
    profile = getattr(patient, "patient", None)
    age = timezone.localdate().year - profile.birth_year if profile else 0
    if site in INTIMATE_SITES and age <= ADULT_YEARS:
        raise RefusedError(
            "intimate_photo_of_minor",
            _(
                "Please do not send photos of this area for a person under 18. Please make an appointment instead."
            ),
        )


def add_photo(submission: Submission, *, view: Any, upload: UploadedFile) -> Photo:
    """Store one photo; the same bytes twice are one photo. Raises `RefusedError`, `ValidationError`, `IllegalMoveError`."""
    if view not in PhotoView.values:
        raise ValidationError({"view": _("Please say which photo this is: overview, close_up or other.")})
    originals.check_upload(upload)
    require_consent(submission.patient)
    refuse_intimate_photos_of_children(submission.patient, submission.case.body_site)
    if not submission.current_photos().filter(sha256=originals.digest_of(upload)).exists():
        refuse_too_many_today(submission.patient, upload.size)  # a repeated photo does not count
    photo = Photo(submission=submission, view=view, size=upload.size, trace=logs.current("trace"))
    photo.original_key, photo.sha256 = originals.store(upload, photo.pk)
    photo.sealed_by = settings.PHOTO_KEYS.newest
    try:
        kept = record_photo(photo)
    except (RefusedError, IllegalMoveError):
        originals.discard(photo.pk, photo.original_key)
        raise
    # After any other error it is unknown whether the row was committed: leftovers.py decides a day later.
    if kept != photo:
        originals.discard(photo.pk, photo.original_key)
    return kept


@transaction.atomic
def record_photo(photo: Photo) -> Photo:
    # Lock the patient: each photo counts towards the daily limit of the next one, in any submission.
    patient = User.objects.select_for_update(no_key=True).get(pk=photo.submission.patient.pk)
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=photo.submission_id)
    if submission.status not in TAKES_PHOTOS:
        raise IllegalMoveError(_("No more photos can be added now."))
    present = submission.current_photos()
    if same := present.filter(sha256=photo.sha256).first():
        return same
    if present.exclude(state=PhotoState.UNUSABLE).count() >= PHOTOS_PER_SUBMISSION:
        raise RefusedError("too_many_photos", _("Six photos are enough. Remove one to add another."))
    refuse_too_many_today(patient, photo.size)
    photo.save(force_insert=True)
    ai_opinion.close_for_new_photo(submission)
    if submission.status == Status.SUBMITTED and queue.ai_may_read(submission):
        wait_for_ai(submission)
    queue.enqueue(photo, Stage.PREPARE, priority=submission.urgency)
    return photo


def refuse_too_many_today(patient: User, size: int) -> None:
    """Raise `RefusedError` where one more photo of this size is too much for 24 hours; removed ones count."""
    since = timezone.now() - timedelta(days=1)
    today = Photo.objects.filter(submission__case__patient=patient, created_at__gt=since)
    found = today.aggregate(photos=Count("pk"), bytes=Sum("size", default=0), first=Min("created_at"))
    full = found["photos"] >= settings.PHOTOS_PER_PATIENT_PER_DAY
    if full or found["bytes"] + size > settings.BYTES_PER_PATIENT_PER_DAY:
        wait = found["first"] - since if found["first"] else timedelta(days=1)
        raise RefusedError(
            "daily_limit",
            _("That is all we can take from you today. Send what you have; tomorrow you can add photos."),
            wait=int(wait.total_seconds()) + 1,
        )


@transaction.atomic
def remove_photo(photo: Photo) -> None:
    """Remove a photo from a draft or from a submission that waits for photos; calling it twice changes nothing."""
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=photo.submission_id)
    if submission.status not in EDITABLE:
        raise IllegalMoveError(_("This was already sent."))
    Photo.objects.filter(pk=photo.pk, removed_at=None).update(removed_at=timezone.now())
    move_jobs(Job.objects.filter(photo=photo, state__in=WAITING), JobStep.CANCEL)


@transaction.atomic
def send_anyway(photo: Photo) -> None:
    """Keep a photo of poor quality: the patient was warned and sends it as it is."""
    # Lock order, as everywhere: submission before photo, because a trigger sets the submission's `updated_at`.
    Submission.objects.select_for_update(of=("self",)).get(pk=photo.submission_id)
    Photo.objects.filter(pk=photo.pk, state=PhotoState.POOR).update(sent_anyway=True)


@transaction.atomic
def submit(submission: Submission, *, by: User, send_anyway: bool = False) -> Submission:
    """Submit it: from now on it is on the worklist with a due time, whatever happens to the AI."""
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=submission.pk)
    require_consent(submission.patient)
    _refuse_incomplete(submission, send_anyway)
    now = timezone.now()
    policy = triage.policy(submission.policy)
    is_routine = submission.level == Urgency.ROUTINE
    drawn = is_routine and triage.is_drawn_for_spot_check(submission.pk, policy.spot_check_one_in)
    due = policy.spot_check_due(now) if drawn else policy.due(submission.level, now)
    changes = {"submitted_at": now, "due_at": due, "photos_wanted": "", "spot_check": drawn}
    transitions.move(submission, EventKind.SUBMITTED, actor=by, **changes, **UNCLAIMED)
    submission.current_photos().filter(state=PhotoState.POOR).update(sent_anyway=True)
    unchecked = Job.objects.filter(photo__submission=submission, stage=Stage.CHECK, state__in=WAITING)
    move_jobs(unchecked, JobStep.CANCEL)
    if queue.ai_may_read(submission):
        wait_for_ai(submission)
        for photo in submission.current_photos():
            queue.advance(photo, submission)
        submission.refresh_from_db()
    ai_status.settle(submission)
    return submission


def _refuse_incomplete(submission: Submission, send_anyway: bool) -> None:
    if submission.status not in EDITABLE:
        return  # move() says so
    if not submission.case.body_site:
        raise RefusedError("body_site_missing", _("Please say first where it is."))
    photos = submission.current_photos()
    if not photos.exclude(state=PhotoState.UNUSABLE).exists():
        raise RefusedError("photo_missing", _("Please add at least one photo that can be used."))
    pending = photos.filter(state=PhotoState.POOR, sent_anyway=False).exists()
    # Never a barrier: a patient whose answers mean "same day" is not asked for a better photo.
    if pending and not send_anyway and submission.rule_urgency < Urgency.SAME_DAY:
        raise RefusedError(
            "poor_photo", _("One photo is hard to read. Please take it again, or choose to send it anyway.")
        )


def wait_for_ai(submission: Submission) -> None:
    deadline = Now() + timedelta(minutes=settings.AI_PATIENCE_MINUTES)
    move_ai_status(Submission.objects.filter(pk=submission.pk), AIStep.WAIT, ai_deadline=deadline)
    submission.refresh_from_db()


@transaction.atomic
def withdraw(submission: Submission, *, by: User) -> None:
    """Withdraw it before it is answered; `restore` undoes that."""
    transitions.move(submission, EventKind.WITHDRAWN, actor=by)
    move_ai_status(
        Submission.objects.filter(pk=submission.pk),
        AIStep.STOP,
        ai_deadline=None,
        ai_precedence=Precedence.NONE,
    )
    submission.refresh_from_db()
    unread = Job.objects.filter(photo__submission=submission).exclude(stage=Stage.PREPARE)
    move_jobs(unread, JobStep.CANCEL, deadline=None)


@transaction.atomic
def withdraw_consent(patient: User, purpose: Purpose) -> None:
    """End a consent. Without the one to AI, no photo is analysed any more and running jobs are cancelled; people still read it."""
    people.end_consent(patient, purpose)
    if purpose != Purpose.AI:
        return
    unread = Job.objects.filter(photo__submission__case__patient=patient, state__in=UNFINISHED)
    unread = unread.exclude(stage=Stage.PREPARE)
    waiting = Submission.objects.filter(case__patient=patient)
    # Submissions first: a result waits for their locks, and then finds its job cancelled.
    awaited = unread.exclude(stage__in=NOT_AWAITED)
    concerned = waiting.filter(Q(ai_status=AIStatus.WAITING) | Q(photos__jobs__in=awaited))
    move_ai_status(concerned, AIStep.STOP, ai_deadline=None, ai_precedence=Precedence.NONE)
    move_jobs(unread, JobStep.CANCEL, deadline=None)


def restore(submission: Submission, *, by: User) -> None:
    transitions.move(submission, EventKind.RESTORED, actor=by, submitted_at=None, due_at=None)
