"""Celery entry point of the nightly housekeeping for accounts."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.core.management import call_command
from django.db.models.functions import Now
from django.utils import timezone
from knox.models import AuthToken

from teleder.accounts.attempts import FAILED_LOGINS_KEPT_DAYS, AttemptCounter, FailedLogin
from teleder.accounts.models import User
from teleder.security import devices


@shared_task(name="teleder.forget_expired", soft_time_limit=300, time_limit=330)
def forget_expired_task() -> None:
    """Delete expired sessions, API tokens, sign-ups, counters and failed log-ins."""
    call_command("clearsessions")
    devices.delete_ended()
    AuthToken.objects.filter(expiry__lt=timezone.now()).delete()
    yesterday = timezone.now() - timedelta(days=1)
    User.objects.never_confirmed().filter(date_joined__lt=yesterday).delete()
    AttemptCounter.objects.filter(expires_at__lt=Now()).delete()
    oldest = timezone.now() - timedelta(days=FAILED_LOGINS_KEPT_DAYS)
    FailedLogin.objects.filter(at__lt=oldest).delete()
