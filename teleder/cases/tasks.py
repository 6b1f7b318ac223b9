"""Celery entry points of the results queue: unpack, call one verb."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import shared_task
from celery.exceptions import Reject
from django.db import InterfaceError, OperationalError, connection

from inference_worker import contract
from teleder.cases import jobs, leftovers

log = logging.getLogger(__name__)

HAND_BACK_SECONDS = 1


@contextmanager
def handed_back_while_the_database_is_away() -> Iterator[None]:
    """Put the message back into the queue: its work is done, and need not be done again for a restart."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        log.warning("handed back, database away: %s", type(error).__name__)
        connection.close()
        time.sleep(HAND_BACK_SECONDS)
        raise Reject(type(error).__name__, requeue=True) from error


@shared_task(name=contract.STARTED, soft_time_limit=20, time_limit=30)
@handed_back_while_the_database_is_away()
def started_task(*, job: str, attempt: int, worker: str, **_: Any) -> None:
    jobs.started(job=job, attempt=attempt, worker=worker)


@shared_task(name=contract.ENDED, soft_time_limit=20, time_limit=30)
@handed_back_while_the_database_is_away()
def ended_task(*, worker: str, work: dict[str, int] | None, **_: Any) -> None:
    jobs.ended(worker=worker, work=work)


@shared_task(name=contract.RECORD, soft_time_limit=30, time_limit=40)
@handed_back_while_the_database_is_away()
def record_task(*, job: str, attempt: int, worker: str, **message: Any) -> None:
    try:
        outcome = contract.unpack_outcome(**message)
    except (contract.ContractError, TypeError) as error:
        if not jobs.leave_to_another_version(job=job, attempt=attempt):
            return
        log.warning("handed back: %s", error)
        time.sleep(HAND_BACK_SECONDS)  # during a deploy a process of the right version is near; do not spin
        raise Reject(str(error), requeue=True) from error
    jobs.record(job=job, attempt=attempt, worker=worker, outcome=outcome)


@shared_task(name="teleder.collect_leftovers", soft_time_limit=3500, time_limit=3600)
def collect_leftovers_task() -> None:
    leftovers.collect()
