"""`manage.py sweep`: the process that finds what timed out and sends what waits. Two may run; `--once` is for tests."""

from __future__ import annotations

import itertools
import logging
import signal
import threading
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections
from django.utils.module_loading import import_string

from teleder.pipeline import heartbeats

log = logging.getLogger(__name__)
SAY_SECONDS = 2


class Command(BaseCommand):
    help = "Send held answers, expire silent jobs, send waiting ones, give up on late AI, release idle claims, deliver messages."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--once", action="store_true", help="do each duty once and stop")

    def handle(self, *, once: bool, **_: Any) -> None:
        seldom = [import_string(path) for path in settings.SWEEP_DUTIES if path in settings.SWEEP_SELDOM]
        duties = [import_string(path) for path in settings.SWEEP_DUTIES]
        sign_of_life = import_string(settings.SWEEP_SIGN_OF_LIFE)
        stop, failed = threading.Event(), set()
        if not once:
            for ending in (signal.SIGTERM, signal.SIGINT):
                signal.signal(ending, lambda *_: stop.set())
        for number in itertools.count():
            for duty in duties:
                if duty not in seldom or number % settings.SWEEP_SELDOM_ROUNDS == 0:
                    (failed.discard if do(duty) else failed.add)(duty)
                    do(say_that_it_sweeps)
                    if settings.SWEEP_HEARTBEAT:  # also where the database is away
                        Path(settings.SWEEP_HEARTBEAT).touch()
            if not failed:  # what is done seldom may have failed some rounds ago
                do(sign_of_life)
            if once or stop.wait(settings.SWEEP_SECONDS):
                return


_said_at = float("-inf")


def say_that_it_sweeps() -> None:
    """Renew the sweeper's sign of life, every few seconds: a round may take longer."""
    global _said_at
    if time.monotonic() > _said_at + SAY_SECONDS:
        heartbeats.note_alive(heartbeats.SWEEPER)
        _said_at = time.monotonic()


def do(duty: Any) -> bool:
    """Run one duty and return whether it succeeded; its failure must not stop the others."""
    try:
        close_old_connections()
        if count := duty():
            log.info("%s: %s", duty.__name__, count)
    except Exception:
        log.exception("%s failed", duty.__name__)
        return False
    return True
