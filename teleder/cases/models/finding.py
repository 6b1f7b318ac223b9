"""A finding: one condition with its probability."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from contract.alarms import Condition
from teleder.cases.models.analysis import Analysis
from teleder.cases.models.fields import MeasureField


class Finding(models.Model):
    """One condition with a probability, by the analysis' model (FHIR Observation, preliminary)."""

    analysis = models.ForeignKey(Analysis, models.CASCADE, related_name="findings")
    condition = models.CharField(_("condition"), max_length=10, choices=[(c, c) for c in Condition])
    probability = models.FloatField(_("probability"))
    threshold = MeasureField(_("threshold"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("finding"), _("findings")
        ordering = ("-probability",)
        constraints = [
            models.UniqueConstraint(
                fields=["analysis", "condition"], name="analysis_has_one_finding_per_condition"
            ),
            models.CheckConstraint(
                condition=Q(probability__gte=0, probability__lte=1),
                name="finding_probability_is_between_0_and_1",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.condition} {self.probability:.2f}"

    @property
    def is_over_threshold(self) -> bool:
        return self.threshold is not None and self.probability >= self.threshold
