"""A case: one skin concern of one patient, with its number."""

from __future__ import annotations

import secrets
from uuid import UUID

import uuid_utils.compat as uuid
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import Clinic, User
from teleder.cases.body_places import BodyPlace, names_of
from teleder.cases.questionnaire import INTIMATE_SITES, BodySite

# Letters and digits that are not confused when read aloud.
NUMBER_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def case_number() -> str:
    letters = "".join(secrets.choice(NUMBER_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def name_or_number(person: User) -> str:
    """Return the person's name; of a patient without one the number of the newest case, if there is any."""
    newest = None if person.name else person.cases.filter(merged_into=None).order_by("-opened_at").first()
    return newest.number if newest else str(person)


class CaseQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> CaseQuerySet:
        """The one rule for pages and API: patients see their own and their children's, dermatologists and admins their clinic's but drafts."""
        if user.is_patient:
            return self.filter(patient__in=user.answers_for, merged_into=None)
        if user.is_dermatologist or user.is_admin:
            from teleder.cases.models.submission import Submission  # which imports this module

            sent = Submission.objects.filter(case=models.OuterRef("pk")).exclude(submitted_at=None)
            return self.filter(models.Exists(sent), user.in_own_clinic())
        return self.none()

    def known_as(self, pk: UUID) -> CaseQuerySet:
        """The case of this id, or the one into which it was merged: a page or an app may still hold its former id."""
        return self.filter(Q(pk=pk) | Q(pk__in=Case.objects.filter(pk=pk).values("merged_into")))


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
    # That of its first place.
    body_site = models.CharField(_("body site"), max_length=20, choices=BodySite, blank=True)
    # Every place as `BodyPlace.as_json` writes it; empty in cases from before there were several.
    places = models.JSONField(default=list, db_default=Value([], models.JSONField()), blank=True)
    opened_at = models.DateTimeField(_("opened"), default=timezone.now)
    # This one then has no submissions: its number and its entries in the audit log lead to that case.
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, editable=False, db_index=False, related_name="merged"
    )

    objects = CaseQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("case"), _("cases")
        ordering = ("-opened_at",)
        indexes = [
            models.Index("clinic", "id", name="case_of_clinic"),
            # A part of a number is enough to find it.
            GinIndex(fields=["number"], opclasses=["gin_trgm_ops"], name="case_by_part_of_number"),
            models.Index("merged_into", condition=Q(merged_into__isnull=False), name="case_merged_into"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(merged_into=F("id")), name="case_is_not_merged_into_itself")
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def body_places(self) -> list[BodyPlace]:
        rows = self.places or [{"site": self.body_site, "side": ""}]
        return [
            BodyPlace(BodySite(row["site"]), row["side"]) for row in rows if row["site"] in BodySite.values
        ]

    @property
    def sites(self) -> set[str]:
        return {place.site for place in self.body_places}

    @property
    def place_names(self) -> str:
        """Its places in words, in the active language; empty before the first is chosen."""
        return names_of(self.body_places)

    @property
    def is_intimate(self) -> bool:
        return not INTIMATE_SITES.isdisjoint(self.sites)
