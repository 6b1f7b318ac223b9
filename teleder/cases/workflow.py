"""What people do with a submission, and the one table by which its status changes.

    DRAFT ──submitted──▶ SUBMITTED ──claimed──▶ IN_REVIEW ──signed──▶ ANSWERED ──closed──▶ CLOSED
      ▲                   │   ▲   ◀──released──   │
      └── WITHDRAWN ◀─────┘   └── submitted ── NEEDS_PHOTOS ◀── photos_requested

Every verb is one transaction, says what it needs by keyword and bears being called twice: the second
caller gets `IllegalMove`. AI is beside this road, not on it (see jobs.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from inference_worker import logs
from inference_worker.contract import Stage
from teleder.accounts import people
from teleder.accounts.models import Purpose, User
from teleder.accounts.text import clean_text
from teleder.cases import jobs, originals, triage
from teleder.cases.models import (
    PHOTOS_PER_SUBMISSION,
    TAKES_PHOTOS,
    UNFINISHED,
    AIStatus,
    Case,
    Disposition,
    Event,
    EventKind,
    Impression,
    Job,
    JobState,
    Kind,
    Photo,
    PhotoState,
    PhotosWanted,
    PhotoView,
    Review,
    Status,
    Submission,
)
from teleder.cases.originals import Refused
from teleder.cases.questionnaire import (
    ADULT_YEARS,
    INTIMATE_SITES,
    clean_body_site,
    clean_history,
    clean_red_flags,
)
from teleder.cases.triage import Urgency


class IllegalMove(Exception):
    """The submission is not in a status from which this step leads on."""


class UrgencyRoseError(IllegalMove):
    """The urgency rose while the answer was on its way, which is now less urgent and gives no reason."""

    def __init__(self, urgency: int) -> None:
        self.urgency = Urgency(urgency)
        super().__init__(
            _(
                "The urgency has just risen to: %(urgency)s. Please say why the answer is less urgent, or change it."
            )
            % {"urgency": self.urgency.label}
        )


class AlreadyAmendedError(IllegalMove):
    """The answer that was to be corrected is no longer in force; `newer` is the one that is."""

    def __init__(self, newer: Review) -> None:
        self.newer = newer
        super().__init__(
            _("%(name)s has signed another answer meanwhile. Please read it before you correct it.")
            % {"name": newer.author}
        )


MOVES: dict[EventKind, tuple[set[Status], Status]] = {
    EventKind.SUBMITTED: ({Status.DRAFT, Status.NEEDS_PHOTOS}, Status.SUBMITTED),
    EventKind.CLAIMED: ({Status.SUBMITTED}, Status.IN_REVIEW),
    EventKind.RELEASED: ({Status.IN_REVIEW}, Status.SUBMITTED),
    EventKind.PHOTOS_REQUESTED: ({Status.IN_REVIEW}, Status.NEEDS_PHOTOS),
    EventKind.SIGNED: ({Status.IN_REVIEW}, Status.ANSWERED),
    EventKind.CLOSED: ({Status.ANSWERED}, Status.CLOSED),
    EventKind.REOPENED: ({Status.ANSWERED, Status.CLOSED}, Status.SUBMITTED),
    EventKind.WITHDRAWN: ({Status.DRAFT, Status.SUBMITTED, Status.NEEDS_PHOTOS}, Status.WITHDRAWN),
    EventKind.RESTORED: ({Status.WITHDRAWN}, Status.DRAFT),
}
UNSENT = {Status.DRAFT, Status.WITHDRAWN}
NOBODY = {"claimed_by": None, "claimed_at": None}


@transaction.atomic
def move(
    submission: Submission,
    kind: EventKind,
    *,
    actor: User | None = None,
    only: dict[str, Any] | None = None,
    detail: dict[str, Any] | None = None,
    **changes: Any,
) -> Event:
    """Take one step and write the event that tells of it. Of two racing callers one wins.

    `only` narrows the step to a row that still has these values (the claim is still mine).
    """
    sources, target = MOVES[kind]
    rows = Submission.objects.filter(pk=submission.pk, status__in=sources, **(only or {}))
    if not rows.update(status=target, **changes):
        raise IllegalMove(_("This cannot be done now: somebody else was faster, or the case has moved on."))
    submission.refresh_from_db()
    return submission.events.create(kind=kind, actor=actor, detail=detail or {})


# --- The patient ------------------------------------------------------------------------------------------
@transaction.atomic
def start(*, patient: User, answers: Any, case: Case | None = None, key: str = "") -> Submission:
    """Open a submission with its red-flag answers; without `case` a new case is opened.

    The urgency by rules is known when this returns: no worker, broker or model takes part.
    `key` makes a repeat return the first submission. Raises `ValidationError`, `Refused`.
    """
    policy = triage.policy()
    answers = clean_red_flags(answers, policy)
    require_consent(patient)
    if key:
        # Two equal requests at once: the second waits here and then finds the first one's row.
        User.objects.select_for_update().get(pk=patient.pk)
        if earlier := _earlier(patient, key, answers, case):
            return earlier
    result = triage.urgency_of(answers, policy=policy)
    submission = Submission.objects.create(
        case=case or Case.objects.create(patient=patient, clinic=patient.clinic),
        kind=Kind.FOLLOW_UP if case else Kind.FIRST,
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
        raise Refused("consent_missing", _("Please agree to the care by photo first (Settings → Consent)."))


def _earlier(patient: User, key: str, answers: dict[str, str], case: Case | None) -> Submission | None:
    found = Submission.objects.filter(case__patient=patient, idempotency_key=key).first()
    if found is None:
        return None
    is_about_the_same = found.case_id == case.pk if case else found.kind == Kind.FIRST
    if found.answers != answers or not is_about_the_same:
        raise Refused("key_reused", _("This Idempotency-Key was already used for something else."))
    return found


@transaction.atomic
def describe(submission: Submission, *, body_site: Any = None, history: Any = None) -> None:
    """Set where it is and its history, while it is a draft. Raises `ValidationError`, `IllegalMove`."""
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=submission.pk)
    if submission.status != Status.DRAFT:
        raise IllegalMove(_("This was already sent."))
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
    """Return where the case is, once an earlier submission told the clinic so; else an empty text."""
    others = submission.case.submissions.exclude(pk=submission.pk)
    return submission.case.body_site if others.exclude(status__in=UNSENT).exists() else ""


def refuse_intimate_photos_of_children(patient: User, site: str) -> None:
    # UK practice (RCPCH, MDDUS): no intimate photos of under-18s by upload; another route is offered.
    profile = getattr(patient, "patient", None)
    age = timezone.localdate().year - profile.birth_year if profile else 0
    if site in INTIMATE_SITES and age <= ADULT_YEARS:
        raise Refused(
            "intimate_photo_of_minor",
            _(
                "Please do not send photos of this area for a person under 18. Please make an appointment instead."
            ),
        )


def add_photo(submission: Submission, *, view: Any, upload: UploadedFile, by: User) -> Photo:
    """Store one photo; the same bytes twice are one photo. Raises `Refused`, `ValidationError`, `IllegalMove`."""
    if view not in PhotoView.values:
        raise ValidationError({"view": _("Please say which photo this is: overview, close_up or other.")})
    originals.check(upload)
    require_consent(submission.patient)
    refuse_intimate_photos_of_children(submission.patient, submission.case.body_site)
    if not submission.current_photos().filter(sha256=originals.digest_of(upload)).exists():
        refuse_too_many_today(submission.patient, upload.size)  # a repeat of what is there counts nothing
    photo = Photo(submission=submission, view=view, size=upload.size, trace=logs.current("trace"))
    photo.original_key, photo.sha256 = originals.keep(upload, photo.pk)
    photo.sealed_by = settings.PHOTO_KEYS.newest
    try:
        kept = _record_photo(photo)
    except (Refused, IllegalMove):
        originals.discard(photo.pk, photo.original_key)
        raise
    # After any other error nobody knows whether the row was committed: leftovers.py decides a day later.
    if kept != photo:
        originals.discard(photo.pk, photo.original_key)
    return kept


@transaction.atomic
def _record_photo(photo: Photo) -> Photo:
    # One photo of a patient after the other, whatever the submission: each counts for the next one's day.
    patient = User.objects.select_for_update(no_key=True).get(pk=photo.submission.patient.pk)
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=photo.submission_id)
    if submission.status not in TAKES_PHOTOS:
        raise IllegalMove(_("No more photos can be added now."))
    present = submission.current_photos()
    if same := present.filter(sha256=photo.sha256).first():
        return same
    if present.exclude(state=PhotoState.UNUSABLE).count() >= PHOTOS_PER_SUBMISSION:
        raise Refused("too_many_photos", _("Six photos are enough. Remove one to add another."))
    refuse_too_many_today(patient, photo.size)
    photo.save(force_insert=True)
    if submission.status == Status.SUBMITTED and jobs.ai_may_read(submission):
        _wait_for_ai(submission)
    jobs.queue(photo, Stage.PREPARE, priority=submission.urgency)
    return photo


def refuse_too_many_today(patient: User, size: int) -> None:
    """Raise `Refused` where one more photo of this size is too much for 24 hours; removed ones count."""
    since = timezone.now() - timedelta(days=1)
    today = Photo.objects.filter(submission__case__patient=patient, created_at__gt=since)
    found = today.aggregate(photos=Count("pk"), bytes=Sum("size", default=0), first=Min("created_at"))
    full = found["photos"] >= settings.PHOTOS_PER_PATIENT_PER_DAY
    if full or found["bytes"] + size > settings.BYTES_PER_PATIENT_PER_DAY:
        wait = found["first"] - since if found["first"] else timedelta(days=1)
        raise Refused(
            "daily_limit",
            _("That is all we can take from you today. Send what you have; tomorrow you can add photos."),
            wait=int(wait.total_seconds()) + 1,
        )


@transaction.atomic
def remove_photo(photo: Photo) -> None:
    """Take a photo out of a draft (or of a submission that waits for photos); calling twice changes nothing."""
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=photo.submission_id)
    if submission.status not in {Status.DRAFT, Status.NEEDS_PHOTOS}:
        raise IllegalMove(_("This was already sent."))
    Photo.objects.filter(pk=photo.pk, removed_at=None).update(removed_at=timezone.now())
    Job.objects.filter(photo=photo, state=JobState.QUEUED).update(state=JobState.CANCELLED)


@transaction.atomic
def send_anyway(photo: Photo) -> None:
    """Keep a photo of poor quality: the patient knows and sends it as it is."""
    # As everywhere, the submission's lock before the photo's: a written photo touches `updated_at` of its submission.
    Submission.objects.select_for_update(of=("self",)).get(pk=photo.submission_id)
    Photo.objects.filter(pk=photo.pk, state=PhotoState.POOR).update(sent_anyway=True)


@transaction.atomic
def submit(submission: Submission, *, by: User, send_anyway: bool = False) -> Submission:
    """Send it: from here it is on the worklist with a due time, whatever happens to the AI."""
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=submission.pk)
    require_consent(submission.patient)
    _refuse_incomplete(submission, send_anyway)
    now = timezone.now()
    due = triage.policy(submission.policy).due(submission.level, now)
    move(submission, EventKind.SUBMITTED, actor=by, submitted_at=now, due_at=due, photos_wanted="", **NOBODY)
    submission.current_photos().filter(state=PhotoState.POOR).update(sent_anyway=True)
    if jobs.ai_may_read(submission):
        _wait_for_ai(submission)
        for photo in submission.current_photos():
            jobs.advance(photo, submission)
    jobs.settle(submission)
    return submission


def _refuse_incomplete(submission: Submission, send_anyway: bool) -> None:
    if submission.status not in MOVES[EventKind.SUBMITTED][0]:
        return  # move() says so
    if not submission.case.body_site:
        raise Refused("body_site_missing", _("Please say first where it is."))
    photos = submission.current_photos()
    if not photos.exclude(state=PhotoState.UNUSABLE).exists():
        raise Refused("photo_missing", _("Please add at least one photo that can be used."))
    pending = photos.filter(state=PhotoState.POOR, sent_anyway=False).exists()
    # Never a wall: whose answers say "today" is not asked to take a better photo.
    if pending and not send_anyway and submission.rule_urgency < Urgency.SAME_DAY:
        raise Refused(
            "poor_photo", _("One photo is hard to read. Please take it again, or choose to send it anyway.")
        )


def _wait_for_ai(submission: Submission) -> None:
    deadline = Now() + timedelta(minutes=settings.AI_PATIENCE_MINUTES)
    Submission.objects.filter(pk=submission.pk).update(ai_status=AIStatus.WAITING, ai_deadline=deadline)
    submission.refresh_from_db()


@transaction.atomic
def withdraw(submission: Submission, *, by: User) -> None:
    """Take it back before an answer is given; `restore` undoes it."""
    move(submission, EventKind.WITHDRAWN, actor=by, ai_status=AIStatus.NOT_USED, ai_deadline=None)
    waiting = Job.objects.filter(photo__submission=submission, state__in=UNFINISHED)
    waiting.exclude(stage=Stage.PREPARE).update(state=JobState.CANCELLED)


@transaction.atomic
def withdraw_consent(patient: User, purpose: Purpose) -> None:
    """End a consent; without that to AI no photo is read any more, work under way included. People go on."""
    people.withdraw_consent(patient, purpose)
    if purpose != Purpose.AI:
        return
    unread = Job.objects.filter(photo__submission__case__patient=patient, state__in=UNFINISHED)
    unread = unread.exclude(stage=Stage.PREPARE)
    waiting = Submission.objects.filter(case__patient=patient)
    # The submissions first, whose locks a result waits for: it then finds its job cancelled.
    waiting.filter(Q(ai_status=AIStatus.WAITING) | Q(photos__jobs__in=unread)).update(
        ai_status=AIStatus.NOT_USED, ai_deadline=None
    )
    unread.update(state=JobState.CANCELLED, deadline=None)


def restore(submission: Submission, *, by: User) -> None:
    move(submission, EventKind.RESTORED, actor=by, submitted_at=None, due_at=None)


# --- The dermatologist ------------------------------------------------------------------------------------
def claim(submission: Submission, *, by: User) -> None:
    move(submission, EventKind.CLAIMED, actor=by, claimed_by=by, claimed_at=Now())


def release(submission: Submission, *, by: User) -> None:
    """Give a claimed submission back to the worklist; an admin may release another's claim."""
    only = {} if by.is_admin else {"claimed_by": by}
    move(submission, EventKind.RELEASED, actor=by, only=only, **NOBODY)


