"""Celery entry point of the nightly housekeeping for the record."""

from __future__ import annotations

from celery import shared_task

from teleder.cases import leftovers


@shared_task(name="teleder.collect_leftovers", soft_time_limit=3500, time_limit=3600)
def collect_leftovers_task() -> None:
    leftovers.collect_leftovers()
