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
from teleder.cases import jobs, leftovers, refusals

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


@contextmanager
def refused_when_invalid(kind: str) -> Iterator[None]:
    """Log and count what no worker may say, and be done with it: asked again it would be as invalid."""
    try:
        yield
    except contract.InvalidMessageError as error:
        refusals.note(kind, error)


@shared_task(name=contract.STARTED, soft_time_limit=20, time_limit=30)
@handed_back_while_the_database_is_away()
@refused_when_invalid(contract.STARTED)
def started_task(*_positional: Any, **message: Any) -> None:
    jobs.started(**vars(contract.unpack_started(message)))


@shared_task(name=contract.ENDED, soft_time_limit=20, time_limit=30)
@handed_back_while_the_database_is_away()
@refused_when_invalid(contract.ENDED)
def ended_task(*_positional: Any, **message: Any) -> None:
    jobs.ended(**vars(contract.unpack_ended(message)))


@shared_task(name=contract.RECORD, soft_time_limit=30, time_limit=40)
@handed_back_while_the_database_is_away()
@refused_when_invalid(contract.RECORD)
def record_task(*_positional: Any, **message: Any) -> None:
    whose = contract.unpack_started(message)
    told = {name: value for name, value in message.items() if name not in vars(whose)}
    try:
        outcome = _unpacked_or_handed_back(whose, told)
        if outcome is not None:
            jobs.record(**vars(whose), outcome=outcome)
    except contract.InvalidMessageError as error:
        raise contract.InvalidMessageError(f"{error}; {_named(whose)}") from None


def _unpacked_or_handed_back(whose: contract.Started, told: dict[str, Any]) -> contract.Outcome | None:
    """Return the outcome; nothing, where another version wrote it and nobody waits for it any more."""
    try:
        return contract.unpack_outcome(**told)
    except (contract.ContractError, TypeError) as error:
        if not jobs.leave_to_another_version(job=whose.job, attempt=whose.attempt):
            return None
        log.warning("handed back: %s; %s", type(error).__name__, _named(whose))
        time.sleep(HAND_BACK_SECONDS)  # during a deploy a process of the right version is near; do not spin
        raise Reject(type(error).__name__, requeue=True) from error


def _named(whose: contract.Started) -> str:
    return f"job {whose.job}, attempt {whose.attempt}, worker {whose.worker}"


@shared_task(name="teleder.collect_leftovers", soft_time_limit=3500, time_limit=3600)
def collect_leftovers_task() -> None:
    leftovers.collect()
