"""The texts that a clinic writes for its patients: costs, contact, terms, privacy.

A version is never edited and never deleted, and so is each decision that puts one in force (the database refuses it):
it can always be read which text was in force when, who wrote it and who approved it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import uuid_utils.compat as uuid
from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.text import TextField

if TYPE_CHECKING:
    from teleder.accounts.models import Clinic, User

TEXT_CHARACTERS = 20_000


class TextKind(models.TextChoices):
    COST = "cost", _("Costs")
    CONTACT = "contact", _("Contact")
    TERMS = "terms", _("Terms of use")
    PRIVACY = "privacy", _("Privacy")


class ClinicText(models.Model):
    """One version of one text, in both languages. It is a draft until it is put in force."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    clinic = models.ForeignKey("accounts.Clinic", models.PROTECT, related_name="texts")
    kind = models.CharField(max_length=10, choices=TextKind)
    number = models.PositiveIntegerField()
    ja = TextField(max_length=TEXT_CHARACTERS)
    en = TextField(max_length=TEXT_CHARACTERS)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-number",)
        constraints = [
            models.UniqueConstraint(
                fields=["clinic", "kind", "number"], name="clinic_text_has_one_row_per_number"
            ),
            models.CheckConstraint(condition=models.Q(kind__in=TextKind.values), name="clinic_text_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class ClinicTextApproval(models.Model):
    """A version was put in force, at this time by this person; the newest of a clinic and kind counts."""

    text = models.ForeignKey(ClinicText, models.PROTECT, related_name="approvals")
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.text} {self.approved_at:%Y-%m-%d}"


def approval_in_force(clinic: Clinic, kind: TextKind) -> ClinicTextApproval | None:
    """Return the approval of the version in force, with its text; `None` while the clinic has approved none."""
    approvals = ClinicTextApproval.objects.filter(text__clinic=clinic, text__kind=kind)
    return approvals.select_related("text", "approved_by").first()


@transaction.atomic
def save_draft(*, clinic: Clinic, kind: TextKind, ja: str, en: str, by: User) -> ClinicText:
    """Store a new version. The same words as the newest version return that one."""
    type(clinic).objects.select_for_update().get(pk=clinic.pk)
    newest = clinic.texts.filter(kind=kind).first()
    if newest and (newest.ja, newest.en) == (ja, en):
        return newest
    number = newest.number + 1 if newest else 1
    return clinic.texts.create(kind=kind, number=number, ja=ja, en=en, written_by=by)


@transaction.atomic
def put_in_force(text: ClinicText, *, by: User) -> ClinicTextApproval:
    """Approve a version, new or earlier. Approving the version in force changes nothing."""
    type(text.clinic).objects.select_for_update().get(pk=text.clinic_id)
    current = approval_in_force(text.clinic, text.kind)
    if current and current.text_id == text.pk:
        return current
    return text.approvals.create(approved_by=by)
