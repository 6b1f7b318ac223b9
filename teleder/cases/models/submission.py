"""A submission: one set of photos and answers. Its status changes only through `teleder.cases.transitions`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import uuid_utils.compat as uuid
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan
from django.db.models.functions import Now
from django.db.models.lookups import GreaterThan, LessThanOrEqual
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import Clinic, Relation, User
from teleder.accounts.text import TextField
from teleder.cases.body_places import BodyPlace
from teleder.cases.models.case import Case
from teleder.cases.models.photo_request import WORDS_LENGTH
from teleder.cases.models.snooze import SnoozeReason
from teleder.cases.models.worklist_order import WORKLIST_ORDER, WORKLIST_RANK, Place, Precedence
from teleder.cases.transitions import AWAITING_DERMATOLOGIST, ONCE_SUBMITTED, OPEN, UNSENT, EventKind, Status
from teleder.cases.triage import Urgency, policy
from teleder.pipeline.transitions import AI_READ, AIStatus

if TYPE_CHECKING:
    from teleder.cases.models.photo import Photo
    from teleder.cases.models.review import Review


class MissingPhoto(models.TextChoices):
    """Why a patient sends no overview or no close-up."""

    REACH = "reach", _("I can't reach it")
    FOCUS = "focus", _("It doesn't come into focus")
    STILL = "still", _("My child doesn't keep still")
    OTHER = "other", _("Another reason, I send one photo")


class Kind(models.TextChoices):
    """Kinds of submission within a case."""

    FIRST = "first", _("first")
    FOLLOW_UP = "follow_up", _("follow-up")


def _snoozed() -> Q:
    return Q(status=Status.SUBMITTED, snoozed_until__gt=timezone.now(), urgency__lt=Urgency.SAME_DAY)


class SubmissionQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> SubmissionQuerySet:
        if user.is_patient:
            return self.filter(case__patient__in=user.answers_for)
        if user.is_dermatologist or user.is_admin:
            # A draft that was submitted once, withdrawn and restored is visible to its patient only.
            sent = self.exclude(submitted_at=None).exclude(status=Status.DRAFT)
            return sent.filter(user.in_own_clinic())
        return self.none()

    def worklist(self) -> SubmissionQuerySet:
        """Those that wait for a dermatologist, most urgent first."""
        return self.filter(status__in=AWAITING_DERMATOLOGIST).order_by(*WORKLIST_ORDER)

    def after(self, place: Place) -> SubmissionQuerySet:
        """Those behind a place in the order of the worklist, whether or not its row is still there."""
        return self.filter(TupleGreaterThan(Tuple(WORKLIST_RANK, F("due_at"), F("id")), tuple(place)))

    def at_least(self, urgency: int) -> SubmissionQuerySet:
        """Those of this urgency or above, where the worklist begins."""
        return self.filter(LessThanOrEqual(WORKLIST_RANK, -len(Precedence) * urgency))

    def of_urgency(self, urgency: int) -> SubmissionQuerySet:
        """Those of just this urgency, a stretch of the worklist."""
        return self.at_least(urgency).filter(GreaterThan(WORKLIST_RANK, -len(Precedence) * (urgency + 1)))

    def awake(self) -> SubmissionQuerySet:
        """Those that nobody put off, or whose time has come; one that became urgent is not put off any more."""
        return self.exclude(_snoozed())

    def snoozed(self) -> SubmissionQuerySet:
        """Those that are put off, the first to come back first."""
        return self.filter(_snoozed()).order_by("snoozed_until", "id")

    def inconclusive(self) -> SubmissionQuerySet:
        """Those that the AI has read and says nothing about, most urgent first."""
        return self.worklist().filter(ai_precedence=Precedence.INCONCLUSIVE, ai_status__in=AI_READ)

    def overdue(self) -> SubmissionQuerySet:
        return self.filter(status__in=AWAITING_DERMATOLOGIST, due_at__lt=timezone.now())

    def updated_since(self, time: datetime) -> SubmissionQuerySet:
        """Those that changed at this time or later, with their photos, findings and reviews."""
        return self.filter(updated_at__gte=time)

    def signed_since(self, time: datetime) -> SubmissionQuerySet:
        """Those whose newest review was signed at this time or later, the newest first."""
        return self.filter(last_signed_at__gte=time).order_by("-last_signed_at", "id")

    def asked_back(self) -> SubmissionQuerySet:
        """Those with a question that waits for a reply, the first due first."""
        return self.filter(question_due_at__isnull=False).order_by("question_due_at", "id")

    def answered_since(self, time: datetime) -> SubmissionQuerySet:
        """Those with a review, first or amended, that was signed at this time or later."""
        from teleder.cases.models.review import Review  # which imports this module

        signed = Review.objects.filter(submission=models.OuterRef("pk"), signed_at__gte=time)
        return self.filter(models.Exists(signed))


class Submission(models.Model):
    """One set of photos and answers within a case (FHIR ServiceRequest + QuestionnaireResponse)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    case = models.ForeignKey(Case, models.PROTECT, related_name="submissions")
    # Its case's, written by a trigger (migration 0013): lists of a clinic are read in the order of an index.
    clinic = models.ForeignKey(
        Clinic, models.PROTECT, related_name="+", db_index=False, editable=False, verbose_name=_("clinic")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.FIRST)
    status = models.CharField(_("status"), max_length=20, choices=Status, default=Status.DRAFT)
    # How the guardian is related who wrote it; empty where the patient wrote it.
    written_by = models.CharField(_("written by"), max_length=20, choices=Relation, blank=True, db_default="")
    idempotency_key = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    submitted_at = models.DateTimeField(_("submitted"), null=True, blank=True)
    # Kept by triggers (migrations 0007 and 0013): an UPDATE that forgets them cannot be written.
    updated_at = models.DateTimeField(_("updated"), db_default=Now(), editable=False)
    last_signed_at = models.DateTimeField(_("signed last"), null=True, blank=True, editable=False)

    answers = models.JSONField(_("red-flag answers"), default=dict)
    # What was answered before and then corrected: [{"question", "was", "until", "level" of all answers then}].
    answer_changes = models.JSONField(default=list, db_default=Value([], models.JSONField()), blank=True)
    history = models.JSONField(_("history"), default=dict, blank=True)

    policy = models.CharField(_("triage policy"), max_length=40)
    rule_urgency = models.PositiveSmallIntegerField(_("urgency by answers"), choices=Urgency)
    urgency = models.PositiveSmallIntegerField(_("urgency"), choices=Urgency)
    flags = models.JSONField(_("flags"), default=list, blank=True)
    due_at = models.DateTimeField(_("answer due"), null=True, blank=True)
    # When the first question without a reply is due (`asking_back`), if one waits.
    question_due_at = models.DateTimeField(_("reply due"), null=True, blank=True, editable=False)
    spot_check = models.BooleanField(
        _("spot check"), default=False, db_default=False, help_text="a routine case drawn to be due earlier"
    )

    ai_status = models.CharField(_("AI"), max_length=12, choices=AIStatus, default=AIStatus.NOT_USED)
    ai_precedence = models.PositiveSmallIntegerField(choices=Precedence, default=0, db_default=0)
    ai_deadline = models.DateTimeField(null=True, blank=True)

    claimed_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="claims", verbose_name=_("claimed by")
    )
    claimed_at = models.DateTimeField(_("claimed"), null=True, blank=True)
    paused_at = models.DateTimeField(_("on hold since"), null=True, blank=True, editable=False)
    # Every other step ends it (`transitions.move`); the due time stays.
    snoozed_until = models.DateTimeField(_("snoozed until"), null=True, blank=True, editable=False)
    snooze_reason = models.CharField(
        _("snoozed, because"), max_length=20, choices=SnoozeReason, blank=True, db_default="", editable=False
    )
    photos_wanted = models.CharField(_("photos asked for, because"), max_length=20, blank=True)
    # Of which place, as `str(BodyPlace)` (empty: whichever), and what the dermatologist adds.
    photos_wanted_place = models.CharField(max_length=30, blank=True, db_default="")
    photos_wanted_words = TextField(max_length=WORDS_LENGTH, blank=True, db_default="")
    missing_photo = models.CharField(
        _("overview or close-up missing, because"),
        max_length=10,
        choices=MissingPhoto,
        blank=True,
        db_default="",
    )

    objects = SubmissionQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("submission"), _("submissions")
        ordering = ("-created_at",)
        indexes = [
            models.Index(
                *WORKLIST_ORDER, condition=Q(status__in=AWAITING_DERMATOLOGIST), name="worklist_by_rank"
            ),
            models.Index(
                "clinic",
                *WORKLIST_ORDER,
                condition=Q(status__in=AWAITING_DERMATOLOGIST),
                name="worklist_of_clinic",
            ),
            models.Index(
                "clinic",
                *WORKLIST_ORDER,
                condition=Q(status=Status.NEEDS_PHOTOS),
                name="waiting_for_patient",
            ),
            models.Index(
                "clinic",
                *WORKLIST_ORDER,
                condition=Q(
                    status__in=AWAITING_DERMATOLOGIST,
                    ai_precedence=Precedence.INCONCLUSIVE,
                    ai_status__in=AI_READ,
                ),
                name="inconclusive_of_clinic",
            ),
            models.Index(
                "clinic",
                "snoozed_until",
                "id",
                condition=Q(snoozed_until__isnull=False),
                name="snoozed_of_clinic",
            ),
            models.Index(
                "created_at", condition=Q(status__in=AWAITING_DERMATOLOGIST), name="waiting_by_creation"
            ),
            models.Index("claimed_at", condition=Q(status=Status.IN_REVIEW), name="claims_by_time"),
            models.Index(
                "ai_deadline", condition=Q(ai_status=AIStatus.WAITING), name="waiting_for_ai_by_deadline"
            ),
            models.Index("clinic", "updated_at", name="submission_by_clinic_update"),
            models.Index("clinic", "id", name="submission_of_clinic"),
            models.Index("clinic", "submitted_at", name="submission_by_sending"),
            models.Index(
                "clinic",
                "question_due_at",
                condition=Q(question_due_at__isnull=False),
                name="asked_back_of_clinic",
            ),
            models.Index("clinic", condition=Q(spot_check=True), name="spot_checks_of_clinic"),
            models.Index(
                "clinic",
                "last_signed_at",
                condition=Q(last_signed_at__isnull=False),
                name="submission_by_last_signing",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status=Status.IN_REVIEW, claimed_by__isnull=False, claimed_at__isnull=False)
                | (~Q(status=Status.IN_REVIEW) & Q(claimed_by=None, claimed_at=None)),
                name="submission_in_review_has_reviewer_and_no_other_has",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=[*ONCE_SUBMITTED])
                | Q(due_at__isnull=False, submitted_at__isnull=False),
                name="submission_once_submitted_has_due_time",
            ),
            models.CheckConstraint(
                condition=Q(urgency__gte=F("rule_urgency")),
                name="submission_urgency_is_never_below_its_rules",
            ),
            models.CheckConstraint(
                condition=~Q(ai_status=AIStatus.WAITING) | Q(ai_deadline__isnull=False),
                name="submission_waiting_for_ai_has_deadline",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case} {self.created_at:%Y-%m-%d}"

    def get_absolute_url(self) -> str:
        return reverse("web:submission", args=[self.pk])

    @property
    def patient(self) -> User:
        return self.case.patient

    def named_actor(self, by: User) -> User:
        """Return whom the history names: never a guardian, whose account may be erased before the child's record."""
        return self.patient if by.is_patient else by

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def awaits_dermatologist(self) -> bool:
        return self.status in AWAITING_DERMATOLOGIST

    @property
    def photos_wanted_label(self) -> str:
        """Of which place a photo is asked for, in words; empty where it is of whichever."""
        found = (one.label for one in self.case.body_places if str(one) == self.photos_wanted_place)
        return next(found, "")

    @property
    def level(self) -> Urgency:
        return Urgency(self.urgency)

    @property
    def corrected_from(self) -> int:
        """The highest level that the answers had before one of them was corrected."""
        return max((change["level"] for change in self.answer_changes), default=Urgency.ROUTINE)

    @property
    def is_paused(self) -> bool:
        return self.status == Status.NEEDS_PHOTOS  # the clock stands still (`cases/pausing.py`)

    @property
    def is_overdue(self) -> bool:
        return bool(self.due_at) and self.status in AWAITING_DERMATOLOGIST and self.due_at < timezone.now()

    @property
    def place(self) -> Place:
        return Place.of(self.urgency, self.ai_precedence, self.due_at, self.pk)

    def moved_up_at(self) -> datetime | None:
        """Return when its answer was last promised earlier, if it was since its sending or its reopening."""
        kinds = (EventKind.MOVED_UP, EventKind.REOPENED)
        since = self.submitted_at or timezone.now()
        last = self.events.filter(kind__in=kinds, at__gte=since).order_by("-at", "-pk").first()
        return last.at if last and last.kind == EventKind.MOVED_UP else None

    def unanswered(self) -> list[int]:
        """Return the numbers of the red-flag questions that still need an answer, from 1."""
        return policy(self.policy).unanswered(self.answers)

    def settled_places(self) -> list[BodyPlace]:
        """Return the case's places if an earlier submission already gave them to the clinic, else none."""
        others = self.case.submissions.exclude(pk=self.pk)
        return self.case.body_places if others.exclude(status__in=UNSENT).exists() else []

    def previous(self) -> Submission | None:
        """Return the newest submission of the case that was sent before this one, if any."""
        sent = self.case.submissions.exclude(pk=self.pk).exclude(submitted_at=None)
        return sent.exclude(status__in=UNSENT).order_by("-submitted_at").first()

    def current_photos(self) -> models.QuerySet[Photo]:
        return self.photos.filter(removed_at=None)

    def answer(self) -> Review | None:
        """The review in force: the newest that was neither amended nor taken back.

        Of reviews at hand with `amended_by` and `taken_back` it asks nothing.
        """
        if "reviews" in getattr(self, "_prefetched_objects_cache", {}):
            gone = ("amended_by", "taken_back")
            in_force = (one for one in self.reviews.all() if not any(hasattr(one, name) for name in gone))
            return max(in_force, key=lambda review: review.signed_at, default=None)
        return self.reviews.filter(amended_by=None, taken_back=None).order_by("-signed_at").first()


class SubmissionPartQuerySet(models.QuerySet):
    """Rows that a user may see who may see their submission."""

    def visible_to(self, user: User) -> SubmissionPartQuerySet:
        return self.filter(submission__in=Submission.objects.visible_to(user))
