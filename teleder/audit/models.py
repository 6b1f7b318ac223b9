"""Who looked at what and who changed what. Rows are added and read, never changed: PostgreSQL refuses the rest."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import User
from teleder.cases.models import Case


class Verb(models.TextChoices):
    READ = "read", _("looked at it")
    CHANGE = "change", _("changed it")
    EXPORT = "export", _("took a copy of the data")
    HOLD = "hold", _("put under legal hold")
    RELEASE_HOLD = "release_hold", _("ended the legal hold")
    HAND_OVER = "hand_over", _("handed it over")
    ERASE = "erase", _("erased it")
    RETAIN = "retain", _("deleted what was kept long enough")


class EntryQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> EntryQuerySet:
        """Admins see what was done in their clinic's cases and by its people."""
        if not user.is_admin:
            return self.none()
        if user.is_superuser:
            return self.all()
        cases = Case.objects.filter(user.in_own_clinic()).values_list("pk", flat=True)
        return self.filter(Q(clinic=user.clinic_id) | Q(cases__overlap=list(cases)))

    def of_case(self, case: Case) -> EntryQuerySet:
        """Entries of the case and of those that were merged into it."""
        return self.filter(cases__overlap=[case.pk, *case.merged.values_list("pk", flat=True)])


class Entry(models.Model):
    """One request or command. It holds only ids and names from our own code, so it may outlive the people it is about.

    Number, time, `previous` and `hash` are written by the database: see migration 0001.
    """

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(_("at"))
    person = models.UUIDField(null=True)
    role = models.TextField(_("role"))
    clinic = models.UUIDField(null=True)
    verb = models.TextField(_("what"), choices=Verb)
    door = models.TextField(_("where"), help_text="name of the address or the command")
    kind = models.TextField(_("kind"), blank=True)
    object = models.TextField(blank=True)
    cases = ArrayField(models.UUIDField(), default=list)
    trace = models.TextField(blank=True)
    status = models.SmallIntegerField(default=0, help_text="of the answer by HTTP; 0 where there was none")
    previous = models.TextField()
    hash = models.TextField()

    objects = EntryQuerySet.as_manager()

    class Meta:
        # Table, triggers and rights are one piece of SQL. Also, `flush` leaves an unmanaged table alone.
        managed = False
        db_table = "audit_entry"
        verbose_name, verbose_name_plural = _("audit entry"), _("audit trail")
        ordering = ("-number",)

    def __str__(self) -> str:
        return f"{self.number} {self.verb} {self.door}"
