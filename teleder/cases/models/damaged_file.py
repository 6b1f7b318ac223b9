"""A stored file that is not as it was written: damaged, exchanged or gone."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import User
from teleder.cases.models.photo import Photo


class StoredFile(models.TextChoices):
    """The files of a photo: as it was sent, and what workers made of it."""

    ORIGINAL = "original", _("photo as it was sent")
    DISPLAY = "display", _("photo as it is shown")
    ANALYSIS = "analysis", _("copy that the AI reads")
    THUMBNAIL = "thumbnail", _("small copy")
    VEILED = "veiled", _("blurred small copy")
    FULL = "full", _("copy with all pixels")
    MASK = "mask", _("areas that the AI found")
    ATTRIBUTION = "attribution", _("areas that spoke for a condition")


class DamagedFileQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> DamagedFileQuerySet:
        if not user.is_admin:
            return self.none()
        return self.filter(user.in_own_clinic("photo__submission__clinic"))


class DamagedFile(models.Model):
    """Found by whoever read the file. Nobody is shown it; the sweeper lets it be made again, or waits for a backup."""

    photo = models.ForeignKey(Photo, models.CASCADE, related_name="damages")
    name = models.CharField(_("file"), max_length=20, choices=StoredFile)
    found_at = models.DateTimeField(_("found"), db_default=Now())
    tries = models.PositiveIntegerField(_("tries"), default=0)
    due_at = models.DateTimeField(_("next look"), db_default=Now())
    told_at = models.DateTimeField(_("told"), null=True, blank=True)
    mended_at = models.DateTimeField(_("whole again"), null=True, blank=True)

    objects = DamagedFileQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("damaged file"), _("damaged files")
        indexes = [
            models.Index("due_at", condition=Q(mended_at=None), name="damage_by_next_look"),
            models.Index("mended_at", condition=Q(mended_at__isnull=False), name="damage_mended"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["photo", "name"], condition=Q(mended_at=None), name="file_is_damaged_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.photo_id} {self.name}"
