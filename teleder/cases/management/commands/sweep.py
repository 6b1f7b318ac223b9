"""`manage.py sweep`: the process that finds what timed out and sends what waits. Two may run; `--once` is for tests."""

from __future__ import annotations

import itertools
import logging
import signal
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections
from django.utils.module_loading import import_string

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Expire silent jobs, send waiting ones, give up on late AI, release idle claims, deliver messages."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--once", action="store_true", help="do each duty once and stop")

    def handle(self, *, once: bool, **_: Any) -> None:
        seldom = [import_string(path) for path in settings.SWEEP_DUTIES if path in settings.SWEEP_SELDOM]
        duties = [import_string(path) for path in settings.SWEEP_DUTIES]
        stop = threading.Event()
        if not once:
            for ending in (signal.SIGTERM, signal.SIGINT):
                signal.signal(ending, lambda *_: stop.set())
        for number in itertools.count():
            for duty in duties:
                if duty not in seldom or number % settings.SWEEP_SELDOM_ROUNDS == 0:
                    do(duty)
            if settings.SWEEP_HEARTBEAT:
                Path(settings.SWEEP_HEARTBEAT).touch()
            if once or stop.wait(settings.SWEEP_SECONDS):
                return


def do(duty: Any) -> None:
    """Run one duty; its failure must not stop the others."""
    try:
        close_old_connections()
        if count := duty():
            log.info("%s: %s", duty.__name__, count)
    except Exception:
        log.exception("%s failed", duty.__name__)
