"""What a dermatologist thought of a submission before they saw the AI's opinion."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import User
from teleder.cases.models.review import Confidence, Impression, Review
from teleder.cases.models.submission import Submission, SubmissionPartQuerySet


class FirstImpressionQuerySet(SubmissionPartQuerySet):
    def study_reads(self) -> FirstImpressionQuerySet:
        """Impressions signed before the AI's opinion opened, whose reader has answered since."""
        answered = Review.objects.filter(submission=OuterRef("submission"), author=OuterRef("reader"))
        signed = self.filter(signed_at__isnull=False).exclude(final="")
        return signed.filter(Exists(answered.filter(signed_at__gte=OuterRef("signed_at"))))


class FirstImpression(models.Model):
    """One reader's impression of one submission; with this row the AI's opinion is open to them (`cases/ai_opinion.py`).

    `independent` is what they chose before it opened and never changes; it is empty where the AI was seen first.
    `latest` is what they chose last: the draft of the answer's impression. A photo that comes after it sets
    `has_newer_photos`, which closes the opinion until they look again.

    In a blind study they sign `independent` (`signed_at`), which opens the opinion. `final` is then the impression of their
    signed answer, and `ai_said` what they could read meanwhile: the conditions that the verdict named or could not rule out.
    """

    submission = models.ForeignKey(Submission, models.PROTECT, related_name="first_impressions")
    reader = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("reader"))
    independent = models.CharField(
        _("impression before the AI's opinion"), max_length=10, choices=Impression, blank=True
    )
    latest = models.CharField(_("impression"), max_length=10, choices=Impression, blank=True)
    saw_ai_first = models.BooleanField(_("saw the AI's opinion first"), default=False)
    has_newer_photos = models.BooleanField(
        default=False, db_default=False, help_text="a photo has come since they looked"
    )
    at = models.DateTimeField(_("at"), default=timezone.now)
    confidence = models.CharField(
        _("confidence"), max_length=4, choices=Confidence, blank=True, default="", db_default=""
    )
    signed_at = models.DateTimeField(_("signed"), null=True, blank=True)
    looked_before = models.BooleanField(
        default=False, db_default=False, help_text="fewer photos, or perhaps the AI's opinion, before signing"
    )
    final = models.CharField(
        _("impression of the answer"),
        max_length=10,
        choices=Impression,
        blank=True,
        default="",
        db_default="",
    )
    ai_said = ArrayField(
        models.CharField(max_length=10, choices=Impression),
        verbose_name=_("what the AI named or could not rule out"),
        default=list,
        db_default=Value([], ArrayField(models.CharField(max_length=10))),
        blank=True,
    )

    objects = FirstImpressionQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("first impression"), _("first impressions")
        constraints = [
            models.UniqueConstraint("submission", "reader", name="first_impression_once_a_reader"),
            models.CheckConstraint(
                condition=Q(saw_ai_first=True, independent="") | (Q(saw_ai_first=False) & ~Q(independent="")),
                name="first_impression_is_independent_or_saw_ai_first",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.submission} {self.reader}"
