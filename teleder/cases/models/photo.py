"""A photo, and what the checks of the worker found of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uuid_utils.compat as uuid
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contract import messages
from contract.photos import DISPLAY_SIDE, FULL_SIDE, PhotoAdvice, QualityFault, Reason
from teleder.accounts.models import User
from teleder.cases.body_places import BodyPlace
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

    def unsealed(self) -> PhotoQuerySet:
        """Return the photos whose original is kept as it came, from before originals were sealed."""
        return self.filter(sealed_by="").exclude(original_key="")


class Photo(models.Model):
    """An untrusted upload as it was received, and the copies that the worker made of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    submission = models.ForeignKey(Submission, models.PROTECT, related_name="photos")
    view = models.CharField(_("view"), max_length=10, choices=PhotoView)
    # Which place of the case, as `str(BodyPlace)`; empty: its first.
    place = models.CharField(_("place"), max_length=30, blank=True, db_default="")
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
    # A few pixels of an intimate place, for lists; of photos prepared by an earlier version there is none.
    veiled_key = models.CharField(max_length=200, blank=True, db_default="")
    # All pixels, made when a dermatologist asks for them.
    full_key = models.CharField(max_length=200, blank=True, db_default="")
    # Of the copies as they were written; "" of older workers, until `cases.file_checks` has read them.
    display_sha256 = models.CharField(max_length=64, blank=True, db_default="")
    analysis_sha256 = models.CharField(max_length=64, blank=True, db_default="")
    veiled_sha256 = models.CharField(max_length=64, blank=True, db_default="")
    full_sha256 = models.CharField(max_length=64, blank=True, db_default="")
    thumbnail_sha256 = models.CharField(max_length=64, blank=True, db_default="")
    files_read_at = models.DateTimeField(null=True, blank=True, help_text="all of its files were as written")
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

    is_repeat = False  # true of a row that was there when the same file arrived again

    objects = PhotoQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("photo"), _("photos")
        ordering = ("created_at",)
        indexes = [
            models.Index(fields=["trace"], condition=~Q(trace=""), name="photo_by_request"),
            models.Index(
                "submission",
                condition=Q(state=PhotoState.STORED, removed_at=None),
                name="photo_not_prepared",
            ),
            models.Index(
                "created_at",
                condition=Q(state=PhotoState.STORED, removed_at=None),
                name="unprepared_by_creation",
            ),
        ]
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
    def body_place(self) -> BodyPlace | None:
        """The place of its case that it shows; `None` while the case has none."""
        places = self.submission.case.body_places
        return next((place for place in places if str(place) == self.place), next(iter(places), None))

    @property
    def copy_version(self) -> str:
        """The attempt that made the copies, whose files never change; empty before the first."""
        return self.thumbnail_key.rpartition("/")[0].rpartition("/")[2]

    @property
    def shown_share(self) -> float:
        """How large the display copy is, as a share of the original's sides."""
        return min(1.0, DISPLAY_SIDE / max(self.width, self.height, 1))

    @property
    def full_share(self) -> float:
        """The same of the full-size copy."""
        return min(1.0, FULL_SIDE / max(self.width, self.height, 1))

    @property
    def was_prepared(self) -> bool:
        return self.state in {PhotoState.READY, PhotoState.POOR}
