"""Celery entry points of the results queue: unpack, call one function."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import shared_task
from celery.exceptions import Reject
from django.db import InterfaceError, OperationalError, connection

from contract import messages
from teleder.cases import triage
from teleder.pipeline import refusals, results

log = logging.getLogger(__name__)

HAND_BACK_SECONDS = 1


@contextmanager
def handed_back_while_the_database_is_away() -> Iterator[None]:
    """Requeue the message while the database is unreachable: the worker's work must not be repeated for a restart."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        log.warning("requeued, database unreachable: %s", type(error).__name__)
        connection.close()
        time.sleep(HAND_BACK_SECONDS)
        raise Reject(type(error).__name__, requeue=True) from error


@contextmanager
def refused_when_invalid(kind: str) -> Iterator[None]:
    """Log, count and drop an invalid message: redelivered, it would be invalid again."""
    try:
        yield
    except messages.InvalidMessageError as error:
        refusals.note(kind, error)


@shared_task(name=messages.STARTED, soft_time_limit=20, time_limit=30)
@handed_back_while_the_database_is_away()
@refused_when_invalid(messages.STARTED)
def started_task(*_positional: Any, **message: Any) -> None:
    results.started(**vars(messages.unpack_report(messages.Started, message)))


@shared_task(name=messages.ENDED, soft_time_limit=20, time_limit=30)
@handed_back_while_the_database_is_away()
@refused_when_invalid(messages.ENDED)
def ended_task(*_positional: Any, **message: Any) -> None:
    results.ended(**vars(messages.unpack_report(messages.Ended, message)))


@shared_task(name=messages.RECORD, soft_time_limit=30, time_limit=40)
@handed_back_while_the_database_is_away()
@refused_when_invalid(messages.RECORD)
def record_task(*_positional: Any, **message: Any) -> None:
    report = messages.unpack_report(messages.Started, message)
    fields = {name: value for name, value in message.items() if name not in vars(report)}
    try:
        _record_or_hand_back(report, fields)
    except messages.InvalidMessageError as error:
        raise messages.InvalidMessageError(f"{error}; {_named(report)}") from None


def _record_or_hand_back(report: messages.Started, fields: dict[str, Any]) -> None:
    """Record the outcome. What another version wrote, or judges by a policy that is unknown here, goes back to the queue
    while its attempt lasts."""
    unreadable: Exception
    try:
        outcome = messages.unpack_outcome(**fields)
    except (messages.ContractError, TypeError) as error:
        unreadable = error
    else:
        try:
            results.record(**vars(report), outcome=outcome)
            return
        except triage.UnknownPolicyError as error:
            unreadable = error
    if results.leave_to_another_version(job=report.job, attempt=report.attempt):
        log.warning("handed back: %s; %s", type(unreadable).__name__, _named(report))
        time.sleep(HAND_BACK_SECONDS)  # do not spin: in a deploy a process of the right version starts soon
        raise Reject(type(unreadable).__name__, requeue=True) from unreadable


def _named(report: messages.Started) -> str:
    return f"job {report.job}, attempt {report.attempt}, worker {report.worker}"