def keep_claim(submission: Submission, *, by: User) -> bool:
    """Say that `by` is still at it; false when the claim is no longer theirs."""
    mine = Submission.objects.filter(pk=submission.pk, status=Status.IN_REVIEW, claimed_by=by)
    return bool(mine.update(claimed_at=Now()))


def request_photos(submission: Submission, *, by: User, reason: str) -> None:
    """Ask the patient for another photo. The clock starts anew when it comes.

    `reason` is one of `PhotosWanted`. A same-day case does not wait for photos: raises `Refused`.
    """
    if reason not in PhotosWanted.values:
        raise ValidationError({"reason": _("Please say what is wrong with the photos.")})
    if submission.urgency >= Urgency.SAME_DAY:
        raise Refused(
            "same_day", _("A same-day case cannot wait for photos. Answer it, and ask in the answer.")
        )
    only = {"claimed_by": by, "urgency__lt": Urgency.SAME_DAY}
    move(submission, EventKind.PHOTOS_REQUESTED, actor=by, only=only, photos_wanted=reason, **NOBODY)


@transaction.atomic
def sign(
    submission: Submission,
    *,
    by: User,
    impression: Impression,
    disposition: Disposition,
    text: str,
    reason: str = "",
) -> Review:
    """Answer the patient. An answer less urgent than the triage needs a reason; only who claimed it signs.

    Raises `UrgencyRoseError` where the triage rose after `submission` was read.
    """
    seen = submission.urgency
    _lock(submission)
    if submission.status == Status.IN_REVIEW and submission.claimed_by_id == by.pk:
        _require_reason(submission, seen, disposition, reason)
    move(submission, EventKind.SIGNED, actor=by, only={"claimed_by": by}, **NOBODY)
    return _write_review(submission, by, impression, disposition, text, reason)


