"""`manage.py watch`: the process that mails who is on call when another one does not respond."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from teleder import watching


class Command(BaseCommand):
    help = "Ask the web every five seconds whether all processes respond; mail TELEDER_WATCH_MAIL when one does not."
    requires_system_checks: list[str] = []

    def handle(self, **_options: Any) -> None:
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        watching.run(stopped)
