"""Celery entry point of the nightly retention."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings

from teleder.privacy import retention

log = logging.getLogger(__name__)


@shared_task(name="teleder.retain", soft_time_limit=3500, time_limit=3600)
def retain_task() -> None:
    """Only if the clinic has enabled it: somebody there must have read the policy before anything is deleted."""
    if settings.RETENTION_BY_NIGHT:
        for rule, count in retention.apply():
            log.info("retention of %s: %s", rule.name, count)
