"""Celery entry point of the nightly check of the record."""

from __future__ import annotations

import logging

from celery import shared_task

from teleder.notifications.reconcile import reconcile

log = logging.getLogger(__name__)


@shared_task(name="teleder.check_record", soft_time_limit=3500, time_limit=3600)
def check_record_task() -> None:
    if names := reconcile():
        log.error("the record is broken: %s", ", ".join(names))
