"""Celery entry points of the nightly housekeeping for the record."""

from __future__ import annotations

from celery import shared_task

from teleder.cases import file_checks, leftovers


@shared_task(name="teleder.collect_leftovers", soft_time_limit=3500, time_limit=3600)
def collect_leftovers_task() -> None:
    leftovers.collect_leftovers()


@shared_task(name="teleder.check_files", soft_time_limit=120, time_limit=150)
def check_files_task() -> None:
    file_checks.check_share()
