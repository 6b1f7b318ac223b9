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
from teleder.pipeline import heartbeats, refusals, results

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


@shared_task(name=messages.RESULTS, soft_time_limit=30, time_limit=40)
@handed_back_while_the_database_is_away()
@refused_when_invalid(messages.RESULTS)
def results_task(*_positional: Any, **message: Any) -> None:
    sent = messages.unpack_report(messages.Results, message)
    common = {name: value for name, value in message.items() if name not in vars(sent)}
    _record_or_hand_back(messages.RESULTS, sent.worker, [row | common for row in sent.results])


# --- Signs of life ----------------------------------------------------------------------------------------
@shared_task(name=messages.ALIVE, soft_time_limit=20, time_limit=30)
@handed_back_while_the_database_is_away()
@refused_when_invalid(messages.ALIVE)
def alive_task(*_positional: Any, **message: Any) -> None:
    heartbeats.note_alive(messages.unpack_report(messages.Alive, message).stage, heartbeats.RESULTS)


@shared_task(name="teleder.beat_alive", soft_time_limit=20, time_limit=30)
def beat_alive_task() -> None:
    heartbeats.note_alive(heartbeats.BEAT, heartbeats.RESULTS)


# --- Of workers of the version before: one message for each photo -----------------------------------------
@shared_task(name=messages.OLDER_STARTED, soft_time_limit=20, time_limit=30)
@handed_back_while_the_database_is_away()
@refused_when_invalid(messages.OLDER_STARTED)
def older_started_task(*_positional: Any, **message: Any) -> None:
    report = messages.unpack_report(messages.OlderReport, message)
    results.started(worker=report.worker, work={report.job: report.attempt})


@shared_task(name=messages.OLDER_RECORD, soft_time_limit=30, time_limit=40)
@handed_back_while_the_database_is_away()
@refused_when_invalid(messages.OLDER_RECORD)
def older_record_task(*_positional: Any, **message: Any) -> None:
    report = messages.unpack_report(messages.OlderReport, message)
    row = {name: value for name, value in message.items() if name != "worker"}
    _record_or_hand_back(messages.OLDER_RECORD, report.worker, [row])


# --- Recording --------------------------------------------------------------------------------------------
def _record_or_hand_back(kind: str, worker: str, rows: list[dict[str, Any]]) -> None:
    """Record what can be recorded. What another version wrote, or judges by a policy that is unknown here, goes back to
    the queue while its attempt lasts; what was recorded of the same message is then late, and changes nothing."""
    readable: list[results.Result] = []
    failed: list[tuple[Any, Exception]] = []
    for row in rows:
        with refused_when_invalid(kind):
            report = messages.unpack_report(messages.Report, row)
            try:
                readable.append(_result(report, row))
            except (messages.InvalidMessageError, messages.ContractError) as error:
                failed.append((report, error))
    if readable:
        failed += results.record_all(worker=worker, results=readable)
    unreadable = [error for report, error in failed if _is_left(kind, report, worker, error)]
    if unreadable:
        time.sleep(HAND_BACK_SECONDS)  # do not spin: in a deploy a process of the right version starts soon
        raise Reject(type(unreadable[0]).__name__, requeue=True) from unreadable[0]


def _result(report: messages.Report, row: dict[str, Any]) -> results.Result:
    fields = {name: value for name, value in row.items() if name not in vars(report)}
    try:
        return results.Result(**vars(report), outcome=messages.unpack_outcome(**fields))
    except TypeError as error:
        raise messages.ContractError("an unknown field") from error


def _is_left(kind: str, report: Any, worker: str, error: Exception) -> bool:
    """Note why a result was not recorded; true where another process may be able to."""
    named = f"job {report.job}, attempt {report.attempt}, worker {worker}"
    if isinstance(error, messages.InvalidMessageError):
        refusals.note(kind, messages.InvalidMessageError(f"{error}; {named}"))
        return False
    if not isinstance(error, messages.ContractError | triage.UnknownPolicyError):
        log.error("not recorded: %s", named, exc_info=error)
        return False
    if not results.leave_to_another_version(job=report.job, attempt=report.attempt):
        return False
    log.warning("handed back: %s; %s", type(error).__name__, named)
    return True
