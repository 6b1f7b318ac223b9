from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core import validators
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "teleder.accounts"

    def ready(self) -> None:
        from teleder.accounts.email_addresses import EmailAddressValidator

        # Forms, models and allauth all share this object of Django's: it follows our rule from here on.
        validators.validate_email.__class__ = EmailAddressValidator
        post_migrate.connect(make_first_clinic, sender=self)


def make_first_clinic(using: str, **_: Any) -> None:
    """There is always a clinic to sign up for, after `flush` as well."""
    from teleder.accounts.models import FIRST_CLINIC, Clinic

    if not Clinic.objects.using(using).exists():
        Clinic.objects.using(using).create(pk=FIRST_CLINIC, name="teleder")
