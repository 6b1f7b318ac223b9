"""An event: one step of a submission, with its actor and time."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.cases.models.submission import Submission, SubmissionPartQuerySet
from teleder.cases.transitions import EventKind


class Event(models.Model):
    """One step: history, audit and outbox in one table. `told_at` is empty until its messages are queued."""

    submission = models.ForeignKey(Submission, models.PROTECT, related_name="events")
    kind = models.CharField(_("kind"), max_length=20, choices=EventKind)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    at = models.DateTimeField(_("at"), default=timezone.now)
    detail = models.JSONField(_("detail"), default=dict, blank=True)
    told_at = models.DateTimeField(_("told"), null=True, blank=True)

    objects = SubmissionPartQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("event"), _("events")
        ordering = ("at", "id")
        indexes = [models.Index("id", condition=Q(told_at=None), name="event_not_yet_told")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.at:%Y-%m-%d %H:%M}"