@transaction.atomic
def amend(
    submission: Submission,
    *,
    by: User,
    impression: Impression,
    disposition: Disposition,
    text: str,
    reason: str = "",
    amends: UUID | None = None,
) -> Review:
    """Correct a signed answer by a new one; the old one stays on the record.

    `amends` names the answer that was read before it was corrected (without it, the one in force at the call).
    Raises `AlreadyAmendedError` where another answer is in force, and `UrgencyRoseError` as `sign` does.
    """
    seen, read = submission.urgency, amends or getattr(submission.answer(), "pk", None)
    _lock(submission)
    if submission.status not in {Status.ANSWERED, Status.CLOSED}:
        raise IllegalMove(_("There is no signed answer to correct."))
    in_force = submission.answer()
    if in_force.pk != read:
        raise AlreadyAmendedError(in_force)
    _require_reason(submission, seen, disposition, reason)
    submission.events.create(kind=EventKind.AMENDED, actor=by)
    return _write_review(submission, by, impression, disposition, text, reason, amends=in_force)


def _lock(submission: Submission) -> None:
    """Lock its row until the transaction ends, and read it again: its urgency cannot rise meanwhile."""
    try:
        submission.refresh_from_db(from_queryset=Submission.objects.select_for_update(of=("self",)))
    except Submission.DoesNotExist as error:  # its patient has just been erased
        raise IllegalMove(_("This cannot be done now: the case is no longer there.")) from error


