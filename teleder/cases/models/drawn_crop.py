"""A crop and a lesion that a dermatologist drew over the model's, and what the model says of them. Rows never change."""

from __future__ import annotations

import uuid_utils.compat as uuid
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contract import messages
from contract.drawn import OptionalRuns, Rectangle
from teleder.accounts.models import User
from teleder.cases.models.analysis import Analysis
from teleder.cases.models.fields import FindingsField
from teleder.cases.models.photo import Photo


class DrawnCropQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> DrawnCropQuerySet:
        return self.none() if user.is_patient else self.filter(photo__in=Photo.objects.visible_to(user))


class DrawnCrop(models.Model):
    """In pixels of the analysis copy. `lesion` is as in `contract.drawn`; null: as the model found it.

    `analysis` is the model's own result that it corrects, with the models that made it. A photo's job of stage `reanalyse` is always
    of its newest drawn crop.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    photo = models.ForeignKey(Photo, models.PROTECT, related_name="drawn_crops")
    analysis = models.ForeignKey(Analysis, models.PROTECT, related_name="+")
    author = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("drawn by"))
    at = models.DateTimeField(_("at"), default=timezone.now)
    x = models.PositiveIntegerField()
    y = models.PositiveIntegerField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    lesion = FindingsField(_("lesion"), declared=OptionalRuns, null=True, blank=True)

    objects = DrawnCropQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("drawn crop"), _("drawn crops")
        ordering = ("at", "id")
        constraints = [
            models.CheckConstraint(condition=Q(width__gt=0, height__gt=0), name="drawn_crop_has_an_area"),
        ]

    def __str__(self) -> str:
        return f"{self.photo_id} {self.at:%Y-%m-%d %H:%M}"

    @property
    def box(self) -> Rectangle:
        return Rectangle(x=self.x, y=self.y, width=self.width, height=self.height)


class DrawnCropFinding(models.Model):
    """What one classification model says of a drawn crop, beside its finding on its own crops. It changes no urgency."""

    drawn_crop = models.OneToOneField(
        DrawnCrop, models.PROTECT, primary_key=True, related_name="finding", verbose_name=_("drawn crop")
    )
    at = models.DateTimeField(_("at"), default=timezone.now)
    mask_key = models.CharField(max_length=200)
    result = FindingsField(_("result"), declared=messages.AnalysisResult, null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("finding on a drawn crop"), _("findings on drawn crops")

    def __str__(self) -> str:
        return f"{self.drawn_crop_id} {self.at:%Y-%m-%d %H:%M}"

    @property
    def outcome(self) -> messages.Analysed | None:
        return None if self.result is None else messages.reader_of(messages.AnalysisResult)(self.result)
