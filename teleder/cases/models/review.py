"""A review: the dermatologist's signed answer."""

from __future__ import annotations

from uuid import UUID

import uuid_utils.compat as uuid
from django.db import models
from django.db.models import F, Q, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import User
from teleder.accounts.text import TextField
from teleder.cases.models.submission import Submission, SubmissionPartQuerySet
from teleder.cases.triage import Urgency


class Impression(models.TextChoices):
    """The dermatologist's impression."""

    AD = "AD", _("atopic dermatitis")
    HI = "HI", _("herpesvirus infection")
    IM = "IM", _("impetigo")
    MF = "MF", _("mycosis fungoides suspected")
    OTHER = "other", _("another condition")
    UNCLEAR = "unclear", _("cannot be judged from photos")


class Confidence(models.TextChoices):
    """How sure the dermatologist is of the impression; saying so is optional."""

    LOW = "low", _("low")
    MEDIUM = "mid", _("medium")
    HIGH = "high", _("high")


class Disposition(models.TextChoices):
    """What the patient should do next."""

    SELF_CARE = "self_care", _("go on with the usual care at home")
    APPOINTMENT = "appointment", _("appointment within two weeks")
    DAYS_2 = "days_2", _("see a doctor within two days")
    TODAY = "today", _("see a doctor today")
    EMERGENCY = "emergency", _("emergency department now")

    @property
    def urgency(self) -> Urgency:
        return Urgency(list(Disposition).index(self))


class ReviewQuerySet(SubmissionPartQuerySet):
    def sent(self) -> ReviewQuerySet:
        """Those that were not taken back: what a patient may know of."""
        return self.filter(taken_back=None)

    def for_showing(self) -> ReviewQuerySet:
        return self.select_related("author__dermatologist", "taken_back", "amends__taken_back")


class Review(models.Model):
    """The dermatologist's signed answer (FHIR DiagnosticReport final; an amendment is one more row)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    submission = models.ForeignKey(Submission, models.PROTECT, related_name="reviews")
    author = models.ForeignKey(User, models.PROTECT, related_name="reviews", verbose_name=_("signed by"))
    impression = models.CharField(_("impression"), max_length=10, choices=Impression)
    disposition = models.CharField(_("what to do"), max_length=12, choices=Disposition)
    # An entry of `cases/diagnoses.toml` with its codes as they were when it was signed, and the version of that list.
    diagnosis = models.CharField(_("diagnosis"), max_length=40, blank=True, db_default="")
    icd10 = models.CharField("ICD-10", max_length=8, blank=True, db_default="")
    snomed = models.CharField("SNOMED CT", max_length=18, blank=True, db_default="")
    codes_version = models.CharField(_("version of the codes"), max_length=40, blank=True, db_default="")
    confidence = models.CharField(
        _("confidence"), max_length=4, choices=Confidence, blank=True, db_default=""
    )
    text = TextField(_("answer to the patient"), max_length=4000)
    # Which reply template the text began as (`cases/reply_templates.py`), and whether it was edited.
    template = models.CharField(_("reply template"), max_length=80, blank=True, db_default="")
    template_edited = models.BooleanField(_("template edited"), default=False, db_default=False)
    # What to do, one line each: drafted from the replies, edited and signed.
    today = models.JSONField(
        _("to do today"), default=list, db_default=Value([], models.JSONField()), blank=True
    )
    this_week = models.JSONField(
        _("to do this week"), default=list, db_default=Value([], models.JSONField()), blank=True
    )
    next_photo_on = models.DateField(_("next photos"), null=True, blank=True)
    triage_urgency = models.PositiveSmallIntegerField(_("urgency before the answer"), choices=Urgency)
    urgency = models.PositiveSmallIntegerField(_("urgency of the answer"), choices=Urgency)
    reason = TextField(_("why less urgent than triage"), max_length=1000, blank=True)
    amends = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="amended_by", verbose_name=_("amends")
    )
    signed_at = models.DateTimeField(_("signed"), default=timezone.now)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("review"), _("reviews")
        ordering = ("-signed_at",)
        indexes = [
            models.Index("signed_at", name="review_by_signing"),
            models.Index("impression", name="review_by_impression"),
            models.Index(
                "next_photo_on", condition=Q(next_photo_on__isnull=False), name="review_by_next_photo"
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(text=""), name="review_has_text"),
            models.CheckConstraint(
                condition=Q(urgency__gte=F("triage_urgency")) | ~Q(reason=""),
                name="review_less_urgent_than_triage_gives_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.submission} {self.get_impression_display()}"

    @property
    def corrects(self) -> UUID | None:
        """The answer that its patient may have read before; one that was taken back is none."""
        was_read = self.amends_id and not hasattr(self.amends, "taken_back")
        return self.amends_id if was_read else None
