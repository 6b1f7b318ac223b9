"""Counts of the worker messages that were refused."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class RefusedMessage(models.Model):
    """How many messages of workers were refused on a day, by kind: rows are few, however many are sent."""

    day = models.DateField()
    kind = models.CharField(max_length=20)  # the task's name
    count = models.PositiveBigIntegerField(default=0)
    last_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "kind"], name="refused_messages_once_a_day")]

    def __str__(self) -> str:
        return f"{self.kind} {self.day}"
