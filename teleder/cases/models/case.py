"""A case: one skin concern of one patient, with its number."""

from __future__ import annotations

import secrets

import uuid_utils.compat as uuid
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import Clinic, User
from teleder.cases.questionnaire import INTIMATE_SITES, BodySite

# Letters and digits that are not confused when read aloud.
NUMBER_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def case_number() -> str:
    letters = "".join(secrets.choice(NUMBER_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


class CaseQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> CaseQuerySet:
        """The one rule for pages and API: patients see their own, dermatologists and admins their clinic's but drafts."""
        if user.is_patient:
            return self.filter(patient=user)
        if user.is_dermatologist or user.is_admin:
            from teleder.cases.models.submission import Submission  # which imports this module

            sent = Submission.objects.filter(case=models.OuterRef("pk")).exclude(submitted_at=None)
            return self.filter(models.Exists(sent), user.in_own_clinic())
        return self.none()


class Case(models.Model):
    """One skin concern of one patient over time (FHIR EpisodeOfCare)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    number = models.CharField(
        _("case number"), max_length=9, unique=True, default=case_number, editable=False
    )
    patient = models.ForeignKey(
        User, models.PROTECT, related_name="cases", limit_choices_to={"role": "patient"}
    )
    # The patient's when it was opened; it stays there when they move.
    clinic = models.ForeignKey(
        Clinic, models.PROTECT, related_name="cases", db_index=False, verbose_name=_("clinic")
    )
    body_site = models.CharField(_("body site"), max_length=20, choices=BodySite, blank=True)
    opened_at = models.DateTimeField(_("opened"), default=timezone.now)

    objects = CaseQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("case"), _("cases")
        ordering = ("-opened_at",)
        indexes = [
            models.Index("clinic", "id", name="case_of_clinic"),
            # A part of a number is enough to find it.
            GinIndex(fields=["number"], opclasses=["gin_trgm_ops"], name="case_by_part_of_number"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_intimate(self) -> bool:
        return self.body_site in INTIMATE_SITES
