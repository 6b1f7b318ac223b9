"""Removes the guards that keep the promises: a drill that does not fail without its guard proves nothing.

`./run drills --without GUARD NAME` runs a drill without a guard, which only the drills' processes lack.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def remove(name: str) -> None:
    if name:
        GUARDS[name]()


def _expire() -> None:
    """Silent jobs are not requeued."""
    from teleder.pipeline import recovery

    recovery.expire = lambda: 0


def _notice() -> None:
    """Neither a flushed broker nor a silent job is noticed."""
    from teleder.pipeline import recovery

    recovery.requeue_after_broker_flush = recovery.expire = lambda: 0


def _fence() -> None:
    """A result of any attempt is accepted."""
    from django.db.models.functions import Now

    from teleder.cases.models import Job
    from teleder.pipeline import result_checks, results

    result_checks.check_outcome = lambda job, outcome: None  # it also recognises an attempt by its folder
    record = results.record

    def any_attempt(*, job: str, attempt: int, locked: Any = None, **rest: Any) -> bool:
        Job.objects.filter(pk=job).update(state="started", sent_at=Now(), deadline=Now())
        attempt = Job.objects.get(pk=job).attempt
        return record(job=job, attempt=attempt, **rest)

    results.record = any_attempt


def _broker_away() -> None:
    """An unavailable broker makes the patient's request fail."""
    from contract.messages import Stage
    from teleder.pipeline import dispatch

    dispatch.dispatch_all = lambda: sum(dispatch.dispatch_stage(stage) for stage in Stage)


def _idempotency() -> None:
    """A repeated request is treated as a new one."""
    from teleder.cases import intake

    intake.find_repeated_request = lambda *args: None


def _quarantine() -> None:
    """A job that crashes its worker is retried without limit."""
    from django.conf import settings

    settings.JOB_DEATHS = 10**6


def _one_claims() -> None:
    """A claimed submission can be claimed by others."""
    from teleder.cases import transitions
    from teleder.cases.models import EventKind, Status

    sources, target = transitions.MOVES[EventKind.CLAIMED]
    transitions.MOVES[EventKind.CLAIMED] = (sources | {Status.IN_REVIEW}, target)


def _message_id() -> None:
    """Each attempt to send a message uses a new Message-ID."""
    import uuid

    from teleder.notifications import outbox

    email = outbox.EmailMessage

    def with_new_id(*args: Any, headers: dict[str, str], **rest: Any) -> Any:
        return email(*args, headers=headers | {"Message-ID": f"<{uuid.uuid4()}@localhost>"}, **rest)

    outbox.EmailMessage = with_new_id


def _disk_full() -> None:
    """A full disk is not distinguished from other faults."""
    from contract.storage import files

    files.DISK_FULL = set()


def _whole_copy() -> None:
    """A backup lacks the last byte of each photo."""
    from drills import backup

    take = backup.take

    def cut(run: Any, folder: Path) -> list[str]:
        found = take(run, folder)
        for file in folder.glob("files/*/*"):
            file.write_bytes(file.read_bytes()[:-1])
        return found

    backup.take = cut


def _one_moment() -> None:
    """The database is restored to the end of its log, whichever photos were copied."""
    from drills import backup

    backup.moment_of = lambda copies: ""


def _no_mark() -> None:
    """The web takes any folder for the storage of its photos."""
    from teleder.cases import storage_mark

    storage_mark.require_mark = lambda *, at_once=False: None


def _reconnect() -> None:
    """The sweeper does not check whether its database connection still works."""
    from teleder.cases.management.commands import sweep

    sweep.close_old_connections = lambda: None


def _sigterm() -> None:
    """The sweeper ignores the signal to end."""
    from teleder.cases.management.commands import sweep

    def ignore(number: int, _handler: Any) -> None:
        signal.signal(number, signal.SIG_IGN)

    sweep.signal = SimpleNamespace(signal=ignore, SIGTERM=signal.SIGTERM, SIGINT=signal.SIGINT)


