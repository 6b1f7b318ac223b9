"""What people ask of their data, what forbids it for a while, and what is left when it is gone."""

from __future__ import annotations

import hashlib
from uuid import UUID, uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Cast, Now
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import User
from teleder.accounts.text import LineField


class OfPeople(models.QuerySet):
    """Rows about a person, visible to those who see that person on the admin site."""

    def visible_to(self, user: User) -> OfPeople:
        return self.filter(person__in=User.objects.visible_to(user)) if user.is_admin else self.none()


class Holds(OfPeople):
    def in_force(self) -> Holds:
        return self.filter(lifted_at=None)


class Hold(models.Model):
    """A legal hold: while it is in force PostgreSQL refuses to delete the person and their record (migration 0001)."""

    person = models.ForeignKey(User, models.PROTECT, related_name="holds", verbose_name=_("person"))
    reason = LineField(_("reason"), max_length=300)
    set_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("set by"))
    set_at = models.DateTimeField(_("set"), db_default=Now())
    lifted_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("lifted by")
    )
    lifted_at = models.DateTimeField(_("lifted"), null=True, blank=True)

    objects = Holds.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("legal hold"), _("legal holds")
        ordering = ("-set_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["person"], condition=Q(lifted_at=None), name="person_is_under_one_hold_at_most"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="hold_has_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} {self.set_at:%Y-%m-%d}"


class Why(models.TextChoices):
    REQUEST = "request", _("asked for it on the page or by an app")
    LETTER = "letter", _("asked the clinic for it")
    RETENTION = "retention", _("the account was not used for long")


class Erasure(models.Model):
    """A wish to be erased, until it is carried out. Its row is deleted when the person changes their mind."""

    person = models.OneToOneField(
        User, models.PROTECT, primary_key=True, related_name="erasure", verbose_name=_("person")
    )
    why = models.CharField(_("why"), max_length=10, choices=Why)
    by_admin = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("entered by")
    )
    asked_at = models.DateTimeField(_("asked"), db_default=Now())
    due_at = models.DateTimeField(_("due"))
    told_at = models.DateTimeField(_("told"), null=True, blank=True)

    objects = OfPeople.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("erasure asked for"), _("erasures asked for")
        ordering = ("due_at",)

    def __str__(self) -> str:
        return f"{self.person_id} {self.due_at:%Y-%m-%d}"


def trace_of(person: UUID) -> str:
    """Return by what a tombstone knows a person again in an old backup. Who has no such id finds none by it."""
    return hashlib.sha256(f"teleder.tombstone {person}".encode()).hexdigest()


class Tombstone(models.Model):
    """That somebody was erased: no name, no address, no id but one of its own."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    person_sha256 = models.CharField(max_length=64, unique=True)
    erased_on = models.DateField(db_default=Cast(Now(), models.DateField()))
    why = models.CharField(max_length=10, choices=Why)
    policy = models.CharField(max_length=40)
    # Empty until it stands in the list that is kept outside of the database (tombstones.py).
    listed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("tombstone"), _("tombstones")
        ordering = ("-erased_on", "id")

    def __str__(self) -> str:
        return f"{self.id} {self.erased_on}"


class Remnant(models.Model):
    """What lay outside of the database and must stay gone: looked after until no worker can bring it back."""

    place = models.CharField(max_length=60, unique=True, help_text="photos/<id> or person/<id>")
    next_at = models.DateTimeField(db_default=Now())
    until = models.DateTimeField()

    class Meta:
        verbose_name, verbose_name_plural = _("remnant"), _("remnants")
        ordering = ("next_at",)

    def __str__(self) -> str:
        return self.place
