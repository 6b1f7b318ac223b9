"""Signs of life of the processes: rows that their own working loops renew, and that the operations board reads.

A process that hangs is alive for the operating system, and its connections stay. So the sweeper writes between its duties,
beat through the task that it sends, the results worker with each sign of life that it records, and a worker's child by
answering a probe.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import redis
from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Case, Exists, F, Q, When
from django.db.models.functions import Now
from django.utils import translation
from django.utils.translation import gettext
from kombu.exceptions import OperationalError

from contract import messages, messaging
from teleder.cases.models import Heartbeat

log = logging.getLogger(__name__)
SAY_SO = SWEEPER, RESULTS, BEAT, WATCH = "sweeper", "results", "beat", "watch"
# Of these others say that they do not respond: one web process of another, and the web, which the watch asks, of PostgreSQL.
FAULTS = WEB, DATABASE = "web", "database"
EVERY_SECONDS = 5
UNANSWERED_SECONDS = 8  # of a probe: within 15 s of a hang the board says so
UNHEARD_SECONDS = (
    7  # of the results worker: what it would record may be there, and nobody else is told to be silent
)
MISSED_SECONDS = 20  # the watch, whose question may take ten
FAULT_SECONDS = 12  # so long after it was last met, a fault is told
SILENT_SECONDS = 13  # of what says by itself that it works: longer than a mail server that does not answer holds the sweeper


def note_alive(*names: str) -> None:
    for name in names:
        if not Heartbeat.objects.filter(name=name).update(at=Now()):
            Heartbeat.objects.bulk_create([Heartbeat(name=name)], ignore_conflicts=True)
            Heartbeat.objects.filter(name=name).update(at=Now())


def note_fault(name: str) -> None:
    """Something of this kind does not respond now."""
    log.error("does not respond: %s", name)
    if not Heartbeat.objects.filter(name=name).update(asked_at=Now()):
        Heartbeat.objects.bulk_create([Heartbeat(name=name, asked_at=Now())], ignore_conflicts=True)


def ask_workers() -> None:
    """Send each kind of worker a probe, unless one lies in its queue. Never raises because the broker is away."""
    from teleder.celery import app

    for stage, name in messages.PROBES.items():
        mine = Heartbeat.objects.filter(name=stage)
        is_due = Q(sent_at=None) | Q(sent_at__lt=Now() - timedelta(seconds=EVERY_SECONDS))
        is_answered = Q(asked_at=None) | Q(at__gte=F("asked_at"))
        asked = Case(When(is_answered, then=Now()), default=F("asked_at"))
        if not mine.exists():
            Heartbeat.objects.bulk_create([Heartbeat(name=stage)], ignore_conflicts=True)
        if mine.filter(is_due).update(sent_at=Now(), asked_at=asked):
            try:
                broker = messaging.client(settings.REDIS_URL, "request")
                if not broker.llen(name):
                    queue = messaging.queue(name)
                    app.send_task(
                        messages.PROBE, kwargs={"stage": stage}, queue=queue, priority=0, retry=False
                    )
            except (redis.RedisError, OperationalError) as error:
                log.warning("no probe was sent (%s)", type(error).__name__)
                mine.update(asked_at=None)  # nobody was asked


def miss_watch() -> int:
    """Mail once that the watch does not respond, which nobody else would say; return how many mails were sent."""
    since = Now() - timedelta(seconds=MISSED_SECONDS)
    # `asked_at` is when that was told.
    missed = Heartbeat.objects.filter(Q(asked_at=None) | Q(asked_at__lt=F("at")), name=WATCH, at__lt=since)
    if not missed.update(asked_at=Now()):
        return 0
    log.error("the watch does not respond")
    addresses = settings.WATCH_MAIL
    words = []
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            words.append(
                gettext(
                    "The watch does not respond. Start `manage.py watch` again: without it nobody is mailed if more stops."
                )
            )
    try:
        return send_mail(gettext("teleder: the watch does not respond"), "\n\n".join(words), None, addresses)
    except OSError:
        Heartbeat.objects.filter(name=WATCH).update(asked_at=None)
        raise


def is_silent(name: str, seconds: float = SILENT_SECONDS) -> Exists:
    """Whether a process that says by itself that it works has not done so; one that never did is not missed."""
    return Exists(Heartbeat.objects.filter(name=name, at__lt=Now() - timedelta(seconds=seconds)))


def has_fault(name: str) -> Exists:
    """Whether something of this kind was met lately that does not respond."""
    return Exists(Heartbeat.objects.filter(name=name, asked_at__gte=Now() - timedelta(seconds=FAULT_SECONDS)))


def is_unanswered(stage: str) -> Exists:
    """Whether no worker of a stage answers; where none ever did, it is not missed."""
    since = Now() - timedelta(seconds=UNANSWERED_SECONDS)
    return Exists(Heartbeat.objects.filter(name=stage, at__lt=F("asked_at"), asked_at__lt=since))
