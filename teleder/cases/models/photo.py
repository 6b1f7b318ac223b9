"""A photo, and what the checks of the worker found of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uuid_utils.compat as uuid
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contract import messages
from contract.photos import PhotoAdvice, QualityFault, Reason
from teleder.accounts.models import User
from teleder.cases.models.fields import FindingsField
from teleder.cases.models.submission import Submission

if TYPE_CHECKING:
    from teleder.cases.models.analysis import Analysis

PHOTOS_PER_SUBMISSION = 6


class PhotoView(models.TextChoices):
    """Which photo it is (ATA quick guide: overview and close-up)."""

    OVERVIEW = "overview", _("overview")
    CLOSE_UP = "close_up", _("close-up")
    OTHER = "other", _("other")


class PhotoState(models.TextChoices):
    STORED = "stored", _("being checked")
    READY = "ready", _("good")
    POOR = "poor", _("hard to read")
    UNUSABLE = "unusable", _("cannot be used")


class PhotoQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> PhotoQuerySet:
        return self.filter(submission__in=Submission.objects.visible_to(user))

    def current(self) -> PhotoQuerySet:
        return self.filter(removed_at=None)


class Photo(models.Model):
    """An untrusted upload as it was received, and the copies that the worker made of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    submission = models.ForeignKey(Submission, models.PROTECT, related_name="photos")
    view = models.CharField(_("view"), max_length=10, choices=PhotoView)
    state = models.CharField(_("state"), max_length=10, choices=PhotoState, default=PhotoState.STORED)
    created_at = models.DateTimeField(_("received"), default=timezone.now)
    removed_at = models.DateTimeField(_("removed"), null=True, blank=True)

    original_key = models.CharField(max_length=200)
    # No longer written, as file names can identify people; the version after this one drops the column.
    original_name = models.CharField(max_length=200, blank=True)
    trace = models.CharField(
        max_length=36, blank=True, db_default="", help_text="the request that brought it"
    )
    size = models.PositiveIntegerField(_("bytes"))
    sha256 = models.CharField(max_length=64)
    sealed_by = models.CharField(
        max_length=8, blank=True, help_text="name of the key that opens the original"
    )

    display_key = models.CharField(max_length=200, blank=True)
    analysis_key = models.CharField(max_length=200, blank=True)
    thumbnail_key = models.CharField(max_length=200, blank=True)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    analysis_width = models.PositiveIntegerField(default=0)
    analysis_height = models.PositiveIntegerField(default=0)
    quality = FindingsField(_("quality"), declared=messages.Measured, default=dict, blank=True)
    reason = models.CharField(_("rejection"), max_length=30, choices=[(r, r) for r in Reason], blank=True)
    fault = models.CharField(_("fault"), max_length=30, choices=[(f, f) for f in QualityFault], blank=True)
    # What the check of a draft suggests to its patient, and its whole result; null: not checked.
    advice = models.CharField(
        _("advice"), max_length=30, choices=[(a, a) for a in PhotoAdvice], blank=True, db_default=""
    )
    check_result = FindingsField(_("check"), declared=messages.CheckResult, null=True, blank=True)
    sent_anyway = models.BooleanField(_("sent anyway"), default=False)

    objects = PhotoQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("photo"), _("photos")
        ordering = ("created_at",)
        indexes = [models.Index(fields=["trace"], condition=~Q(trace=""), name="photo_by_request")]
        constraints = [
            models.UniqueConstraint(
                fields=["submission", "sha256"],
                condition=Q(removed_at=None),
                name="submission_holds_a_photo_once",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[PhotoState.READY, PhotoState.POOR])
                | (~Q(display_key="") & ~Q(analysis_key="")),
                name="photo_that_was_prepared_has_its_copies",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_view_display()} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def analysis(self) -> Analysis | None:
        """The newest analysis; older ones are kept."""
        # Of fifty rows of a list, copies of the query that was prefetched take longer than the answer.
        prefetched = getattr(self, "_prefetched_objects_cache", {}).get("analyses")
        analyses = self.analyses.all() if prefetched is None else prefetched
        return max(analyses, key=lambda analysis: analysis.created_at, default=None)

    @property
    def was_prepared(self) -> bool:
        return self.state in {PhotoState.READY, PhotoState.POOR}
