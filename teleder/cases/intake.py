"""What a patient does with a submission: open, describe, add photos, submit. `withdrawal` takes it back.

Each function is one transaction, takes what it needs by keyword and may be called twice: the second caller
gets `IllegalMoveError`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from contract import logs
from contract.messages import Stage
from teleder.accounts import people
from teleder.accounts.guardians import relation_of
from teleder.accounts.models import Purpose, User
from teleder.cases import (
    ai_opinion,
    case_places,
    held,
    intimate_places,
    originals,
    pausing,
    transitions,
    triage,
)
from teleder.cases.body_places import clean_places
from teleder.cases.missing_photos import explain_missing_photo, is_reason_wanted
from teleder.cases.models import (
    PHOTOS_PER_SUBMISSION,
    Case,
    EventKind,
    Job,
    Kind,
    Photo,
    PhotoState,
    PhotoView,
    Status,
    Submission,
    set_prefetched,
)
from teleder.cases.models.sent_photos import Sent, count_sent
from teleder.cases.originals import RefusedError
from teleder.cases.questionnaire import clean_body_site, clean_history, clean_red_flags
from teleder.cases.transitions import EDITABLE, TAKES_PHOTOS, UNCLAIMED, IllegalMoveError
from teleder.cases.triage import Urgency
from teleder.pipeline import ai_status, queue
from teleder.pipeline.transitions import WAITING, AIStep, JobStep, move_ai_status, move_jobs


@transaction.atomic
def start(
    *,
    patient: User,
    answers: Any,
    by: User | None = None,
    case: Case | None = None,
    key: str = "",
    in_part: bool = False,
) -> Submission:
    """Open a submission with its red-flag answers; without `case` a new case is opened.

    The urgency by rules is known when this returns: no worker, broker or model takes part.
    `by` is the guardian who writes, of several. `key` makes a repeat return the first submission; `in_part` lets answers be missing until it is sent.
    Raises `ValidationError`, `RefusedError`.
    """
    policy = triage.policy()
    answers = clean_red_flags(answers, policy, in_part=in_part)
    require_consent(patient)
    refuse_alone(patient, is_new=True)
    if key:
        # Two equal requests at once: the second waits here and then finds the first one's row.
        User.objects.select_for_update().get(pk=patient.pk)
    case = case and _in_force(case)
    if key and (earlier := find_repeated_request(patient, key, answers, case)):
        return earlier
    kind = Kind.FOLLOW_UP if case else Kind.FIRST
    case = case or Case.objects.create(patient=patient, clinic=patient.clinic)
    result = triage.urgency_of(answers, policy=policy, sites=case.sites)
    submission = Submission.objects.create(
        case=case,
        clinic_id=case.clinic_id,
        kind=kind,
        written_by=relation_of(patient, by),
        idempotency_key=key,
        answers=answers,
        policy=policy.id,
        rule_urgency=result.urgency,
        urgency=result.urgency,
        flags=[flag.as_json() for flag in result.flags],
    )
    submission.events.create(kind=EventKind.OPENED, actor=patient)
    if set(answers.values()) - {"no"}:
        held.stop_for(patient.pk, held.Stop.ANSWERS)
    return submission


def _in_force(case: Case) -> Case:
    """Return the case, or the one into which it was just merged, locked against a merge until the transaction ends."""
    locked = Case.objects.select_for_update(of=("self",), no_key=True).get(pk=case.pk)
    return _in_force(locked.merged_into) if locked.merged_into else locked


def require_consent(patient: User) -> None:
    if not patient.consents.given().filter(purpose=Purpose.CARE).exists():
        raise RefusedError("consent_missing", _("Please agree to care by photo first (Settings → Consent)."))


def refuse_alone(patient: User, *, is_new: bool = False) -> None:
    """Raise `RefusedError` for a child who asks alone, and for a new question of a guardian for a grown-up."""
    try:
        people.refuse_consent(patient, patient.reader)
    except ValidationError as error:
        if is_new or error.code == "guardian_needed":
            raise RefusedError(error.code, error.message) from None


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
def describe(
    submission: Submission,
    *,
    body_site: Any = None,
    places: Any = None,
    history: Any = None,
    in_part: bool = False,
) -> None:
    """Set places and history of a draft; `in_part` keeps what `history` does not name. Raises as `start`.

    `places` are written as `BodyPlace` is; `body_site` is one of them without its side.
    """
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=submission.pk)
    if submission.status != Status.DRAFT:
        raise IllegalMoveError(_("This was already sent."))
    if body_site is not None:
        places = [str(clean_body_site(body_site))]
    if places is not None:
        chosen = clean_places(places)
        _refuse_intimate(submission.patient, {place.site for place in chosen})
        case_places.choose_places(submission, chosen)
    kept = submission.history if history is None else clean_history(history)
    if in_part and history is not None:
        kept = {key: value for key, value in submission.history.items() if key not in history} | kept
    Submission.objects.filter(pk=submission.pk).update(history=kept)  # for a new place, too: `updated_at`


def add_photo(
    submission: Submission, *, view: Any, upload: UploadedFile, place: Any = None, replaces: Any = None
) -> Photo:
    """Store one photo, and remove the one that it `replaces`; the same bytes twice are one photo: `is_repeat` is then true.

    `place` may be left out where the case has only one. Raises `RefusedError`, `ValidationError`, `IllegalMoveError`.
    """
    if view not in PhotoView.values:
        raise ValidationError({"view": _("Please say which photo this is: overview, close_up or other.")})
    replaced = submission.current_photos().filter(pk=replaces).first() if replaces else None
    originals.check_upload(upload)
    require_consent(submission.patient)
    _refuse_photo_of_minor(submission)
    photo = Photo(submission=submission, view=view, size=upload.size, trace=logs.current("trace"))
    photo.place = case_places.of_photo(submission.case, place)
    photo.sha256 = originals.digest_of(upload)
    sent = count_sent(photo)
    if not sent.same:
        refuse_too_many_today(sent, photo.size)  # a repeated photo does not count
    photo.original_key, photo.sha256 = originals.store(upload, photo.pk)
    photo.sealed_by = settings.PHOTO_KEYS.newest
    try:
        kept = record_photo(photo, replaced)
    except (RefusedError, IllegalMoveError):
        originals.discard(photo.pk, photo.original_key)
        raise
    # After any other error it is unknown whether the row was committed: leftovers.py decides a day later.
    if kept != photo:
        originals.discard(photo.pk, photo.original_key)
    return kept


def _refuse_intimate(patient: User, sites: Collection[str]) -> None:
    if intimate_places.is_refused(patient, sites):
        raise RefusedError(
            "intimate_photo_of_minor",
            _("Under 18, please send no photos of this place. Call the clinic instead: it says what to do."),
        )


def _refuse_photo_of_minor(submission: Submission) -> None:
    """Refuse a photo of an intimate place of a minor, and one of a place not chosen yet: it may be one."""
    if not intimate_places.is_minor(submission.patient):
        return
    case = Case.objects.get(pk=submission.case_id)  # not as the caller read it, perhaps before a change
    if not case.sites:
        raise RefusedError("body_site_missing", _("Please choose the place first."))
    _refuse_intimate(submission.patient, case.sites)


@transaction.atomic
def record_photo(photo: Photo, replaced: Photo | None = None) -> Photo:
    # Lock the patient: each photo counts towards the daily limit of the next one, in any submission.
    patient = User.objects.filter(pk=photo.submission.case.patient_id)
    patient.select_for_update(no_key=True).values_list("pk").get()
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=photo.submission_id)
    if submission.status not in TAKES_PHOTOS:
        raise IllegalMoveError(_("No more photos can be added now."))
    sent = count_sent(photo)
    if sent.same:
        same = submission.current_photos().filter(sha256=photo.sha256).first()
        same.is_repeat = True
        return same
    if replaced and submission.status in EDITABLE:
        remove_photo(replaced)
        sent = count_sent(photo)
    if sent.usable >= PHOTOS_PER_SUBMISSION:
        raise RefusedError("too_many_photos", _("Six photos are enough. Remove one to add another."))
    refuse_too_many_today(sent, photo.size)
    photo.save(force_insert=True)
    set_prefetched(photo, "jobs", [])
    ai_opinion.close_for_new_photo(submission)
    if sent.is_held:  # counted under the lock of the submission, which a signer also takes
        held.stop_for(photo.submission.case.patient_id, held.Stop.PHOTO)
    if submission.snoozed_until:
        pausing.end_snoozes_of(submission.case.patient_id)
    if submission.awaits_dermatologist and queue.ai_may_read(submission):
        wait_for_ai(submission)
    queue.enqueue(photo, Stage.PREPARE, priority=submission.urgency)
    return photo


def refuse_too_many_today(sent: Sent, size: int) -> None:
    """Raise `RefusedError` where one more photo of this size is too much for 24 hours."""
    full = sent.today >= settings.PHOTOS_PER_PATIENT_PER_DAY
    if full or sent.bytes_today + size > settings.BYTES_PER_PATIENT_PER_DAY:
        wait = timedelta(days=1)
        if sent.first_today:
            wait -= timezone.now() - sent.first_today
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
    """Keep a photo that should be taken again: the patient was warned and sends it as it is."""
    # Lock order, as everywhere: submission before photo, because a trigger sets the submission's `updated_at`.
    Submission.objects.select_for_update(of=("self",)).get(pk=photo.submission_id)
    advised = Q(state=PhotoState.POOR) | (Q(state=PhotoState.READY) & ~Q(advice=""))
    Photo.objects.filter(advised, pk=photo.pk).update(sent_anyway=True)


@transaction.atomic
def submit(
    submission: Submission, *, by: User, send_anyway: bool = False, missing_photo: str = ""
) -> Submission:
    """Submit it: from now on it is on the worklist with a due time, whatever happens to the AI.

    `missing_photo` is why there is no overview or no close-up, where that was not said before.
    """
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=submission.pk)
    if missing_photo:
        explain_missing_photo(submission, missing_photo)
    require_consent(submission.patient)
    refuse_alone(submission.patient)
    _refuse_incomplete(submission, send_anyway)
    now = timezone.now()
    policy = triage.policy(submission.policy)
    is_routine = submission.level == Urgency.ROUTINE
    drawn = is_routine and triage.is_drawn_for_spot_check(submission.pk, policy.spot_check_one_in)
    due = policy.spot_check_due(now) if drawn else policy.due(submission.level, now)
    changes = {"submitted_at": now, "due_at": due, "spot_check": drawn, **pausing.NO_PHOTOS_WANTED}
    if goes_on := pausing.resumed(submission, now):  # with the time that was left, also of a spot check
        changes["due_at"], changes["detail"] = goes_on
        changes["spot_check"] = submission.spot_check
    transitions.move(
        submission, EventKind.SUBMITTED, actor=submission.named_actor(by), **changes, **UNCLAIMED
    )
    held.stop_for(submission.case.patient_id, held.Stop.SENT_MORE)
    pausing.end_snoozes_of(submission.case.patient_id)
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
    if submission.unanswered():
        raise RefusedError("answers_missing", _("Please answer all the questions first."))
    if not submission.case.body_site:
        raise RefusedError("body_site_missing", _("Please choose the place first."))
    photos = submission.current_photos()
    if not photos.exclude(state=PhotoState.UNUSABLE).exists():
        raise RefusedError("photo_missing", _("Please add at least one photo that can be used."))
    if is_reason_wanted(submission):
        raise RefusedError(
            "photo_reason_missing",
            _("Please add one photo from a distance and one close up, or say why you can't."),
        )
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
