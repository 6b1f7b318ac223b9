"""An analysis: mask, boxes and classification of one photo by one pair of model versions."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KeyTransform
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contract import messages
from contract.alarms import Alarm, Alarms, Condition
from contract.distance import DistanceReport, DistanceResult
from contract.messages import Abstention, NoCropReason
from teleder.accounts.models import User
from teleder.cases.models.fields import FindingsField, MeasureField
from teleder.cases.models.photo import Photo
from teleder.cases.triage import ALARMING


def unknown_model() -> dict[str, str]:
    return {"name": "", "version": "", "sha256": ""}


class AnalysisQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> AnalysisQuerySet:
        return self.none() if user.is_patient else self.filter(photo__in=Photo.objects.visible_to(user))


class Analysis(models.Model):
    """What one pair of model versions found on one photo: enough to make it again."""

    photo = models.ForeignKey(Photo, models.CASCADE, related_name="analyses")
    created_at = models.DateTimeField(default=timezone.now)
    mask_key = models.CharField(max_length=200)
    mask_sha256 = models.CharField(max_length=64, blank=True, db_default="")
    skin = MeasureField(_("skin"))
    lesion = MeasureField(_("lesion"))
    boxes = FindingsField(_("boxes"), declared=messages.Boxes, default=list, blank=True)
    no_box = models.CharField(max_length=30, choices=[(n, n) for n in NoCropReason], blank=True)
    nearest_miss = FindingsField(_("nearest miss"), declared=messages.ABox, null=True, blank=True)
    signs = FindingsField(_("signs"), declared=messages.Signs, default=list, db_default=[], blank=True)
    segmentation_model = FindingsField(
        _("segmentation model"), declared=messages.Model, default=unknown_model
    )
    classified_at = models.DateTimeField(null=True, blank=True)
    classification_model = FindingsField(
        _("classification model"), declared=messages.Model, null=True, blank=True
    )
    demonstration = models.BooleanField(_("demonstration model"), default=True)
    views = FindingsField(declared=messages.Views, default=list, blank=True)
    thresholds = FindingsField(declared=messages.Thresholds, default=dict, blank=True)
    top = models.CharField(max_length=10, choices=[(c, c) for c in Condition], blank=True)
    abstention = models.CharField(max_length=20, choices=[(a, a) for a in Abstention], blank=True)
    alarms = FindingsField(declared=Alarms, null=True, blank=True)
    distance = FindingsField(_("distance report"), declared=DistanceResult, null=True, blank=True)
    device = models.CharField(max_length=100, blank=True)
    attribution_key = models.CharField(max_length=200, blank=True)
    attribution_sha256 = models.CharField(max_length=64, blank=True, db_default="")
    attribution_condition = models.CharField(max_length=10, choices=[(c, c) for c in Condition], blank=True)
    attribution_box = models.PositiveSmallIntegerField(null=True, blank=True)

    objects = AnalysisQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("analysis"), _("analyses")
        ordering = ("-created_at",)
        indexes = [
            models.Index(
                KeyTransform("sha256", "classification_model"),
                "id",
                condition=Q(classified_at__isnull=False),
                name="analysis_by_model",
            )
        ]

    def __str__(self) -> str:
        return f"{self.photo_id} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def is_classified(self) -> bool:
        return self.classified_at is not None

    @property
    def seconds_after_upload(self) -> float | None:
        return (self.classified_at - self.photo.created_at).total_seconds() if self.classified_at else None

    @property
    def distance_report(self) -> DistanceReport | None:
        return None if self.distance is None else messages.reader_of(DistanceResult)(self.distance)

    @property
    def ringing(self) -> tuple[Alarm, ...]:
        """The alarms whose line this photo has crossed, in the order in which they must be named."""
        return tuple(alarm for alarm in self.reported_alarms if alarm.rings)

    @property
    def reported_alarms(self) -> tuple[Alarm, ...]:
        """Every alarm of the model, in the order in which they must be named.

        A worker from before alarms had figures reported only probabilities and thresholds.
        """
        reported = messages.reader_of(Alarms)(self.alarms or ()) or [
            Alarm(condition=Condition(found.condition), score=found.probability, threshold=found.threshold)
            for found in self.findings.all()
            if found.condition in ALARMING and found.threshold is not None
        ]
        return tuple(alarm for condition in ALARMING for alarm in reported if alarm.condition == condition)

    def probabilities(self) -> dict[str, float]:
        return {finding.condition: finding.probability for finding in self.findings.all()}
