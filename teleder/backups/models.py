"""Which backups were made, and whether they could be read again: what the operations page shows."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Backup(models.Model):
    """Written by `manage.py backup` alone. A backup that lies in its storage and has no row here was made before a restore."""

    name = models.CharField(_("name"), max_length=20)
    place = models.CharField(_("place"), max_length=300)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    verified_at = models.DateTimeField(_("verified"), null=True, blank=True)
    faults = models.PositiveIntegerField(_("faults found when it was verified"), default=0)
    files = models.PositiveIntegerField(_("files of photos"), default=0)
    bytes = models.PositiveBigIntegerField(_("bytes"), default=0)

    class Meta:
        verbose_name, verbose_name_plural = _("backup"), _("backups")
        ordering = ("-started_at",)
        constraints = [
            models.UniqueConstraint(fields=["place", "name"], name="backup_has_one_row"),
            models.CheckConstraint(
                condition=models.Q(verified_at=None) | models.Q(finished_at__isnull=False),
                name="backup_is_finished_before_it_is_verified",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.place}"


def newest_verified() -> models.Subquery:
    """Return the start of the newest backup that could be read again, as an expression; later work is in no backup."""
    rows = Backup.objects.filter(verified_at__isnull=False, faults=0).order_by("-started_at")
    return models.Subquery(rows.values("started_at")[:1])


def is_overdue(newest: datetime | None, now: datetime) -> bool:
    """Whether the newest verified backup is older than `TELEDER_BACKUP_HOURS`; no where none is made by us at all."""
    if newest is None:
        return bool(settings.BACKUP)
    return now - newest > timedelta(hours=settings.BACKUP_HOURS)
