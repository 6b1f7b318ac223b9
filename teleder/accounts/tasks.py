"""Celery entry point of the nightly housekeeping for accounts."""

from __future__ import annotations

from celery import shared_task
from django.core.management import call_command
from django.utils import timezone
from knox.models import AuthToken


@shared_task(name="teleder.forget_expired", soft_time_limit=300, time_limit=330)
def forget_expired_task() -> None:
    """Delete sessions and API tokens whose time is over."""
    call_command("clearsessions")
    AuthToken.objects.filter(expiry__lt=timezone.now()).delete()