def _require_reason(submission: Submission, seen: int, disposition: Disposition, reason: str) -> None:
    """Raise where the answer is less urgent than the triage and says not why; `seen` is the urgency read before."""
    if Disposition(disposition).urgency >= submission.urgency or clean_text(reason).strip():
        return
    if submission.urgency > seen:
        raise UrgencyRoseError(submission.urgency)
    raise ValidationError({"reason": _("Please say why this is less urgent than the triage.")})


def _write_review(
    submission: Submission,
    by: User,
    impression: Impression,
    disposition: Disposition,
    text: str,
    reason: str,
    amends: Review | None = None,
) -> Review:
    text, reason = clean_text(text).strip(), clean_text(reason).strip()
    if not text:
        raise ValidationError({"text": _("Please write an answer.")})
    return Review.objects.create(
        submission=submission,
        author=by,
        impression=Impression(impression),
        disposition=Disposition(disposition),
        text=text,
        reason=reason,
        triage_urgency=submission.urgency,
        urgency=Disposition(disposition).urgency,
        amends=amends,
    )


def close(submission: Submission, *, by: User) -> None:
    move(submission, EventKind.CLOSED, actor=by)


# --- The admin --------------------------------------------------------------------------------------------
def reopen(submission: Submission, *, by: User) -> None:
    """Put an answered submission back on the worklist, with a new due time."""
    due = triage.policy(submission.policy).due(submission.level, timezone.now())
    move(submission, EventKind.REOPENED, actor=by, due_at=due)


