"""A link by which a patient shows an answer to somebody without an account."""

from __future__ import annotations

import uuid_utils.compat as uuid
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.cases.models.submission import Submission, SubmissionPartQuerySet


class ShareLinkQuerySet(SubmissionPartQuerySet):
    def working(self) -> ShareLinkQuerySet:
        return self.filter(revoked_at=None, expires_at__gt=timezone.now())


class ShareLink(models.Model):
    """Whoever has the link reads the answer until it ends. Only the hash of its token is stored."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    submission = models.ForeignKey(Submission, models.PROTECT, related_name="share_links")
    token_sha256 = models.CharField(max_length=64, unique=True)
    with_photos = models.BooleanField(_("with photos"), default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    times_opened = models.PositiveIntegerField(_("times opened"), default=0)
    last_opened_at = models.DateTimeField(_("last opened"), null=True, blank=True)

    objects = ShareLinkQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("share link"), _("share links")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.submission} {self.expires_at:%Y-%m-%d}"

    @property
    def works(self) -> bool:
        return self.revoked_at is None and self.expires_at > timezone.now()
