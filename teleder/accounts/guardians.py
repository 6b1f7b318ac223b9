"""Who answers for a child. A child is a patient who cannot log in: without an address, a password and consents of their own."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from teleder.accounts.models import User


class Relation(models.TextChoices):
    """Who answers, as the clinic reads it."""

    PARENT = "parent", _("parent")
    GRANDPARENT = "grandparent", _("grandparent")
    OTHER = "other", _("other guardian")


class Guardianship(models.Model):
    """A guardian opens, reads and decides for one child; a child may have several. The rows are deleted when the child takes
    over their record."""

    child = models.ForeignKey(
        "accounts.User", models.PROTECT, related_name="guardianships", verbose_name=_("child")
    )
    guardian = models.ForeignKey(
        "accounts.User", models.PROTECT, related_name="children", verbose_name=_("guardian")
    )
    relation = models.CharField(_("relation"), max_length=20, choices=Relation)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name, verbose_name_plural = _("guardianship"), _("guardianships")
        ordering = ("since", "pk")
        constraints = [
            models.CheckConstraint(condition=~Q(child=F("guardian")), name="guardian_is_somebody_else"),
            models.UniqueConstraint(fields=["child", "guardian"], name="child_has_each_guardian_once"),
        ]

    def __str__(self) -> str:
        return f"{self.child_id} {self.relation}"


class ChildInvitationQuerySet(models.QuerySet):
    def open(self) -> ChildInvitationQuerySet:
        return self.filter(expires_at__gt=timezone.now())

    def by_token(self, token: str, kind: str) -> ChildInvitation | None:
        """Return the open invitation of this kind with this token, if there is one."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        return self.open().select_related("child").filter(token_sha256=digest, kind=kind).first()


class ChildInvitation(models.Model):
    """A link by mail: to take over one's own record, or to become a further guardian. It works once; only the hash of its token
    is stored. A newer one of the same kind replaces it."""

    class Kind(models.TextChoices):
        TAKE_OVER = "take_over"
        GUARDIAN = "guardian"

    child = models.ForeignKey("accounts.User", models.PROTECT, related_name="child_invitations")
    kind = models.CharField(max_length=10, choices=Kind)
    email = models.EmailField()
    token_sha256 = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()

    objects = ChildInvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["child", "kind"], name="child_has_one_invitation_per_kind")
        ]

    def __str__(self) -> str:
        return f"{self.child_id} {self.kind}"

    @classmethod
    def issue(cls, child: User, kind: str, *, email: str, days: int) -> tuple[ChildInvitation, str]:
        """Return the invitation and its token, which only the mail names."""
        token = secrets.token_urlsafe(32)
        row, _is_new = cls.objects.update_or_create(
            child=child,
            kind=kind,
            defaults={
                "email": email,
                "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
                "expires_at": timezone.now() + timedelta(days=days),
            },
        )
        return row, token


class GuardedMixin:
    """Of a user: who reads and decides for them, and for whom they decide. Only a child has no e-mail address."""

    @property
    def guardians(self) -> list[Guardianship]:
        """The guardians of a child, who has been one longest first; of prefetched ones it asks nothing."""
        if self.email is not None:
            return []
        if "guardianships" in getattr(self, "_prefetched_objects_cache", {}):
            return sorted(self.guardianships.all(), key=lambda row: (row.since, row.pk))
        return list(self.guardianships.select_related("guardian"))

    @property
    def readers(self) -> list[User]:
        """Who reads the messages and decides for this person: a child's guardians, else the person."""
        return [row.guardian for row in self.guardians] or [self]

    @property
    def reader(self) -> User:
        """The first of the readers: whose language and time zone count."""
        return self.readers[0]

    @property
    def guardian_names(self) -> list[str]:
        return [row.guardian.name for row in self.guardians]

    @property
    def answers_for(self) -> models.QuerySet[User, UUID]:
        """Ids of the patients whose record this person opens: their own and their children's. A patient's only."""
        own = type(self).objects.filter(pk=self.pk).values_list("pk", flat=True)
        return own.union(self.children.values_list("child_id", flat=True), all=True)


def relation_of(child: User, guardian: User | None) -> str:
    """Return how a guardian is related to a child, without one named the first; empty for everybody else."""
    rows = [row for row in child.guardians if guardian is None or row.guardian_id == guardian.pk]
    return rows[0].relation if rows else ""


def children_of(guardian: User) -> models.QuerySet[User]:
    """Return the children that a person answers for, the oldest account first, with their profiles and `relation`."""
    rows = get_user_model().objects.filter(guardianships__guardian=guardian)
    rows = rows.annotate(relation=F("guardianships__relation"), guardianship=F("guardianships__pk"))
    return rows.select_related("patient").order_by("date_joined")


def only_children_of(guardian: User) -> models.QuerySet[User]:
    """Return the children whom nobody else answers for, of those who stay."""
    staying = Guardianship.objects.filter(child=models.OuterRef("pk"), guardian__erasure=None)
    return children_of(guardian).filter(~models.Exists(staying.exclude(guardian=guardian)))