def _database_clock() -> None:
    """Leases and deadlines use the clock of each process."""
    from django.db.models import Value
    from django.db.models.signals import pre_save
    from django.utils import timezone

    from teleder.cases import held, intake, reviews
    from teleder.pipeline import ai_status, dispatch, recovery, results

    def due_now(instance: Any, **_rest: Any) -> None:
        if instance._state.adding:
            instance.due_at = timezone.now()

    for module in (ai_status, dispatch, held, intake, recovery, results, reviews):
        module.Now = lambda: Value(timezone.now())
    pre_save.connect(due_now, "notifications.Message", weak=False)


def _database_full() -> None:
    """A database that cannot be written is not distinguished from other faults."""
    from teleder.api import errors

    errors.DATABASE_AWAY = ()


def _seen_by_hash() -> None:
    """The list of photos does not show their hashes."""
    from teleder.api.serializers.patient import PhotoSerializer

    shown = PhotoSerializer.to_representation
    PhotoSerializer.to_representation = lambda self, photo: shown(self, photo) | {"sha256": ""}


def _hand_back() -> None:
    """A result that cannot be read is discarded."""
    from teleder.pipeline import results

    results.leave_to_another_version = lambda **_result: False


def _small_decoder() -> None:
    """The decoder has no memory limit and decodes photos at full size (see drills/decoder.py)."""


def _try_lock() -> None:
    """Who dispatches waits for whoever else does."""
    from django.db import connection

    from teleder.pipeline import dispatch

    def wait(stage: Any) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"dispatch.{stage}"])
        return True

    dispatch.may_dispatch = wait


def _whole_file() -> None:
    """The hash of a file is not compared before it is shown."""
    from teleder.cases import stored_files

    stored_files.is_same = lambda content, sha256: True


def _signs_of_life() -> None:
    """Neither the board nor the supervisor looks at the processes' signs of life."""
    from django.db.models import Exists

    from contract import supervise
    from teleder.cases.models import Heartbeat
    from teleder.pipeline import heartbeats

    heartbeats.is_silent = heartbeats.is_unanswered = lambda *_name: Exists(Heartbeat.objects.none())
    heartbeats.has_fault = heartbeats.is_silent
    supervise.Sign.look = lambda _self: []


def _slow_broker() -> None:
    """A request waits for the broker for as long as it takes."""
    from contract import messaging

    messaging.TIMEOUTS["request"] = messaging.Timeouts(connect_seconds=30, answer_seconds=30, retries=0)


def _respawn() -> None:
    """A web server that does not replace a child that died (see drills/system.py)."""


def _let_go() -> None:
    """The web keeps memory and open files for every uploaded photo."""
    from teleder.cases import originals

    store, kept = originals.store, []

    def store_and_leak(upload: Any, photo: Any) -> tuple[str, str]:
        kept.append((b"x" * 2**22, [open("/dev/null") for _ in range(4)]))  # noqa: SIM115
        return store(upload, photo)

    originals.store = store_and_leak


GUARDS: dict[str, Callable[[], None]] = {
    "expire": _expire,
    "notice": _notice,
    "fence": _fence,
    "broker-away": _broker_away,
    "idempotency": _idempotency,
    "quarantine": _quarantine,
    "one-claims": _one_claims,
    "message-id": _message_id,
    "reconnect": _reconnect,
    "sigterm": _sigterm,
    "database-clock": _database_clock,
    "disk-full": _disk_full,
    "whole-copy": _whole_copy,
    "one-moment": _one_moment,
    "database-full": _database_full,
    "seen-by-hash": _seen_by_hash,
    "hand-back": _hand_back,
    "small-decoder": _small_decoder,
    "let-go": _let_go,
    "respawn": _respawn,
    "try-lock": _try_lock,
    "whole-file": _whole_file,
    "signs-of-life": _signs_of_life,
    "no-mark": _no_mark,
    "slow-broker": _slow_broker,
}
