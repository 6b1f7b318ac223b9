"""Guards, each of which keeps a promise, removed: a drill that does not fail without its guard proves nothing.

`./run drills --without GUARD NAME` runs a drill on a system that lacks it, in the drills' processes only.
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
    """Silent jobs are not taken back."""
    from teleder.pipeline import recovery

    recovery.expire = lambda: 0


def _notice() -> None:
    """Neither an emptied broker nor a silent job is noticed."""
    from teleder.pipeline import recovery

    recovery.requeue_after_broker_flush = recovery.expire = lambda: 0


def _fence() -> None:
    """A result counts whatever attempt it is of."""
    from django.db.models.functions import Now

    from teleder.cases.models import Job
    from teleder.pipeline import result_checks, results

    result_checks.check_outcome = lambda job, outcome: None  # it knows an attempt by its folder, too
    record = results.record

    def any_attempt(*, job: str, attempt: int, **rest: Any) -> bool:
        Job.objects.filter(pk=job).update(state="started", sent_at=Now(), deadline=Now())
        attempt = Job.objects.get(pk=job).attempt
        return record(job=job, attempt=attempt, **rest)

    results.record = any_attempt


def _broker_away() -> None:
    """A broker that is away is the patient's error."""
    from contract.messages import Stage
    from teleder.pipeline import dispatch

    dispatch.dispatch_all = lambda: sum(dispatch.dispatch_stage(stage) for stage in Stage)


def _idempotency() -> None:
    """A repeated request is a new one."""
    from teleder.cases import intake

    intake.find_repeated_request = lambda *args: None


def _quarantine() -> None:
    """A job that kills its worker is tried for ever."""
    from django.conf import settings

    settings.JOB_DEATHS = 10**6


def _one_claims() -> None:
    """The first to claim does not keep the others out."""
    from teleder.cases import transitions
    from teleder.cases.models import EventKind, Status

    sources, target = transitions.MOVES[EventKind.CLAIMED]
    transitions.MOVES[EventKind.CLAIMED] = (sources | {Status.IN_REVIEW}, target)


def _message_id() -> None:
    """Each sending of a message has an id of its own."""
    import uuid

    from teleder.notifications import outbox

    email = outbox.EmailMessage

    def with_new_id(*args: Any, headers: dict[str, str], **rest: Any) -> Any:
        return email(*args, headers=headers | {"Message-ID": f"<{uuid.uuid4()}@localhost>"}, **rest)

    outbox.EmailMessage = with_new_id


def _disk_full() -> None:
    """A full disk is not told from any other fault."""
    from contract.storage import files

    files.DISK_FULL = set()


def _whole_copy() -> None:
    """A backup leaves the photos' last bytes behind."""
    from drills import backup

    copy = backup.copy_media

    def cut(media: Path, to: Path) -> None:
        copy(media, to)
        for file in to.glob("photos/*/original/*"):
            file.write_bytes(file.read_bytes()[:-1])

    backup.copy_media = cut


def _one_moment() -> None:
    """The database is restored to its end, whatever of the photos was copied."""
    from drills import backup

    backup.moment_of = lambda copies: ""


def _reconnect() -> None:
    """The sweeper does not look whether its connection to the database still lives."""
    from teleder.cases.management.commands import sweep

    sweep.close_old_connections = lambda: None


def _sigterm() -> None:
    """The sweeper does not end when it is asked to."""
    from teleder.cases.management.commands import sweep

    def ignore(number: int, _handler: Any) -> None:
        signal.signal(number, signal.SIG_IGN)

    sweep.signal = SimpleNamespace(signal=ignore, SIGTERM=signal.SIGTERM, SIGINT=signal.SIGINT)


def _database_clock() -> None:
    """Leases and deadlines follow the clock of the process that looks."""
    from django.db.models import Value
    from django.db.models.signals import pre_save
    from django.utils import timezone

    from teleder.cases import intake, reviews
    from teleder.pipeline import ai_status, dispatch, recovery, results

    def due_now(instance: Any, **_rest: Any) -> None:
        if instance._state.adding:
            instance.due_at = timezone.now()

    for module in (ai_status, dispatch, intake, recovery, results, reviews):
        module.Now = lambda: Value(timezone.now())
    pre_save.connect(due_now, "notifications.Message", weak=False)


def _database_full() -> None:
    """A database that cannot be written is not told from any other fault."""
    from teleder.api import errors

    errors.DATABASE_AWAY = ()


def _seen_by_hash() -> None:
    """An app is not shown by hash which photos came."""
    from teleder.api.serializers.patient import PhotoSerializer

    shown = PhotoSerializer.to_representation
    PhotoSerializer.to_representation = lambda self, photo: shown(self, photo) | {"sha256": ""}


def _hand_back() -> None:
    """A result that cannot be read is thrown away."""
    from teleder.pipeline import results

    results.leave_to_another_version = lambda **_result: False


def _small_decoder() -> None:
    """The decoder may take what memory it likes, and decodes a photo as large as it is (drills/decoder.py does it)."""


def _let_go() -> None:
    """The web keeps every photo it was sent in memory, and its file open."""
    from teleder.cases import originals

    keep, kept = originals.keep, []

    def keep_all(upload: Any, photo: Any) -> tuple[str, str]:
        kept.append((b"x" * 2**22, [open("/dev/null") for _ in range(4)]))  # noqa: SIM115
        return keep(upload, photo)

    originals.keep = keep_all


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
}