@transaction.atomic
def reassign(submission: Submission, *, to: User, by: User) -> None:
    """Hand a submission to a dermatologist of its clinic, claimed or not."""
    of_clinic = Case.objects.filter(to.in_own_clinic(), pk=submission.case_id).exists()
    if not to.is_dermatologist or not to.is_active or not of_clinic:
        raise Refused("not_a_dermatologist", _("Please choose a dermatologist who may log in."))
    rows = Submission.objects.filter(pk=submission.pk, status__in=[Status.SUBMITTED, Status.IN_REVIEW])
    if not rows.update(status=Status.IN_REVIEW, claimed_by=to, claimed_at=Now()):
        raise IllegalMove(_("Only a submission that waits for an answer can be handed on."))
    submission.refresh_from_db()
    submission.events.create(kind=EventKind.REASSIGNED, actor=by, detail={"to": str(to.pk)})


# --- The sweeper ------------------------------------------------------------------------------------------
def give_up_waiting_for_ai() -> int:
    """Mark what the AI did not read in time: "AI unavailable", same due time."""
    late = Submission.objects.filter(ai_status=AIStatus.WAITING, ai_deadline__lt=Now())
    return sum(_give_up(pk) for pk in late.values_list("pk", flat=True)[:200])


@transaction.atomic
def _give_up(pk: Any) -> bool:
    waiting = Submission.objects.filter(pk=pk, ai_status=AIStatus.WAITING, ai_deadline__lt=Now())
    if not waiting.update(ai_status=AIStatus.UNAVAILABLE):
        return False
    Event.objects.create(submission_id=pk, kind=EventKind.AI_UNAVAILABLE)
    return True


def release_idle_claims() -> int:
    """Give back what a dermatologist opened and left, and what is held by who may no longer log in."""
    idle_since = Now() - timedelta(minutes=settings.CLAIM_IDLE_MINUTES)
    held = Submission.objects.filter(status=Status.IN_REVIEW)
    idle, locked = held.filter(claimed_at__lt=idle_since), held.filter(claimed_by__is_active=False)
    left = sum(_release(submission, claimed_at__lt=idle_since) for submission in idle[:200])
    return left + sum(
        _release(submission, claimed_by=submission.claimed_by_id) for submission in locked[:200]
    )


def _release(submission: Submission, **still: Any) -> bool:
    try:
        move(submission, EventKind.RELEASED, only=still, **NOBODY)
    except IllegalMove:
        return False
    return True
