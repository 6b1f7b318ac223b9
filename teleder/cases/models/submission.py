"""A submission: one set of photos and answers. Its status changes only through `teleder.cases.transitions`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Self
from uuid import UUID

import uuid_utils.compat as uuid
from django.db import models
from django.db.models import F, Q
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan
from django.db.models.functions import Now
from django.db.models.lookups import LessThanOrEqual
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contract.messages import QualityFault
from teleder.accounts.models import Clinic, User
from teleder.cases.models.case import Case
from teleder.cases.transitions import AWAITING_DERMATOLOGIST, ONCE_SUBMITTED, OPEN, Status
from teleder.cases.triage import Urgency
from teleder.pipeline.transitions import AIStatus

if TYPE_CHECKING:
    from teleder.cases.models.photo import Photo
    from teleder.cases.models.review import Review


class PhotosWanted(models.TextChoices):
    """Why another photo is asked for; each has one remedy, the same as a photo's fault."""

    BLURRED = QualityFault.BLURRED.value, _("it is blurred")
    TOO_DARK = QualityFault.TOO_DARK.value, _("it is too dark")
    TOO_BRIGHT = QualityFault.TOO_BRIGHT.value, _("it is too bright")
    GLARE = QualityFault.GLARE.value, _("the skin reflects the light")
    TOO_FAR = "too_far", _("it was taken from too far away")
    TOO_NEAR = "too_near", _("it was taken from too near")
    NOT_IN_PICTURE = "not_in_picture", _("the spot is not all in the picture")


class Kind(models.TextChoices):
    """Kinds of submission within a case."""

    FIRST = "first", _("first")
    FOLLOW_UP = "follow_up", _("follow-up")


class Precedence(models.IntegerChoices):
    """What stands first inside a level, by what the AI says: neither raises the level or brings the due time forward.

    Alarms count that did not raise the case: one that did stands with its new level behind what the answers say.
    """

    NONE = 0
    INCONCLUSIVE = 1
    ALARM = 2


# Level and precedence are one number, and all that decides goes upwards, so that an index can continue behind any row (`after`).
WORKLIST_RANK = F("urgency") * -len(Precedence) - F("ai_precedence")
WORKLIST_ORDER = (WORKLIST_RANK, "due_at", "id")
LARGEST_RANK = 1000


class Place(NamedTuple):
    """Where a submission stands in the order of the worklist: the values of its row, so that it outlives the row."""

    rank: int
    due_at: datetime
    id: UUID

    @classmethod
    def of(cls, urgency: int, ai_precedence: int, due_at: datetime, id: UUID) -> Self:
        return cls(-len(Precedence) * urgency - ai_precedence, due_at, id)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `str` wrote; `None` for anything else."""
        rank, _rest, due_and_id = text.partition("_")
        due, _rest, pk = due_and_id.partition("_")
        try:
            moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(due))
            return cls(int(rank), moment, UUID(pk)) if abs(int(rank)) < LARGEST_RANK else None
        except (ValueError, OverflowError):
            return None

    def __str__(self) -> str:
        microseconds = (self.due_at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
        return f"{self.rank}_{microseconds}_{self.id}"


class SubmissionQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> SubmissionQuerySet:
        if user.is_patient:
            return self.filter(case__patient=user)
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

    def overdue(self) -> SubmissionQuerySet:
        return self.filter(status__in=AWAITING_DERMATOLOGIST, due_at__lt=timezone.now())

    def updated_since(self, time: datetime) -> SubmissionQuerySet:
        """Those that changed at this time or later, with their photos, findings and reviews."""
        return self.filter(updated_at__gte=time)

    def signed_since(self, time: datetime) -> SubmissionQuerySet:
        """Those whose newest review was signed at this time or later, the newest first."""
        return self.filter(last_signed_at__gte=time).order_by("-last_signed_at", "id")

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
    idempotency_key = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    submitted_at = models.DateTimeField(_("submitted"), null=True, blank=True)
    # Kept by triggers (migrations 0007 and 0013): an UPDATE that forgets them cannot be written.
    updated_at = models.DateTimeField(_("updated"), db_default=Now(), editable=False)
    last_signed_at = models.DateTimeField(_("signed last"), null=True, blank=True, editable=False)

    answers = models.JSONField(_("red-flag answers"), default=dict)
    history = models.JSONField(_("history"), default=dict, blank=True)

    policy = models.CharField(_("triage policy"), max_length=40)
    rule_urgency = models.PositiveSmallIntegerField(_("urgency by answers"), choices=Urgency)
    urgency = models.PositiveSmallIntegerField(_("urgency"), choices=Urgency)
    flags = models.JSONField(_("flags"), default=list, blank=True)
    due_at = models.DateTimeField(_("answer due"), null=True, blank=True)
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
    photos_wanted = models.CharField(_("photos asked for, because"), max_length=20, blank=True)

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
            models.Index("claimed_at", condition=Q(status=Status.IN_REVIEW), name="claims_by_time"),
            models.Index(
                "ai_deadline", condition=Q(ai_status=AIStatus.WAITING), name="waiting_for_ai_by_deadline"
            ),
            models.Index("clinic", "updated_at", name="submission_by_clinic_update"),
            models.Index("clinic", "id", name="submission_of_clinic"),
            models.Index("clinic", "submitted_at", name="submission_by_sending"),
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

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def level(self) -> Urgency:
        return Urgency(self.urgency)

    @property
    def is_overdue(self) -> bool:
        return bool(self.due_at) and self.status in AWAITING_DERMATOLOGIST and self.due_at < timezone.now()

    @property
    def place(self) -> Place:
        return Place.of(self.urgency, self.ai_precedence, self.due_at, self.pk)

    def current_photos(self) -> models.QuerySet[Photo]:
        return self.photos.filter(removed_at=None)

    def answer(self) -> Review | None:
        """The review in force: the newest that was not amended. Of reviews at hand with `amended_by` it asks nothing."""
        if "reviews" in getattr(self, "_prefetched_objects_cache", {}):
            in_force = (review for review in self.reviews.all() if not hasattr(review, "amended_by"))
            return max(in_force, key=lambda review: review.signed_at, default=None)
        return self.reviews.filter(amended_by=None).order_by("-signed_at").first()


class SubmissionPartQuerySet(models.QuerySet):
    """Rows that a user may see who may see their submission."""

    def visible_to(self, user: User) -> SubmissionPartQuerySet:
        return self.filter(submission__in=Submission.objects.visible_to(user))
