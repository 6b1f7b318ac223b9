"""A review: the dermatologist's signed answer."""

from __future__ import annotations

import uuid_utils.compat as uuid
from django.db import models
from django.db.models import F, Q
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


class Review(models.Model):
    """The dermatologist's signed answer (FHIR DiagnosticReport final; an amendment is one more row)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    submission = models.ForeignKey(Submission, models.PROTECT, related_name="reviews")
    author = models.ForeignKey(User, models.PROTECT, related_name="reviews", verbose_name=_("signed by"))
    impression = models.CharField(_("impression"), max_length=10, choices=Impression)
    disposition = models.CharField(_("what to do"), max_length=12, choices=Disposition)
    text = TextField(_("answer to the patient"), max_length=4000)
    triage_urgency = models.PositiveSmallIntegerField(_("urgency before the answer"), choices=Urgency)
    urgency = models.PositiveSmallIntegerField(_("urgency of the answer"), choices=Urgency)
    reason = TextField(_("why less urgent than triage"), max_length=1000, blank=True)
    amends = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="amended_by", verbose_name=_("amends")
    )
    signed_at = models.DateTimeField(_("signed"), default=timezone.now)

    objects = SubmissionPartQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("review"), _("reviews")
        ordering = ("-signed_at",)
        indexes = [
            models.Index("signed_at", name="review_by_signing"),
            models.Index("impression", name="review_by_impression"),
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
