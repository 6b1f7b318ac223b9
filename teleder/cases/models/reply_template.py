"""What a clinic's answers begin with: templates by impression and action, and a dermatologist's own short texts."""

from __future__ import annotations

import uuid_utils.compat as uuid
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import Clinic, User
from teleder.accounts.text import LineField, TextField
from teleder.cases.models.review import Disposition, Impression

TEMPLATE_LENGTH = 2000
SNIPPET_LENGTH = 1000


class ReplyTemplate(models.Model):
    """One version of one template in both languages; a draft until a named clinician has approved it. Never edited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="reply_templates")
    disposition = models.CharField(_("what to do"), max_length=12, choices=Disposition)
    impression = models.CharField(_("impression"), max_length=10, choices=Impression, blank=True)  # any
    number = models.PositiveIntegerField(_("version"))
    ja = TextField(_("Japanese text"), max_length=TEMPLATE_LENGTH)
    en = TextField(_("English text"), max_length=TEMPLATE_LENGTH)
    written_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("written by"))
    written_at = models.DateTimeField(_("written"), default=timezone.now)
    approved_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("approved by")
    )
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("reply template"), _("reply templates")
        ordering = ("disposition", "impression", "-number")
        constraints = [
            models.UniqueConstraint(
                fields=["clinic", "disposition", "impression", "number"], name="reply_template_once_a_version"
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None, approved_at=None)
                | Q(approved_by__isnull=False, approved_at__isnull=False),
                name="reply_template_approved_says_by_whom_and_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.disposition} {self.impression} {self.number}"


class Snippet(models.Model):
    """A short text of one dermatologist's own, to insert into an answer; no health data of a patient belongs in it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    owner = models.ForeignKey(User, models.CASCADE, related_name="snippets")
    title = LineField(_("title"), max_length=60)
    text = TextField(_("text"), max_length=SNIPPET_LENGTH)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name, verbose_name_plural = _("text of one's own"), _("texts of one's own")
        ordering = ("title", "id")

    def __str__(self) -> str:
        return self.title
