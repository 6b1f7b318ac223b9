"""When each process last gave a sign of life."""

from __future__ import annotations

from django.db import models

from teleder.accounts.models import User


class HeartbeatQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> HeartbeatQuerySet:
        return self.all() if user.is_admin else self.none()


class Heartbeat(models.Model):
    """One row for each kind of process. Its own working loop renews `at`; of workers a child, by answering a probe."""

    name = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True, help_text="the last probe")
    asked_at = models.DateTimeField(null=True, blank=True, help_text="the first probe since the last answer")

    objects = HeartbeatQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name
