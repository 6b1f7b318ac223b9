"""Tables about log-ins: counters of attempts, and failed log-ins for admins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from teleder.accounts.models import User

FAILED_LOGINS_KEPT_DAYS = 90


class AttemptCounter(models.Model):
    """Times of the attempts under one limit by one account, address or device (`security/attempt_counters.py`).

    The key is a keyed hash: neither an address nor an account can be read from it.
    """

    key = models.CharField(max_length=64, primary_key=True)
    times = ArrayField(models.DateTimeField())
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key


class FailedLoginQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> FailedLoginQuerySet:
        """Admins see the failed log-ins of their clinic's people, a superuser sees all.

        Failed log-ins without an account belong to no clinic. Admins see them only where there is one clinic; with
        several, they would tell an admin which addresses have an account elsewhere.
        """
        from teleder.accounts.models import Clinic  # imports this module

        if not user.is_admin:
            return self.none()
        own = user.in_own_clinic("person__clinic")
        return self.filter(own if Clinic.objects.count() > 1 else own | Q(person=None))


class FailedLogin(models.Model):
    """A log-in that failed, kept for 90 days; no part of the audit log, since it can be erased."""

    class Entrance(models.TextChoices):
        PAGE = "page", _("page")
        API = "api", _("API")

    class Reason(models.TextChoices):
        WRONG_PASSWORD = "wrong_password", _("wrong e-mail address or password")
        WRONG_SECOND_FACTOR = "wrong_second_factor", _("wrong second factor")
        NO_SECOND_FACTOR = "no_second_factor", _("right password without a second factor")
        SUSPENDED = "suspended", _("right password of a suspended account")
        THROTTLED = "throttled", _("refused after too many attempts")

    at = models.DateTimeField(_("at"), default=timezone.now, db_index=True)
    person = models.ForeignKey(
        "accounts.User", models.SET_NULL, null=True, related_name="failed_logins", verbose_name=_("person")
    )
    email_hash = models.CharField(
        max_length=64, blank=True, db_index=True, help_text="keyed hash of the address that was typed"
    )
    network_address = models.GenericIPAddressField(_("network address"), null=True)
    entrance = models.CharField(_("where"), max_length=10, choices=Entrance)
    reason = models.CharField(_("reason"), max_length=30, choices=Reason)
    # One row an hour counts all equal refusals: a flood must not fill the table.
    attempts = models.PositiveIntegerField(_("attempts"), default=1)

    objects = FailedLoginQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("failed log-in"), _("failed log-ins")
        ordering = ("-at", "-pk")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.reason}"
