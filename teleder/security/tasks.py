"""Celery entry point of the nightly housekeeping for accounts."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.core.management import call_command
from django.utils import timezone
from knox.models import AuthToken

from teleder.accounts.models import User
from teleder.security import attempt_counters, failed_logins


@shared_task(name="teleder.forget_expired", soft_time_limit=300, time_limit=330)
def forget_expired_task() -> None:
    """Delete expired sessions, API tokens, sign-ups, counters and failed log-ins."""
    call_command("clearsessions")
    AuthToken.objects.filter(expiry__lt=timezone.now()).delete()
    yesterday = timezone.now() - timedelta(days=1)
    User.objects.never_confirmed().filter(date_joined__lt=yesterday).delete()
    attempt_counters.delete_expired_counters()
    failed_logins.delete_expired_failed_logins()
