"""Celery entry points of the results queue: unpack, call one verb."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from inference_worker import contract
from teleder.cases import jobs, leftovers


@shared_task(name=contract.STARTED, soft_time_limit=20, time_limit=30)
def started_task(*, job: str, attempt: int, worker: str, **_: Any) -> None:
    jobs.started(job=job, attempt=attempt, worker=worker)


@shared_task(name=contract.ENDED, soft_time_limit=20, time_limit=30)
def ended_task(*, worker: str, work: dict[str, int] | None, **_: Any) -> None:
    jobs.ended(worker=worker, work=work)


@shared_task(name=contract.RECORD, soft_time_limit=30, time_limit=40)
def record_task(*, job: str, attempt: int, worker: str, **message: Any) -> None:
    outcome = contract.unpack_outcome(**message)
    jobs.record(job=job, attempt=attempt, worker=worker, outcome=outcome)


@shared_task(name="teleder.collect_leftovers", soft_time_limit=3500, time_limit=3600)
def collect_leftovers_task() -> None:
    leftovers.collect()
